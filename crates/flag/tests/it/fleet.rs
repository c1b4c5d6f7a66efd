//! The arrangements in which the engine is run, so that one suite can be held against all of them.

use flag_testkit::services::{Postgres, Redis};
use tempfile::TempDir;

use crate::client::Client;
use crate::server::{Server, Settings};

/// Nodes, and what they stand on.
pub struct Fleet {
    pub nodes: Vec<Server>,
    pub settings: Settings,
    _directory: TempDir,
    _redis: Option<Redis>,
}

impl Fleet {
    /// One node on embedded SQLite.
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let settings = Settings::sqlite(directory.path());
        Self::start(settings, 1, directory, None)
    }

    /// One node on PostgreSQL alone.
    pub fn postgres() -> Self {
        let settings = Settings::postgres(&Postgres::shared().fresh_database(), None);
        Self::start(settings, 1, tempfile::tempdir().expect("a directory"), None)
    }

    /// `nodes` nodes on PostgreSQL and a Redis of their own.
    pub fn postgres_and_redis(nodes: usize) -> Self {
        let redis = Redis::start().expect("a private Redis");
        let settings = Settings::postgres(&Postgres::shared().fresh_database(), Some(&redis.url()));
        Self::start(settings, nodes, tempfile::tempdir().expect("a directory"), Some(redis))
    }

    fn start(settings: Settings, nodes: usize, directory: TempDir, redis: Option<Redis>) -> Self {
        let nodes = (0..nodes).map(|_| Server::start(&settings)).collect();
        Self { nodes, settings, _directory: directory, _redis: redis }
    }

    /// A client of all nodes in turn.
    pub fn client(&self) -> Client {
        Client::new(self.nodes.iter().map(|node| node.url.clone()).collect())
    }
}
