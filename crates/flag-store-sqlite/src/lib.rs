//! The feature flag engine's store on embedded SQLite: one file, for a node that stands alone and for processes on one
//! machine that share it.
//!
//! SQLite blocks, so it has threads of its own: one writes, one reads, one reads the log, one keeps the heartbeats of nodes.
//! The async side hands them jobs and waits for the answers.

mod error;
mod heartbeats;
mod migrations;
mod nodes;
mod read;
mod store;
mod worker;
mod write;

pub use error::OpenError;
pub use migrations::Migrated;
pub use store::SqliteStore;
