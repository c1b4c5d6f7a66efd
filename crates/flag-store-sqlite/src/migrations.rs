//! Opening a database: the settings of a connection, and the migrations, which one process at a time may run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use crate::error::OpenError;

/// How long SQLite waits for another process's lock: less than the engine waits for SQLite, so that a write that fails is
/// known to have failed.
const BUSY: Duration = Duration::from_secs(2);

/// Which table refinery keeps.
const TABLE: &str = "refinery_schema_history";

mod embedded {
    refinery::embed_migrations!("../../migrations/sqlite");
}

/// What became of the migrations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Migrated {
    /// How many were applied just now.
    pub applied: usize,
    /// The last one that the database now has.
    pub version: i64,
}

/// Brings the database at `path` up to this release, creating it if it is missing. A connection to it is left over.
pub(crate) fn migrate(path: &Path) -> Result<(Connection, Migrated), OpenError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| OpenError::Io { path: folder.to_owned(), source })?;
    }
    // Held until the end. SQLite's own locks do not do: turning to WAL does not wait for them, and refinery reads what is
    // applied before its transaction begins.
    let _lock = lock(path)?;
    let mut connection = connect(path)?;
    let migrated = run(&mut connection, path)?;
    Ok((connection, migrated))
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    // The file stays: whoever removed it could remove another process's lock.
    let file = File::options().create(true).append(true).open(&path);
    let locked = file.and_then(|file| file.lock().map(|()| file));
    locked.map_err(|source| OpenError::Io { path, source })
}

/// Opens a connection with the settings that all of them have.
pub(crate) fn connect(path: &Path) -> Result<Connection, OpenError> {
    let configured = || {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A commit is on the disk before it is acknowledged.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        Ok(connection)
    };
    configured().map_err(|error| sqlite(path, error))
}

fn sqlite(path: &Path, error: rusqlite::Error) -> OpenError {
    OpenError::Sqlite { path: path.to_owned(), source: Box::new(error) }
}

fn run(connection: &mut Connection, path: &Path) -> Result<Migrated, OpenError> {
    let runner = embedded::migrations::runner();
    let known =
        runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0);
    let found = last_applied(connection).map_err(|error| sqlite(path, error))?;
    // refinery would call this a missing migration; whoever runs an old release by mistake needs plainer words.
    if found > known {
        return Err(OpenError::Newer { found, known });
    }
    let report =
        runner.set_grouped(true).run(connection).map_err(|error| OpenError::Migration(Box::new(error)))?;
    Ok(Migrated { applied: report.applied_migrations().len(), version: known })
}

/// The number of the last migration that was applied; 0 if none was.
fn last_applied(connection: &Connection) -> rusqlite::Result<i64> {
    let exists = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?";
    if connection.query_row(exists, [TABLE], |_| Ok(())).optional()?.is_none() {
        return Ok(0);
    }
    connection.query_row(&format!("SELECT coalesce(max(version), 0) FROM {TABLE}"), [], |row| row.get(0))
}
