//! `cluster`: many nodes over one PostgreSQL and one Redis. Each part starts what it needs, measures beside something simple on
//! the same stores, and ends what it started.

use anyhow::{Context, Result};
use flag_testkit::services;
use tokio::runtime::Runtime;

use crate::{
    node::{Program, wait_until_ready},
    process::Process,
    seed::{self, Content},
};

pub mod one_more;
pub mod propagation;
pub mod start;
pub mod writes;

/// How thoroughly to measure.
#[derive(Clone, Copy)]
pub struct Pace {
    /// Changes that are followed from node to node.
    pub changes: usize,
    /// Overrides that are added to a large flag and to an empty one.
    pub overrides: usize,
    /// Turns of writers.
    pub turns: usize,
    /// Starts from each origin.
    pub rounds: usize,
    /// How long a turn of writers takes, in seconds.
    pub turn: f64,
    /// Flags and pinned users where there are many.
    pub many: Content,
}

impl Pace {
    pub const USUAL: Self = Self {
        changes: 4_000,
        overrides: 500,
        turns: 15,
        rounds: 5,
        turn: 2.0,
        many: Content { flags: 100_000, pinned: 1_000_000 },
    };
    pub const QUICK: Self = Self {
        changes: 100,
        overrides: 30,
        turns: 1,
        rounds: 1,
        turn: 0.5,
        many: Content { flags: 1_000, pinned: 10_000 },
    };
}

/// Private stores, and the product over them.
pub struct Cluster {
    pub program: Program,
    pub postgres: services::Postgres,
    pub redis: services::Redis,
    pub runtime: Runtime,
}

impl Cluster {
    pub fn start(program: Program) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (postgres, redis) = (services::Postgres::start()?, services::Redis::start()?);
        Ok(Self { program, postgres, redis, runtime })
    }

    /// A database with this content, and a Redis that knows nothing of it.
    pub fn database(&self, content: Content) -> Result<String> {
        let url = self.postgres.fresh_database()?;
        self.program.migrate(&url)?;
        self.runtime.block_on(async {
            let client = client(&url).await?;
            seed::postgres(&client, content).await
        })?;
        self.redis.flush()?;
        Ok(url)
    }

    /// `count` nodes over a database and the Redis, each with its flags loaded.
    pub fn nodes(&self, database: &str, count: usize) -> Result<Vec<Process>> {
        let redis = self.redis.url();
        let nodes = (0..count).map(|_| self.program.start(database, Some(&redis)));
        let nodes = nodes.collect::<Result<Vec<_>>>()?;
        nodes.iter().try_for_each(wait_until_ready)?;
        Ok(nodes)
    }
}

/// A connection to PostgreSQL, driven by the runtime that makes it.
pub async fn client(url: &str) -> Result<tokio_postgres::Client> {
    let connected = tokio_postgres::connect(url, tokio_postgres::NoTls).await;
    let (client, connection) = connected.context("connect to PostgreSQL")?;
    tokio::spawn(connection);
    Ok(client)
}
