//! The feature flag engine on PostgreSQL: [`PgStore`] keeps flags and their log, [`start_feed`] tells nodes of changes.
//!
//! Nothing here decides what a change means. The store writes the rows that it is given, in one transaction, under a
//! compare-and-set on the row of the environment; the feed carries hints by `LISTEN` and `NOTIFY`.
//!
//! Every wait has a bound, no statement is prepared under a name and no session state outlives a transaction, so that the
//! store also works behind a pooler that hands out server connections per transaction. The feed does not: `LISTEN` needs a
//! session of its own.

mod append;
mod error;
mod feed;
mod fetch;
mod history;
mod migration;
mod nodes;
mod pool;
mod settings;
mod store;
mod transaction;

pub use error::{ConfigError, PrepareError};
pub use feed::start_feed;
pub use migration::Prepared;
pub use store::PgStore;
