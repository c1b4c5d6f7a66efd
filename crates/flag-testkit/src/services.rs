//! Private datastores as child processes: PostgreSQL and Redis that a test may stop, kill and freeze.
//!
//! A test that merely needs a database takes [`Postgres::shared`]; one that breaks its database starts its own
//! with [`Postgres::start`]. Whatever a test run starts ends with it, even when the run itself is killed.
//! Everything here is synchronous and Unix only.

mod account;
mod database;
mod directory;
mod error;
mod instance;
mod pgbouncer;
mod port;
mod postgres;
mod process;
mod program;
mod redis;
mod standing;
mod suite;
#[cfg(test)]
mod tests;
mod watchdog;

pub use error::ServiceError;
pub use pgbouncer::PgBouncer;
pub use port::free_port;
pub use postgres::Postgres;
pub use redis::Redis;
pub use standing::Standing;
pub use suite::{SharedPostgres, private_missing};
