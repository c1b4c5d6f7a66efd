//! Migrations: which ones there are, and how many nodes that start at once apply each of them once.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use refinery::Migration;
use tokio::time::timeout;
use tokio_postgres::{Client, Config};

use crate::error::PrepareError;
use crate::settings::{Link, LinkError};

mod embedded {
    #![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "the macro writes this module")]
    refinery::embed_migrations!("../../migrations/postgres");
}

/// The key of the advisory lock under which a database is migrated: the word "flag" in ASCII, as no one else is likely to use.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1718378855)";
/// How long a question may take that needs no lock.
const ASK: Duration = Duration::from_secs(2);
/// How long to wait while another node migrates.
const LOCK_WAIT: Duration = Duration::from_secs(60);
/// How long migrations may take: the tables may have grown large.
const RUN: Duration = Duration::from_secs(600);

/// What it took to make a database ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prepared {
    /// How many migrations were applied.
    pub applied: usize,
    /// The migration at which the database stands now.
    pub version: i32,
}

/// Makes the database ready once per process. An attempt belongs to nobody: whoever asked may lose patience, and the
/// migration still goes on to its end; whoever asks meanwhile waits for the same attempt.
pub(crate) struct Preparation {
    config: Config,
    attempt: Mutex<Option<Attempt>>,
}

type Attempt = Shared<BoxFuture<'static, Result<Prepared, PrepareError>>>;

impl Preparation {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, attempt: Mutex::new(None) }
    }

    /// The attempt that succeeded or is under way, else a new one.
    pub(crate) fn attempt(&self) -> Attempt {
        let mut attempt = self.attempt.lock().unwrap_or_else(PoisonError::into_inner);
        match &*attempt {
            Some(current) if !matches!(current.peek(), Some(Err(_))) => current.clone(),
            _ => attempt.insert(start(self.config.clone())).clone(),
        }
    }
}

fn start(config: Config) -> Attempt {
    let task = tokio::spawn(async move { migrate(&config).await });
    // Refinery panics over a table of its own that it cannot read; here that is an error like any other.
    let ended = |error| Err(PrepareError::Failed(format!("the attempt ended early: {error}")));
    task.map(move |outcome| outcome.unwrap_or_else(ended)).boxed().shared()
}

async fn migrate(config: &Config) -> Result<Prepared, PrepareError> {
    let runner = embedded::migrations::runner();
    let known = runner.get_migrations().iter().map(Migration::version).max().unwrap_or_default();
    let mut worker = Link::open(config).await.map_err(unreachable)?;
    check_encoding(&worker.client).await?;
    // Asked without the lock first: most starts find everything done, and need no right to change tables.
    if is_ready(&worker.client, known).await? {
        return Ok(Prepared { applied: 0, version: known });
    }
    let keeper = Link::open(config).await.map_err(unreachable)?;
    lock(&keeper.client).await?;
    if is_ready(&worker.client, known).await? {
        return Ok(Prepared { applied: 0, version: known });
    }
    let report = timeout(RUN, runner.run_async(&mut worker.client))
        .await
        .map_err(|_| unreachable(LinkError::Silent))??;
    let prepared = Prepared { applied: report.applied_migrations().len(), version: known };
    tracing::info!(applied = prepared.applied, version = prepared.version, "migrated the database");
    Ok(prepared)
}

/// Refuses a database that cannot hold every id: one that it cannot hold would fail all writes that wait with it.
async fn check_encoding(client: &Client) -> Result<(), PrepareError> {
    let asked = client.query_typed_one("SELECT current_setting('server_encoding')", &[]);
    let row = timeout(ASK, asked).await.map_err(|_| unreachable(LinkError::Silent))??;
    let encoding: String = row.try_get(0)?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(PrepareError::Failed(format!("its encoding is {encoding}; create it with ENCODING 'UTF8'")))
}

/// Takes the lock, which is kept until the connection ends.
///
/// Refinery commits between migrations and brings no lock. A session's lock on the same connection would be lost behind a
/// pooler, where the next transaction may run in another session; the lock of an open transaction holds everywhere.
async fn lock(keeper: &Client) -> Result<(), PrepareError> {
    let wait = LOCK_WAIT.as_millis();
    let sql = format!(
        "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = {wait}; {LOCK}"
    );
    timeout(LOCK_WAIT + ASK, keeper.batch_execute(&sql))
        .await
        .map_err(|_| unreachable(LinkError::Silent))??;
    Ok(())
}

/// Whether everything is applied already. A database that is further is no place for this program.
async fn is_ready(client: &Client, known: i32) -> Result<bool, PrepareError> {
    let found = timeout(ASK, applied(client)).await.map_err(|_| unreachable(LinkError::Silent))??;
    match found {
        Some(found) if found > known => Err(PrepareError::Newer { found, known }),
        found => Ok(found == Some(known)),
    }
}

/// The last migration that was applied; nothing in an empty database.
async fn applied(client: &Client) -> Result<Option<i32>, tokio_postgres::Error> {
    let table = "SELECT 1 WHERE to_regclass('refinery_schema_history') IS NOT NULL";
    if client.query_typed_opt(table, &[]).await?.is_none() {
        return Ok(None);
    }
    client.query_typed_one("SELECT max(version) FROM refinery_schema_history", &[]).await?.try_get(0)
}

fn unreachable(error: LinkError) -> PrepareError {
    match error {
        LinkError::Silent | LinkError::Closed => PrepareError::unavailable(error),
        LinkError::Failed(error) => error.into(),
    }
}
