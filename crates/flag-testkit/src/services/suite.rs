//! The servers that all tests of a run use together: those of the environment, else private ones per process.

use std::{env, fmt::Display, sync::OnceLock};

use super::{Postgres, Redis, ServiceError, database};

/// A PostgreSQL server that other tests use at the same time: everyone takes a database of their own.
#[derive(Debug, Clone)]
pub struct SharedPostgres {
    url: String,
}

impl Postgres {
    /// The server that `DATABASE_URL` names, else one that is private to this process and ends with it.
    ///
    /// # Panics
    /// If there is neither, saying what to do about it.
    #[must_use]
    pub fn shared() -> SharedPostgres {
        static SHARED: OnceLock<Result<(SharedPostgres, Option<Postgres>), ServiceError>> = OnceLock::new();
        let server = SHARED.get_or_init(|| match env::var("DATABASE_URL") {
            Ok(url) if !url.is_empty() => {
                database::remove_abandoned(&url)?;
                Ok((SharedPostgres { url }, None))
            }
            _ => Self::start().map(|server| (SharedPostgres { url: server.url() }, Some(server))),
        });
        match server {
            Ok((shared, _)) => shared.clone(),
            Err(error) => give_up("PostgreSQL", "DATABASE_URL", error),
        }
    }
}

impl SharedPostgres {
    /// Creates an empty database for the calling test alone, and returns its URL.
    ///
    /// # Panics
    /// If the server refuses.
    #[must_use]
    pub fn fresh_database(&self) -> String {
        database::create_fresh(&self.url)
            .unwrap_or_else(|error| give_up("A database of its own", "DATABASE_URL", &error))
    }

    /// URL of the server's own database. It is shared by all: for reading, not for tables.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Redis {
    /// URL of the server that `REDIS_URL` names, else of one that is private to this process and ends with it.
    ///
    /// Other tests use it at the same time: take a fresh prefix for keys and channels, and never flush it.
    ///
    /// # Panics
    /// If there is neither, saying what to do about it.
    #[must_use]
    pub fn shared() -> String {
        static SHARED: OnceLock<Result<Redis, ServiceError>> = OnceLock::new();
        if let Some(url) = env::var("REDIS_URL").ok().filter(|url| !url.is_empty()) {
            return url;
        }
        match SHARED.get_or_init(Self::start) {
            Ok(server) => server.url(),
            Err(error) => give_up("Redis", "REDIS_URL", error),
        }
    }
}

/// Whether `cargo xtask test` found no server programs on this machine, so that a test which has to break its own
/// server cannot run: such a test asks this first, and returns. xtask counts and names the tests that ask.
///
/// Without xtask the answer is no, and the test fails with the reason: nothing is skipped in silence.
#[must_use]
pub fn private_missing() -> bool {
    env::var("FLAG_PRIVATE_SERVICES").is_ok_and(|state| state == "missing")
}

#[expect(clippy::panic, reason = "only tests come here, and a test reports by panicking")]
fn give_up(what: &str, variable: &str, error: &dyn Display) -> ! {
    panic!(
        "{what} is needed by this test, and could not be had.\n\
         Run `cargo xtask test`, which finds or installs it, or install it, or set {variable} to a running server.\n\
         {error}"
    )
}
