//! The arrangements in which the engine is run, so that one suite can be held against all of them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use flag_testkit::services::{Postgres, Redis};
use tempfile::TempDir;

use crate::client::Client;
use crate::server::{Server, Settings};

/// Nodes, and what they stand on.
pub struct Fleet {
    pub nodes: Vec<Server>,
    _directory: TempDir,
}

impl Fleet {
    /// One node on embedded SQLite.
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let settings = Settings::sqlite(directory.path());
        Self::start(&settings, 1, directory)
    }

    /// One node on PostgreSQL alone.
    pub fn postgres() -> Self {
        let settings = Settings::postgres(&Postgres::shared().fresh_database(), None);
        Self::start(&settings, 1, tempfile::tempdir().expect("a directory"))
    }

    /// `nodes` nodes on one PostgreSQL database.
    pub fn postgres_nodes(nodes: usize) -> Self {
        let settings = Settings::postgres(&Postgres::shared().fresh_database(), None);
        Self::start(&settings, nodes, tempfile::tempdir().expect("a directory"))
    }

    /// `nodes` nodes on one PostgreSQL database and one Redis.
    pub fn redis_nodes(nodes: usize) -> Self {
        let settings = Settings::postgres(&Postgres::shared().fresh_database(), Some(&Redis::shared()));
        let settings = settings.with("REDIS_PREFIX", &fresh_prefix());
        Self::start(&settings, nodes, tempfile::tempdir().expect("a directory"))
    }

    fn start(settings: &Settings, nodes: usize, directory: TempDir) -> Self {
        let nodes = (0..nodes).map(|_| Server::start(settings)).collect();
        Self { nodes, _directory: directory }
    }

    /// A client of all nodes in turn.
    pub fn client(&self) -> Client {
        Client::new(self.nodes.iter().map(|node| node.url.clone()).collect())
    }
}

/// A prefix for the names in Redis that no other test has.
pub fn fresh_prefix() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("test-{now}-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}
