//! The store: the ports of the engine, handed on to its threads.

use std::path::Path;

use flag_core::{Entry, Version};
use flag_engine::{
    Appended, Batch, BoundHits, BoxFuture, EnvironmentName, Fetched, FlagSource, FlagStore, HistoryPage,
    IdempotencyKey, NodeId, NodeReport, Receipts, SeenNode, StoreError,
};
use rusqlite::Connection;

use crate::error::OpenError;
use crate::heartbeats::Heartbeats;
use crate::migrations::{self, Migrated};
use crate::worker::Worker;
use crate::{nodes, read, write};

/// A store in one SQLite file. Several may be open on the same file, also in several processes of one machine.
///
/// Dropping it waits for a write that is under way.
pub struct SqliteStore {
    writer: Worker<Connection>,
    reader: Worker<Connection>,
    /// Reads the log, which anybody may ask for at any length: nobody who keeps up or writes has to wait behind it.
    historian: Worker<Connection>,
    /// Keeps the heartbeats of nodes, in a file of their own.
    heartbeats: Worker<Heartbeats>,
}

impl SqliteStore {
    /// Opens the database at `path`, after creating and migrating it if need be; missing parent folders are created.
    ///
    /// Blocks, at first for as long as other processes migrate the same file.
    ///
    /// # Errors
    /// [`OpenError`] if the file cannot be used, or belongs to a newer release.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let (connection, migrated) = migrations::migrate(path)?;
        if migrated.applied > 0 {
            tracing::info!(path = %path.display(), version = migrated.version, "migrated the database");
        }
        let (reader, historian) = (migrations::connect(path)?, migrations::connect(path)?);
        let writer =
            Worker::start("sqlite-writer", connection, "sqlite_writer_queue").map_err(OpenError::Thread)?;
        let reader =
            Worker::start("sqlite-reader", reader, "sqlite_reader_queue").map_err(OpenError::Thread)?;
        let historian =
            Worker::start("sqlite-history", historian, "sqlite_history_queue").map_err(OpenError::Thread)?;
        let heartbeats = Worker::start("sqlite-nodes", Heartbeats::beside(path), "sqlite_nodes_queue")
            .map_err(OpenError::Thread)?;
        Ok(Self { writer, reader, historian, heartbeats })
    }

    async fn heartbeat<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        reading(self.heartbeats.run(|heartbeats| heartbeats.run(job))).await
    }

    /// Only creates and migrates the database at `path`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn migrate(path: &Path) -> Result<Migrated, OpenError> {
        migrations::migrate(path).map(|(_, migrated)| migrated)
    }
}

impl FlagSource for SqliteStore {
    fn fetch<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        have: Option<Version>,
    ) -> BoxFuture<'a, Result<Fetched, StoreError>> {
        let environment = environment.clone();
        Box::pin(reading(self.reader.run(move |connection| read::fetch(connection, &environment, have))))
    }

    fn bounds(&self) -> Vec<BoundHits> {
        let mut bounds = [&self.writer, &self.reader, &self.historian].map(Worker::turned_away).to_vec();
        bounds.push(self.heartbeats.turned_away());
        bounds
    }
}

impl FlagStore for SqliteStore {
    fn append<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        expected: Version,
        batch: &'a Batch,
    ) -> BoxFuture<'a, Result<Appended, StoreError>> {
        let environment = environment.clone();
        if batch.is_question() {
            // A question, which need not wait until others have written.
            return Box::pin(reading(self.reader.run(move |connection| {
                let found = read::version(connection, &environment)?;
                Ok(if found == expected { Appended::Committed } else { Appended::Conflict })
            })));
        }
        let batch = batch.clone();
        Box::pin(self.writer.run(move |connection| write::append(connection, &environment, expected, &batch)))
    }

    fn receipts<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        keys: &'a [IdempotencyKey],
    ) -> BoxFuture<'a, Result<Receipts, StoreError>> {
        let (environment, keys) = (environment.clone(), keys.to_vec());
        Box::pin(reading(self.reader.run(move |connection| read::receipts(connection, &environment, &keys))))
    }

    fn history<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        page: HistoryPage<'a>,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        let environment = environment.clone();
        let HistoryPage { before, flag, limit } = page;
        let flag = flag.cloned();
        Box::pin(reading(self.historian.run(move |connection| {
            read::history(connection, &environment, HistoryPage { before, flag: flag.as_ref(), limit })
        })))
    }

    fn report<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        report: &'a NodeReport,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let (environment, report) = (environment.clone(), report.clone());
        Box::pin(self.heartbeat(move |connection| nodes::report(connection, &environment, &report)))
    }

    fn withdraw<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        node: NodeId,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let environment = environment.clone();
        Box::pin(self.heartbeat(move |connection| nodes::withdraw(connection, &environment, node)))
    }

    fn nodes<'a>(
        &'a self,
        environment: &'a EnvironmentName,
    ) -> BoxFuture<'a, Result<Vec<SeenNode>, StoreError>> {
        let environment = environment.clone();
        Box::pin(self.heartbeat(move |connection| nodes::read(connection, &environment)))
    }
}

/// A job that only reads leaves nothing uncertain.
async fn reading<T>(job: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    job.await.map_err(|error| match error {
        StoreError::Uncertain(cause) => StoreError::Unavailable(cause),
        other => other,
    })
}
