//! The heartbeats of nodes, in a file of their own beside the database.
//!
//! A heartbeat comes every two seconds also while nothing happens, and need not survive anything. In the database each
//! would wait for the disk, as commits do there; not to wait, on one connection only, would spoil the promise of all others
//! at the next checkpoint. So they have a file that nobody ever waits for. If it is damaged, it is made anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flag_core::{Epoch, Revision, Version};
use flag_engine::{
    Digest, EnvironmentName, MOST_NODES, NODE_EXPIRY, NodeId, NodeReport, SeenNode, StoreError,
};
use rusqlite::{Connection, ErrorCode, Row, TransactionBehavior};

use crate::error::{OpenError, store_error};
use crate::{migrations, read};

/// A release that needs another shape takes another name: an older one may be at work in the same file.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS nodes_1 (
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
const FORGET: &str = "DELETE FROM nodes_1 WHERE seen < unixepoch('now', 'subsec') - ?1";
const REPORT: &str = "INSERT INTO nodes_1 (environment, id, name, epoch, revision, digest, seen)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, unixepoch('now', 'subsec'))
    ON CONFLICT (environment, id) DO UPDATE SET name = excluded.name, epoch = excluded.epoch,
        revision = excluded.revision, digest = excluded.digest, seen = excluded.seen";
const WITHDRAW: &str = "DELETE FROM nodes_1 WHERE environment = ?1 AND id = ?2";
const READ: &str =
    "SELECT id, name, epoch, revision, digest, max(0.0, unixepoch('now', 'subsec') - seen) AS age
    FROM nodes_1 WHERE environment = ?1 AND age <= ?2 ORDER BY id LIMIT ?3";

/// Opens the file beside the database at `path`.
pub(crate) fn open(path: &Path) -> Result<Connection, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".nodes");
    let path = PathBuf::from(name);
    migrations::create(&path).map_err(|source| OpenError::Io { path: path.clone(), source })?;
    let opened = connect(&path).or_else(|error| {
        let code = error.sqlite_error_code();
        if !matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) {
            return Err(error);
        }
        // Whatever it held was worth no more than some seconds.
        fs::write(&path, [])
            .and_then(|()| remove_journal(&path))
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        connect(&path)
    });
    opened.map_err(|error| OpenError::Sqlite { path, source: Box::new(error) })
}

fn remove_journal(path: &Path) -> std::io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push("-journal");
    match fs::remove_file(PathBuf::from(name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(migrations::BUSY)?;
    connection.pragma_update(None, "journal_mode", "TRUNCATE")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.execute_batch(TABLE)?;
    Ok(connection)
}

pub(crate) fn report(
    connection: &mut Connection,
    environment: &EnvironmentName,
    report: &NodeReport,
) -> Result<(), StoreError> {
    let NodeReport { node, version, digest } = report;
    let row = (
        environment.as_str(),
        node.id.to_string(),
        node.name.as_str(),
        version.epoch.to_string(),
        read::number(version.revision),
        digest.as_ref().map(|digest| digest.as_bytes().as_slice()),
    );
    let write = || {
        let writing = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        writing.prepare_cached(FORGET)?.execute([NODE_EXPIRY.as_secs_f64()])?;
        writing.prepare_cached(REPORT)?.execute(row)?;
        writing.commit()
    };
    write().map_err(store_error)
}

pub(crate) fn withdraw(
    connection: &mut Connection,
    environment: &EnvironmentName,
    node: NodeId,
) -> Result<(), StoreError> {
    let row = (environment.as_str(), node.to_string());
    connection.execute(WITHDRAW, row).map(|_| ()).map_err(store_error)
}

pub(crate) fn read(
    connection: &mut Connection,
    environment: &EnvironmentName,
) -> Result<Vec<SeenNode>, StoreError> {
    let mut statement = connection.prepare_cached(READ).map_err(store_error)?;
    let parameters = (environment.as_str(), NODE_EXPIRY.as_secs_f64(), MOST_NODES);
    let rows = statement.query_map(parameters, node).map_err(store_error)?;
    rows.collect::<rusqlite::Result<_>>().map_err(store_error)
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
