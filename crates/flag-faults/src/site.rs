//! Where a scenario plays: nodes on one database and one Redis, each node behind links of its own that can be broken.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use flag_testkit::services::{Postgres, Redis};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::api::Api;
use crate::chance::Chance;
use crate::database::Database;
use crate::digest;
use crate::node::{Node, Recipe};
use crate::proxy::Proxy;
use crate::redis::RedisProbe;
use crate::verdict::must;

/// What a node says to PostgreSQL once for each time that it loads everything.
pub(crate) const LOADS: &str = "SELECT key, document::text FROM flags";

/// What every scenario is given.
#[derive(Clone)]
pub(crate) struct Bench {
    /// Shared by all scenarios: none of them breaks the server itself, only links to it and databases in it.
    pub(crate) postgres: Arc<Postgres>,
    /// The server under test.
    pub(crate) program: PathBuf,
    pub(crate) seed: u64,
    pub(crate) extent: Extent,
    /// The bug that the scenario shall put in by itself, if it is one that is not in the product's sources.
    pub(crate) twist: Option<Twist>,
}

/// How much of a scenario is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Extent {
    /// Seconds, on a machine that others use at the same time.
    Short,
    /// As long as the target says.
    Long,
}

/// A bug that is put in from outside the product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Twist {
    /// Foreign writers number the lines of the log by a sequence, which is not the order of commits.
    NumberedBySequence,
}

impl Bench {
    /// `short` or `long`, whichever this run is.
    pub(crate) fn pick<T>(&self, short: T, long: T) -> T {
        match self.extent {
            Extent::Short => short,
            Extent::Long => long,
        }
    }

    /// How long something may take that is promised within `bound`. A short run shares its processors with builds and other
    /// tests, and is there to find what is broken, not what is slow.
    pub(crate) fn within(&self, bound: Duration) -> Duration {
        self.pick(bound * 3, bound)
    }

    pub(crate) fn chance(&self, label: &str) -> Chance {
        Chance::new(self.seed, label)
    }
}

/// How nodes hear of changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hints {
    Redis,
    Notify,
}

/// Nodes and what they stand on. Node `i` reaches its stores through the links `i`.
pub(crate) struct Site {
    pub(crate) nodes: Vec<Node>,
    pub(crate) recipes: Vec<Recipe>,
    pub(crate) to_postgres: Vec<Proxy>,
    pub(crate) to_redis: Vec<Proxy>,
    pub(crate) database: Database,
    pub(crate) redis: Option<Redis>,
    pub(crate) api: Api,
    prefix: String,
    _directory: TempDir,
}

impl Site {
    /// A site with `count` nodes that run.
    pub(crate) async fn start(bench: &Bench, count: usize, hints: Hints) -> Result<Self> {
        let mut site = Self::prepare(bench, count, hints, "").await?;
        for node in 0..count {
            site.start_node(node).await?;
        }
        site.ready(Duration::from_secs(30)).await?;
        Ok(site)
    }

    /// A site for `count` nodes, none of which runs yet. Links to PostgreSQL count how often `phrase` is said.
    pub(crate) async fn prepare(
        bench: &Bench,
        count: usize,
        hints: Hints,
        phrase: &'static str,
    ) -> Result<Self> {
        let postgres = Arc::clone(&bench.postgres);
        let url = tokio::task::spawn_blocking(move || postgres.fresh_database()).await??;
        let redis = match hints {
            Hints::Redis => Some(tokio::task::spawn_blocking(Redis::start).await??),
            Hints::Notify => None,
        };
        let directory = tempfile::Builder::new().prefix("flag-faults-").tempdir()?;
        let mut site = Self {
            nodes: Vec::new(),
            recipes: Vec::new(),
            to_postgres: Vec::new(),
            to_redis: Vec::new(),
            database: Database::new(&url),
            redis,
            api: Api::new(),
            prefix: "faults".to_owned(),
            _directory: directory,
        };
        for number in 0..count {
            site.add_node(bench, number, phrase).await?;
        }
        Ok(site)
    }

