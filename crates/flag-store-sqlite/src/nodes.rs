//! The heartbeats of nodes, as rows.
//!
//! A heartbeat comes every two seconds also while nothing happens, and need not survive anything. In the database each
//! would wait for the disk, as commits do there; not to wait, on one connection only, would spoil the promise of all others
//! at the next checkpoint. So they have a file that nobody ever waits for.

use std::time::Duration;

use flag_core::{Epoch, Revision, Version};
use flag_engine::{
    Digest, EnvironmentName, MOST_NODES, NODE_MEMORY, NODE_SILENCE, NodeId, NodeReport, SeenNode,
};
use rusqlite::{Connection, Row, TransactionBehavior};

use crate::read::number;

/// A release that needs another shape takes another name: an older one may be at work in the same file.
pub(crate) const TABLE: &str = "CREATE TABLE IF NOT EXISTS nodes_1 (
    environment TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    epoch TEXT NOT NULL,
    revision INTEGER NOT NULL,
    digest BLOB,
    -- Seconds since 1970, by SQLite's clock, which is one for all processes of the machine.
    seen REAL NOT NULL,
    PRIMARY KEY (environment, id)
) STRICT, WITHOUT ROWID";
/// Rows of the future are what is left of dead nodes after the clock was set back.
const FORGET: &str = "DELETE FROM nodes_1 WHERE seen < unixepoch('now', 'subsec') - ?3
    OR seen > unixepoch('now', 'subsec') + ?4
    OR (environment = ?1 AND name = ?2 AND seen < unixepoch('now', 'subsec') - ?4)";
const REPORT: &str = "INSERT INTO nodes_1 (environment, id, name, epoch, revision, digest, seen)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, unixepoch('now', 'subsec'))
    ON CONFLICT (environment, id) DO UPDATE SET name = excluded.name, epoch = excluded.epoch,
        revision = excluded.revision, digest = excluded.digest, seen = excluded.seen";
const WITHDRAW: &str = "DELETE FROM nodes_1 WHERE environment = ?1 AND id = ?2";
const READ: &str =
    "SELECT id, name, epoch, revision, digest, max(0.0, unixepoch('now', 'subsec') - seen) AS age
    FROM nodes_1 WHERE environment = ?1 AND age <= ?2 ORDER BY id LIMIT ?3";

pub(crate) fn report(
    connection: &mut Connection,
    environment: &EnvironmentName,
    report: &NodeReport,
) -> rusqlite::Result<()> {
    let NodeReport { node, version, digest } = report;
    let (environment, name) = (environment.as_str(), node.name.as_str());
    let row = (
        environment,
        node.id.to_string(),
        name,
        version.epoch.to_string(),
        number(version.revision),
        digest.as_ref().map(|digest| digest.as_bytes().as_slice()),
    );
    let forgotten = (environment, name, NODE_MEMORY.as_secs_f64(), NODE_SILENCE.as_secs_f64());
    let writing = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    writing.prepare_cached(REPORT)?.execute(row)?;
    writing.prepare_cached(FORGET)?.execute(forgotten)?;
    writing.commit()
}

pub(crate) fn withdraw(
    connection: &mut Connection,
    environment: &EnvironmentName,
    node: NodeId,
) -> rusqlite::Result<()> {
    let row = (environment.as_str(), node.to_string());
    connection.execute(WITHDRAW, row).map(|_| ())
}

pub(crate) fn read(
    connection: &mut Connection,
    environment: &EnvironmentName,
) -> rusqlite::Result<Vec<SeenNode>> {
    let mut statement = connection.prepare_cached(READ)?;
    let parameters = (environment.as_str(), NODE_MEMORY.as_secs_f64(), u32::from(MOST_NODES) + 1);
    statement.query_map(parameters, node)?.collect()
}

fn node(row: &Row<'_>) -> rusqlite::Result<SeenNode> {
    let number = |column| -> rusqlite::Result<u128> {
        let text: String = row.get(column)?;
        u128::from_str_radix(&text, 16).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
        })
    };
    let (id, epoch) = (NodeId(number(0)?), Epoch(number(2)?));
    let revision = Revision::try_from(row.get::<_, i64>(3)?).unwrap_or_default();
    let digest: Option<[u8; 32]> = row.get(4)?;
    let age = Duration::try_from_secs_f64(row.get(5)?).unwrap_or_default();
    Ok(SeenNode {
        id,
        name: row.get(1)?,
        version: Version { epoch, revision },
        digest: digest.map(Digest::from_bytes),
        age,
    })
}
