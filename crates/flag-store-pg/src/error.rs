//! Why PostgreSQL could not do what it was asked, sorted by what the caller can do about it.

use std::error::Error;
use std::sync::Arc;

use flag_engine::StoreError;

/// Why a url cannot be used. Says nothing that the url holds, for it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not the url of a PostgreSQL database.
    #[error("the PostgreSQL url cannot be read: {0}")]
    Unreadable(String),
    /// It insists on an encrypted connection.
    #[error(
        "the PostgreSQL url asks for TLS, which this program does not speak yet; use sslmode=disable or a local proxy"
    )]
    Tls,
}

/// Why a database could not be made ready for this program.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PrepareError {
    /// It cannot be reached or is too busy: try again later.
    #[error("the database is unavailable")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
    /// A newer program has migrated it: this one would misread it.
    #[error(
        "the database is at migration {found}, this program knows {known}: use the program that migrated it, or a newer one"
    )]
    Newer {
        /// The last migration that was applied to the database.
        found: i32,
        /// The newest one that this program has.
        known: i32,
    },
    /// A migration did not go through, or what was applied before is not what this program has: an operator has to look.
    #[error("the database cannot be migrated: {0}")]
    Failed(String),
}

impl From<PrepareError> for StoreError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Unavailable(cause) => Self::Unavailable(Box::new(cause)),
            PrepareError::Newer { .. } | PrepareError::Failed(_) => Self::corrupt(error.to_string()),
        }
    }
}

impl PrepareError {
    /// Something that may pass.
    pub(crate) fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(Arc::from(cause.into()))
    }
}

impl From<tokio_postgres::Error> for PrepareError {
    fn from(error: tokio_postgres::Error) -> Self {
        match contradiction(&error) {
            Some(what) => Self::Failed(what),
            None => Self::unavailable(error),
        }
    }
}

impl From<refinery::Error> for PrepareError {
    fn from(error: refinery::Error) -> Self {
        let cause = error.source().and_then(|cause| cause.downcast_ref::<tokio_postgres::Error>());
        match cause {
            // No statement was refused: the connection was lost.
            Some(cause) if cause.as_db_error().is_none() => Self::unavailable(error),
            Some(cause) => match contradiction(cause) {
                Some(what) => Self::Failed(what),
                None => Self::unavailable(error),
            },
            None => Self::Failed(error.to_string()),
        }
    }
}

/// What became of a statement that was not a commit.
pub(crate) fn failed(error: tokio_postgres::Error) -> StoreError {
    match contradiction(&error) {
        Some(what) => StoreError::corrupt(what),
        None => StoreError::Unavailable(Box::new(error)),
    }
}

/// The words of the server if it understood the statement and what it holds does not go with it. Asking again would not help.
fn contradiction(error: &tokio_postgres::Error) -> Option<String> {
    let answer = error.as_db_error()?;
    let code = answer.code().code();
    // Data that cannot be, constraints that do not hold, tables and rights that are not there, a damaged file.
    let lasting = ["22", "23", "42", "XX"].iter().any(|class| code.starts_with(class));
    lasting.then(|| format!("{} (SQLSTATE {code})", answer.message()))
}

/// A column that cannot be read: the reason without the number of the column, which means nothing to an operator.
pub(crate) fn reason(error: &tokio_postgres::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}