    async fn add_node(&mut self, bench: &Bench, number: usize, phrase: &'static str) -> Result<()> {
        let directory = self._directory.path().join(format!("node-{number}"));
        std::fs::create_dir(&directory)?;
        let proxy = Proxy::start_counting(bench.postgres.port(), phrase).await?;
        let database_url = through(self.database.url(), bench.postgres.port(), &proxy);
        let redis_url = match &self.redis {
            None => None,
            Some(redis) => {
                let link = Proxy::start(redis.port()).await?;
                let url = through(&redis.url(), redis.port(), &link);
                self.to_redis.push(link);
                Some(url)
            }
        };
        self.to_postgres.push(proxy);
        self.recipes.push(Recipe {
            program: bench.program.clone(),
            database_url,
            redis_url,
            redis_prefix: self.prefix.clone(),
            directory,
        });
        Ok(())
    }

    /// Starts the node of this number: one that never ran, or anew in its place.
    pub(crate) async fn start_node(&mut self, number: usize) -> Result<()> {
        let node = self.recipes[number].start().await?;
        if number < self.nodes.len() {
            self.nodes[number] = node;
        } else {
            self.nodes.push(node);
        }
        Ok(())
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.url().to_owned()).collect()
    }

    /// Waits until every node has flags and hears of changes.
    pub(crate) async fn ready(&self, limit: Duration) -> Result<()> {
        let started = Instant::now();
        for (number, node) in self.nodes.iter().enumerate() {
            loop {
                let report = self.api.report(node.url()).await?;
                if report.is_ready && report.text.contains("store: up") && !report.text.contains("down") {
                    break;
                }
                let text = report.text;
                must!(started.elapsed() < limit, "node {number} is not well within {limit:?}: {text}");
                sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// A look into Redis.
    pub(crate) fn redis_probe(&self) -> Result<RedisProbe> {
        let redis = self.redis.as_ref().context("this site has no Redis")?;
        Ok(RedisProbe::new(redis.port(), &self.prefix))
    }

    /// Waits until every node shows what the database holds, and says how long that took.
    pub(crate) async fn converge(&self, limit: Duration) -> Result<Duration> {
        let started = Instant::now();
        let mut wrong;
        loop {
            let state = self.database.state().await?;
            wrong = None;
            for (number, node) in self.nodes.iter().enumerate() {
                let shown = self.api.shown(node.url()).await?;
                if let Some(difference) = state.difference(&shown) {
                    wrong = Some(format!("node {number}: {difference}"));
                    break;
                }
            }
            let took = started.elapsed();
            match wrong {
                None => return Ok(took),
                Some(wrong) => {
                    let logs = self.nodes.iter().enumerate().fold(String::new(), |logs, (number, node)| {
                        format!("{logs}\n  log of node {number}:\n{}", node.log())
                    });
                    must!(
                        took < limit,
                        "after {took:?} nodes still disagree with the database: {wrong}{logs}"
                    );
                }
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until every node shows what the database holds, then holds their answers to questions against those that the
    /// oracle derives from the database.
    pub(crate) async fn agree(&self, limit: Duration, chance: &mut Chance) -> Result<Duration> {
        let took = self.converge(limit).await?;
        let state = self.database.state().await?;
        state.follows_from_the_log(&self.database.log().await?)?;
        for node in &self.nodes {
            for question in state.questions(chance, 40) {
                let expected = state.answer(&question);
                let answer = self.api.evaluate(node.url(), &question).await?;
                must!(
                    answer == expected,
                    "{} answers {answer:?} to {question:?}, and the database says {expected:?}",
                    node.url()
                );
            }
        }
        digest::agree(&self.api, &self.urls(), &state, limit).await?;
        Ok(took)
    }
}

/// The url with the port of the link in the place of the store's own.
fn through(url: &str, port: u16, link: &Proxy) -> String {
    url.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{}", link.port()))
}
