//! Reading the log backwards, page by page.

use flag_core::{Entry, FlagKey};
use flag_engine::{EnvironmentName, HistoryPage, StoreError};
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use crate::fetch::entry;
use crate::transaction;

const OF_ALL: &str = "SELECT revision, entry FROM changes \
     WHERE environment = $1 AND revision < $2 ORDER BY revision DESC LIMIT $3";
/// A statement of its own, because the planner has to know that the index of one flag's changes will do.
const OF_ONE_FLAG: &str = "SELECT revision, entry FROM changes \
     WHERE environment = $1 AND revision < $2 AND flag = $4 ORDER BY revision DESC LIMIT $3";

/// The entries that `page` names, newest first.
pub(crate) async fn read(
    client: &Client,
    environment: &EnvironmentName,
    page: HistoryPage<'_>,
) -> Result<Vec<Entry>, StoreError> {
    // A revision beyond what the column can hold has every entry below it, as has none at all.
    let before = page.before.and_then(|revision| i64::try_from(revision).ok()).unwrap_or(i64::MAX);
    let (name, limit, flag) = (environment.as_str(), i64::from(page.limit), page.flag.map(FlagKey::as_str));
    let page = async {
        match &flag {
            None => {
                let parameters =
                    [(&name as &(dyn ToSql + Sync), Type::TEXT), (&before, Type::INT8), (&limit, Type::INT8)];
                client.query_typed(OF_ALL, &parameters).await
            }
            Some(flag) => {
                let parameters: [(&(dyn ToSql + Sync), Type); 4] =
                    [(&name, Type::TEXT), (&before, Type::INT8), (&limit, Type::INT8), (flag, Type::TEXT)];
                client.query_typed(OF_ONE_FLAG, &parameters).await
            }
        }
    };
    transaction::read(client, page).await?.iter().map(entry).collect()
}
