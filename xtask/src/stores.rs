//! Where the tests get PostgreSQL and Redis from: given, on this machine, installed, or in containers.

use anyhow::{Result, bail};
use flag_testkit::services::{Postgres, Redis, ServiceError};

use crate::{
    compose::{self, Containers},
    install::{self, Program},
    repository::Repository,
};

const ADVICE: &str =
    "Neither the programs, nor a package manager that may install them, nor Docker is at hand.
Do one of these, and run the command again:
  - install PostgreSQL (14 or later) and Redis (7 or later, or Valkey);
  - set FLAG_POSTGRES_BIN and FLAG_REDIS_BIN to the folders that hold their programs;
  - set DATABASE_URL and REDIS_URL to running servers;
  - start Docker, for docker-compose.yml";

/// One datastore for the time of a test run.
enum Store<P> {
    /// Somebody else's: the environment named it, or it runs in a container.
    Foreign(String),
    /// Ours; it ends when it is dropped.
    Private(P, String),
}

impl<P> Store<P> {
    fn new(
        given: Option<String>,
        contained: Option<&str>,
        start: impl FnOnce() -> Result<Self, ServiceError>,
    ) -> Result<Self> {
        match given.or(contained.map(str::to_owned)) {
            Some(url) => Ok(Self::Foreign(url)),
            None => Ok(start()?),
        }
    }

    fn url(&self) -> &str {
        match self {
            Self::Foreign(url) | Self::Private(_, url) => url,
        }
    }
}

/// Both datastores, ready for clients.
pub(crate) struct Stores {
    postgres: Store<Postgres>,
    redis: Store<Redis>,
}

impl Stores {
    /// Finds or starts both, installing what is missing if that is allowed.
    pub(crate) fn ready(repository: &Repository) -> Result<Self> {
        let (given_postgres, given_redis) = (given("DATABASE_URL"), given("REDIS_URL"));
        let mut wanted = Vec::new();
        if given_postgres.is_none() {
            wanted.push(Program::Postgres);
        }
        if given_redis.is_none() {
            wanted.push(Program::Redis);
        }
        let contained = obtain(repository, &wanted)?;
        let postgres = Store::new(given_postgres, contained.map(|urls| urls.postgres), || {
            let server = Postgres::start()?;
            let url = server.url();
            Ok(Store::Private(server, url))
        })?;
        let redis = Store::new(given_redis, contained.map(|urls| urls.redis), || {
            let server = Redis::start()?;
            let url = server.url();
            Ok(Store::Private(server, url))
        })?;
        eprintln!("      PostgreSQL: {}", describe(&postgres));
        eprintln!("      Redis: {}", describe(&redis));
        Ok(Self { postgres, redis })
    }

    pub(crate) fn database_url(&self) -> &str {
        self.postgres.url()
    }

    pub(crate) fn redis_url(&self) -> &str {
        self.redis.url()
    }

    /// Whether tests that break their own server have no programs to start one with.
    pub(crate) fn private_missing(&self) -> bool {
        !(Program::Postgres.is_here() && Program::Redis.is_here())
    }
}

/// Makes the programs available, by installation if need be. Returns the containers that had to take their place.
pub(crate) fn obtain(repository: &Repository, wanted: &[Program]) -> Result<Option<Containers>> {
    let missing: Vec<Program> = wanted.iter().copied().filter(|program| !program.is_here()).collect();
    if missing.is_empty() {
        return Ok(None);
    }
    if let Err(error) = install::install(&missing) {
        eprintln!("      cannot install: {error:#}");
    }
    if missing.iter().all(|program| program.is_here()) {
        return Ok(None);
    }
    match compose::up(repository) {
        Ok(containers) => Ok(Some(containers)),
        Err(error) => {
            eprintln!("      cannot use containers: {error:#}");
            bail!("PostgreSQL or Redis is missing\n{ADVICE}")
        }
    }
}

fn given(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|url| !url.is_empty())
}

/// A given URL may hold a password, so only its origin is shown.
fn describe<P>(store: &Store<P>) -> String {
    match store {
        Store::Foreign(_) => "a server that was running already".to_owned(),
        Store::Private(_, url) => url.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_url_is_not_shown() {
        let given: Store<()> = Store::Foreign("redis://:secret@host".to_owned());
        assert!(!describe(&given).contains("secret"));
        assert_eq!(given.url(), "redis://:secret@host");
        assert_eq!(describe(&Store::Private((), "redis://127.0.0.1:1".to_owned())), "redis://127.0.0.1:1");
    }
}
