//! From settings to the parts of an engine: the only place that names two adapters.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use flag_cache_disk::DiskSource;
use flag_cache_redis::RedisSource;
use flag_engine::{ChangeFeed, EnvironmentName, FlagSource, FlagStore, NodeIdentity, Parts, ProcessFeed};
use flag_store_pg::{PgStore, PrepareError};
use flag_store_sqlite::SqliteStore;
use tokio::time::timeout;

use crate::config::Settings;
use crate::database::Database;

/// What a node is made of.
pub(crate) struct Composition {
    pub(crate) parts: Parts,
    /// What the node keeps on its own disk, which has to be finished at the end.
    pub(crate) disk: Option<Arc<DiskSource>>,
    /// Why the store could not be asked when the node was started, if that is known.
    pub(crate) outage: Option<String>,
}

/// What `settings` describe.
pub(crate) async fn compose(
    settings: &Settings,
    database: &Database,
    node: NodeIdentity,
) -> anyhow::Result<Composition> {
    let environment = EnvironmentName::parse("default").context("the environment")?;
    match database {
        Database::Sqlite(path) => {
            if settings.redis_url.is_some() {
                tracing::warn!(
                    "REDIS_URL is not used: a file of SQLite serves one node, which needs no cache"
                );
            }
            let store = SqliteStore::open(path).with_context(|| format!("{database} cannot be opened"))?;
            let store = Arc::new(store);
            let feed = Arc::new(ProcessFeed::default());
            // The file is on the disk already.
            Ok(Composition {
                parts: Parts { environment, source: store.clone(), store, feed, node },
                disk: None,
                outage: None,
            })
        }
        Database::Postgres(url) => {
            let store = Arc::new(PgStore::new(url).context("DATABASE_URL")?);
            let (source, feed) = neighbours(settings, url, store.clone())?;
            let disk =
                DiskSource::start(settings.data_dir(), store.place(), source).context("the disk's thread")?;
            let patience = if disk.may_have(&environment) { PREPARATION_WITH_FLAGS } else { PREPARATION };
            let outage = prepare(&store, database, patience).await?;
            let disk = Arc::new(disk);
            let parts = Parts { environment, store, source: disk.clone(), feed, node };
            Ok(Composition { parts, disk: Some(disk), outage })
        }
    }
}

/// Brings the database to the schema that this program needs, and says how many migrations that took.
pub(crate) async fn migrate(database: &Database) -> anyhow::Result<usize> {
    match database {
        Database::Sqlite(path) => Ok(SqliteStore::migrate(path)?.applied),
        Database::Postgres(url) => Ok(PgStore::new(url)?.prepare().await?.applied),
    }
}

/// How long the start waits for the schema before it serves: long enough to learn that a database cannot be used, and not
/// as long as a migration may take, during which health checks have to be answered.
const PREPARATION: Duration = Duration::from_secs(3);
/// The same where the disk has flags: together with the time in which the store may say what has changed since, less than the
/// second within which such a node answers.
const PREPARATION_WITH_FLAGS: Duration = Duration::from_millis(200);

/// Prepares the database if it can be reached. If not, or if that takes long, the node starts all the same: the store goes on
/// with it, and nothing is asked of it before that is done. Says why it could not be reached.
async fn prepare(store: &PgStore, database: &Database, patience: Duration) -> anyhow::Result<Option<String>> {
    let Ok(outcome) = timeout(patience, store.prepare()).await else {
        tracing::warn!(%database, "preparing the schema takes long; serving meanwhile");
        return Ok(None);
    };
    match outcome {
        Ok(prepared) => {
            tracing::info!(applied = prepared.applied, version = prepared.version, "the schema is ready");
            Ok(None)
        }
        Err(error @ PrepareError::Unavailable(_)) => {
            let error = format!("{:#}", anyhow::Error::new(error));
            tracing::warn!(error, %database, "starting without the store");
            Ok(Some(error))
        }
        Err(error) => bail!("{database} cannot be used: {error}"),
    }
}

/// Where snapshots come from and how nodes hear of changes: through Redis if there is one, else through PostgreSQL.
fn neighbours(
    settings: &Settings,
    postgres: &str,
    store: Arc<dyn FlagStore>,
) -> anyhow::Result<(Arc<dyn FlagSource>, Arc<dyn ChangeFeed>)> {
    let Some(redis) = settings.redis_url.as_deref() else {
        return Ok((store, Arc::new(flag_store_pg::start_feed(postgres).context("DATABASE_URL")?)));
    };
    let feed = flag_cache_redis::start_feed(redis, &settings.redis_prefix).context("REDIS_URL")?;
    let source = RedisSource::start(redis, settings.redis_prefix.clone(), store).context("REDIS_URL")?;
    Ok((Arc::new(source), Arc::new(feed)))
}
