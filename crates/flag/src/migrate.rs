//! `flag migrate`: the schema, and nothing else.

use anyhow::Context;

use crate::compose;
use crate::config::Settings;

/// Brings the database to the schema that this program needs, and says what was done.
pub(crate) async fn run(settings: Settings) -> anyhow::Result<()> {
    let database = &settings.database()?;
    let applied =
        compose::migrate(database).await.with_context(|| format!("{database} cannot be migrated"))?;
    match applied {
        0 => println!("{database} is up to date"),
        1 => println!("{database}: applied 1 migration"),
        _ => println!("{database}: applied {applied} migrations"),
    }
    Ok(())
}
