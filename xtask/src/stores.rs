//! Where the tests get PostgreSQL and Redis from: given, on this machine, installed, or in containers.

use anyhow::{Result, bail};
use flag_testkit::services::{Postgres, Redis};

use crate::{
    compose,
    install::{self, Program},
    repository::Repository,
};

const ADVICE: &str = "Neither the programs, nor a package manager that may install them, nor Docker is at hand.
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
        let postgres = match given_postgres.or_else(|| contained.then(|| compose::DATABASE_URL.to_owned())) {
            Some(url) => Store::Foreign(url),
            None => Postgres::start().map(|server| {
                let url = server.url();
                Store::Private(server, url)
            })?,
        };
        let redis = match given_redis.or_else(|| contained.then(|| compose::REDIS_URL.to_owned())) {
            Some(url) => Store::Foreign(url),
            None => Redis::start().map(|server| {
                let url = server.url();
                Store::Private(server, url)
            })?,
        };
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

/// Makes the programs available, by installation if need be. Returns whether containers had to take their place.
pub(crate) fn obtain(repository: &Repository, wanted: &[Program]) -> Result<bool> {
    let missing: Vec<Program> = wanted.iter().copied().filter(|program| !program.is_here()).collect();
    if missing.is_empty() {
        return Ok(false);
    }
    if let Err(error) = install::install(&missing) {
        eprintln!("      cannot install: {error:#}");
    }
    if missing.iter().all(|program| program.is_here()) {
        return Ok(false);
    }
    if let Err(error) = compose::up(repository) {
        eprintln!("      cannot use containers: {error:#}");
        bail!("PostgreSQL or Redis is missing\n{ADVICE}");
    }
    Ok(true)
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
