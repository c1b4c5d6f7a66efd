//! Opening a database: the settings of a connection, and the migrations, which one process at a time may run.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{io, thread};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::error::OpenError;

/// How long SQLite waits for another process's lock: less than the engine waits for SQLite, so that a write that fails is
/// known to have failed.
pub(crate) const BUSY: Duration = Duration::from_secs(2);

/// How long to wait while another process migrates, and how often to look.
const LOCK_WAIT: Duration = Duration::from_secs(60);
const LOCK_POLL: Duration = Duration::from_millis(20);

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
    create(path).map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
    let mut connection = connect(path)?;
    let migrated = run(&mut connection, path)?;
    Ok((connection, migrated))
}

/// Creates the file if it is missing, for its owner alone: it may hold the ids of people. SQLite gives the files that it puts
/// beside it the same rights.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    let mut options = File::options();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(|_| ())
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    // The file stays: whoever removed it could remove another process's lock.
    let file = File::options().create(true).append(true).open(&path);
    let locked = file.and_then(wait_for);
    locked.map_err(|source| OpenError::Io { path, source })
}

/// Takes the lock when other processes have done migrating; not for ever, since one of them may hang.
fn wait_for(file: File) -> io::Result<File> {
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOCK_POLL),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Opens a connection with the settings that all of them have.
pub(crate) fn connect(path: &Path) -> Result<Connection, OpenError> {
    let configured = || {
        // Without the flag for URIs: whatever the path looks like, it is the path of a file.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A commit is on the disk before it is acknowledged.
        connection.pragma_update(None, "synchronous", "FULL")?;
        // On macOS only these reach the disk and not just its cache; elsewhere they change nothing.
        connection.pragma_update(None, "fullfsync", "ON")?;
        connection.pragma_update(None, "checkpoint_fullfsync", "ON")?;
        // Every change touches pages that the next one touches again: the more seldom they are carried over, the fewer are
        // carried. The log then grows to 16 MB, which a start reads in a moment.
        connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
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
