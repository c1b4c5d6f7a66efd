//! The file of heartbeats: opened when it is first needed, and made anew when it is damaged. Nothing in it is worth more than
//! some seconds.

use std::path::{Path, PathBuf};
use std::{fs, io};

use flag_engine::{StoreError, with_causes};
use rusqlite::{Connection, ErrorCode};

use crate::error::store_error;
use crate::{migrations, nodes};

/// The heartbeats beside one database.
pub(crate) struct Heartbeats {
    path: PathBuf,
    open: Option<Open>,
    /// Whether the last job failed, so that only a change is logged.
    is_failing: bool,
}

struct Open {
    connection: Connection,
    file: FileId,
}

impl Heartbeats {
    /// The heartbeats beside the database at `path`. Nothing is opened yet.
    pub(crate) fn beside(path: &Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push(".nodes");
        Self { path: name.into(), open: None, is_failing: false }
    }

    /// Does `job` with the file. After a failure that will not pass by itself the file is made anew for the next job.
    pub(crate) fn run<T>(
        &mut self,
        job: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let outcome = self.connection().and_then(job);
        if let Err(error) = &outcome {
            if !self.is_failing {
                let (path, error) = (self.path.display(), with_causes(error));
                tracing::warn!(%path, error, "nodes cannot report; where they stand is not known");
            }
            self.open = None;
            if is_damage(error) {
                // Processes that have it open see another file in its place, and open that.
                let _ = fs::remove_file(&self.path);
                let _ = fs::remove_file(self.journal());
            }
        } else if self.is_failing {
            tracing::info!(path = %self.path.display(), "nodes can report again");
        }
        self.is_failing = outcome.is_err();
        outcome.map_err(store_error)
    }

    fn connection(&mut self) -> rusqlite::Result<&mut Connection> {
        // Somebody may have removed it, and nodes that write to different files never hear of one another.
        let open = match self.open.take() {
            Some(open) if FileId::of(&self.path).is_ok_and(|found| found == open.file) => open,
            _ => self.open()?,
        };
        Ok(&mut self.open.insert(open).connection)
    }

    fn open(&self) -> rusqlite::Result<Open> {
        let failed = |error: io::Error| rusqlite::Error::ToSqlConversionFailure(Box::new(error));
        // To open a pipe would wait for ever, and what a link leads to is not ours.
        if fs::symlink_metadata(&self.path).is_ok_and(|found| !found.is_file()) {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "it is no file")));
        }
        migrations::create(&self.path).map_err(failed)?;
        let connection = Connection::open(&self.path)?;
        connection.busy_timeout(migrations::BUSY)?;
        connection.pragma_update(None, "journal_mode", "TRUNCATE")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.execute_batch(nodes::TABLE)?;
        Ok(Open { connection, file: FileId::of(&self.path).map_err(failed)? })
    }

    fn journal(&self) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push("-journal");
        name.into()
    }
}

/// Whether the file is not what it has to be: no database, a broken one, or one whose tables or rows have another shape.
fn is_damage(error: &rusqlite::Error) -> bool {
    let of_a_row = matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
    );
    // `Unknown` is what SQLite says of a table or a column that it does not find.
    let code = error.sqlite_error_code();
    of_a_row
        || matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown))
}

/// Which file lies at a path.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileId(u64, u64);

impl FileId {
    #[cfg(unix)]
    fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let found = fs::symlink_metadata(path)?;
        Ok(Self(found.dev(), found.ino()))
    }

    /// Elsewhere a file that is open cannot be removed.
    #[cfg(not(unix))]
    fn of(path: &Path) -> io::Result<Self> {
        fs::symlink_metadata(path).map(|_| Self(0, 0))
    }
}
