//! How flags, changes and snapshots are written down: in answers, in the log, in rows, in caches. There is no second shape.
//!
//! Every shape is versioned by refusal: a member that a reader does not know makes it refuse the document, because whoever
//! drops what it does not understand and writes the rest back has lost something.

mod change;
mod flag;
mod object;
mod snapshot;
mod time;

pub use change::{ChangeDocument, EntryDocument};
pub use flag::{FlagDocument, PercentageDocument};
pub use snapshot::{FORMAT, SnapshotDocument, read_snapshot};
pub use time::TimeDocument;

/// Why a document cannot be read: what is wrong with it, for an operator's eyes.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

impl Unreadable {
    /// A member that does not hold what it should.
    pub(crate) fn member(name: &str, why: impl std::fmt::Display) -> Self {
        Self(format!("`{name}` {why}"))
    }
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}
