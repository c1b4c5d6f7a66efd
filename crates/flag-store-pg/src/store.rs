//! The store: the ports, and how long each of their methods may take.

use std::fmt;
use std::time::Duration;

use flag_core::{Entry, Version};
use flag_engine::{
    Appended, Batch, BoundHits, BoxFuture, EnvironmentName, Fetched, FlagSource, FlagStore, HistoryPage,
    IdempotencyKey, NodeId, NodeReport, Receipts, SeenNode, StoreError,
};

use tokio::time::Instant;

use crate::error::{ConfigError, PrepareError};
use crate::migration::{Preparation, Prepared};
use crate::pool::Connections;
use crate::{append, fetch, history, nodes, settings};

/// How many connections serve writers: one task of the engine commits, and a connection that it gave up may still be in use.
const WRITERS: usize = 2;
/// How many connections serve readers of the log, who must not keep a writer waiting.
const READERS: usize = 4;
/// How many connections serve refreshing, which must not queue behind requests.
const REFRESH: usize = 2;
/// How many connections serve the heartbeats of nodes: one reports, one asks for the others. Nobody else waits for them.
const HEARTBEATS: usize = 2;
/// How long a request may take, a commit not counted.
pub(crate) const REQUEST: Duration = Duration::from_secs(2);

/// Flags and their log in a PostgreSQL database. Migrates the database on first contact.
pub struct PgStore {
    writers: Connections,
    readers: Connections,
    refresh: Connections,
    heartbeats: Connections,
    preparation: Preparation,
    place: String,
}

impl PgStore {
    /// A store on the database that `url` names: `postgres://user:password@host:port/database`. No I/O, so that a node can
    /// start while the database is down.
    ///
    /// # Errors
    /// [`ConfigError`] if the url cannot be read or asks for what this program cannot do.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        let config = settings::read(url)?;
        Ok(Self {
            writers: Connections::new(&config, WRITERS, "postgres_writers")?,
            readers: Connections::new(&config, READERS, "postgres_readers")?,
            refresh: Connections::new(&config, REFRESH, "postgres_refresh")?,
            heartbeats: Connections::new(&config, HEARTBEATS, "postgres_heartbeats")?,
            place: settings::place(&config),
            preparation: Preparation::new(config),
        })
    }

    /// Where the database is, in words that stay the same as long as it is the same database: its hosts, ports and name.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Brings the database to the newest migration. Every other method does so too before it does anything else; here one
    /// learns what was done, or why it cannot be. Any number of nodes may do it at once.
    ///
    /// Once it has succeeded, it tells again what was done then.
    ///
    /// # Errors
    /// [`PrepareError`]; [`PrepareError::Newer`] will not pass by waiting.
    pub async fn prepare(&self) -> Result<Prepared, PrepareError> {
        self.preparation.attempt().await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.prepare().await?;
        Ok(())
    }

    async fn fetch(
        &self,
        environment: &EnvironmentName,
        have: Option<Version>,
    ) -> Result<Fetched, StoreError> {
        let deadline = Instant::now() + REQUEST;
        let take = async {
            self.ready().await?;
            self.refresh.take().await
        };
        let client = self.refresh.within(REQUEST, take).await?;
        let load = fetch::load(client, environment, have, deadline);
        let fetched = self.refresh.within(REQUEST + fetch::LOAD, load).await;
        if fetched.is_err() {
            self.refresh.forget_idle();
        }
        fetched
    }

    async fn append(
        &self,
        environment: &EnvironmentName,
        expected: Version,
        batch: &Batch,
    ) -> Result<Appended, StoreError> {
        let pool = &self.writers;
        if batch.is_question() {
            let ask = async {
                self.ready().await?;
                append::stands_at(&*pool.take().await?, environment, expected).await
            };
            return pool.within(REQUEST, ask).await;
        }
        let take = async {
            self.ready().await?;
            pool.take().await
        };
        let deadline = Instant::now() + REQUEST;
        let client = pool.within(REQUEST, take).await?;
        let outcome = append::append(client, environment, expected, batch, deadline).await;
        if outcome.is_err() {
            pool.forget_idle();
        }
        outcome
    }

    async fn receipts(
        &self,
        environment: &EnvironmentName,
        keys: &[IdempotencyKey],
    ) -> Result<Receipts, StoreError> {
        let ask = async {
            self.ready().await?;
            fetch::receipts(&*self.writers.take().await?, environment, keys).await
        };
        self.writers.within(REQUEST, ask).await
    }

    async fn history(
        &self,
        environment: &EnvironmentName,
        page: HistoryPage<'_>,
    ) -> Result<Vec<Entry>, StoreError> {
        let read = async {
            self.ready().await?;
            history::read(&*self.readers.take().await?, environment, page).await
        };
        self.readers.within(REQUEST, read).await
    }

    async fn report(&self, environment: &EnvironmentName, report: &NodeReport) -> Result<(), StoreError> {
        let write = async {
            self.ready().await?;
            nodes::report(&*self.heartbeats.take().await?, environment, report).await
        };
        self.heartbeats.within(REQUEST, write).await
    }

    async fn withdraw(&self, environment: &EnvironmentName, node: NodeId) -> Result<(), StoreError> {
        let write = async {
            self.ready().await?;
            nodes::withdraw(&*self.heartbeats.take().await?, environment, node).await
        };
        self.heartbeats.within(REQUEST, write).await
    }

    async fn nodes(&self, environment: &EnvironmentName) -> Result<Vec<SeenNode>, StoreError> {
        let read = async {
            self.ready().await?;
            nodes::read(&*self.heartbeats.take().await?, environment).await
        };
        self.heartbeats.within(REQUEST, read).await
    }
}

impl fmt::Debug for PgStore {
    /// Nothing of where it connects: that comes with a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgStore").finish_non_exhaustive()
    }
}

impl FlagSource for PgStore {
    fn fetch<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        have: Option<Version>,
    ) -> BoxFuture<'a, Result<Fetched, StoreError>> {
        Box::pin(self.fetch(environment, have))
    }

    fn bounds(&self) -> Vec<BoundHits> {
        [&self.writers, &self.readers, &self.refresh, &self.heartbeats]
            .map(Connections::waited_in_vain)
            .to_vec()
    }
}

impl FlagStore for PgStore {
    fn append<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        expected: Version,
        batch: &'a Batch,
    ) -> BoxFuture<'a, Result<Appended, StoreError>> {
        Box::pin(self.append(environment, expected, batch))
    }

    fn receipts<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        keys: &'a [IdempotencyKey],
    ) -> BoxFuture<'a, Result<Receipts, StoreError>> {
        Box::pin(self.receipts(environment, keys))
    }

    fn history<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        page: HistoryPage<'a>,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        Box::pin(self.history(environment, page))
    }

    fn report<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        report: &'a NodeReport,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.report(environment, report))
    }

    fn withdraw<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        node: NodeId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.withdraw(environment, node))
    }

    fn nodes<'a>(
        &'a self,
        environment: &'a EnvironmentName,
    ) -> BoxFuture<'a, Result<Vec<SeenNode>, StoreError>> {
        Box::pin(self.nodes(environment))
    }
}
