//! What SQLite's failures mean: to whoever opens the database, and to the engine.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use flag_engine::StoreError;
use rusqlite::ErrorCode;

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file system did not let a folder or a file be created or locked.
    #[error("cannot create or lock {}", path.display())]
    Io {
        /// The folder or the file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A newer release has been at work here; an older one might lose what it does not know.
    #[error(
        "the database is at migration {found}, and this release knows only up to {known}: use the newer release, or restore the backup made before the upgrade"
    )]
    Newer {
        /// The last migration of the database.
        found: i64,
        /// The last migration that this release has.
        known: i64,
    },
    /// A migration failed, or one that was applied earlier has been altered since.
    #[error("the database cannot be migrated")]
    Migration(#[source] Box<dyn Error + Send + Sync>),
    /// SQLite cannot open or configure the file.
    #[error("SQLite cannot open {}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The system refused a thread.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// What a failure means while nothing is committed yet: nothing was written, and it may pass, unless the data are to blame.
pub(crate) fn store_error(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::corrupt(format!("the database file: {error}"))
        }
        // Rows that contradict one another: the same batch would fail again.
        Some(ErrorCode::ConstraintViolation) => {
            StoreError::corrupt(format!("the state and the log: {error}"))
        }
        Some(_) => StoreError::Unavailable(Box::new(error)),
        None => StoreError::corrupt(format!("a row: {error}")),
    }
}
