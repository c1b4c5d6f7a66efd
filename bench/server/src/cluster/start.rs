//! A node's start with many flags: how long until it can answer, and how much memory it takes on the way and afterwards.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Cluster;
use crate::{node::wait_until_ready, process::Process, redis::Redis, seed::Content};

/// How long a node may take to share its snapshot.
const SHARING: Duration = Duration::from_secs(120);
/// How long after a start memory is looked at again: what was needed only for the start has been given back by then.
const SETTLING: Duration = Duration::from_secs(1);

/// Where a node gets its flags from when it starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    Postgres,
    Redis,
    /// Its own, of which PostgreSQL only says that nothing has changed since.
    Disk,
}

impl Origin {
    pub const ALL: [Self; 3] = [Self::Postgres, Self::Redis, Self::Disk];

    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Redis => "Redis",
            Self::Disk => "its disk",
        }
    }
}

/// One start: seconds and bytes.
#[derive(Clone, Copy)]
pub struct Start {
    pub seconds: f64,
    /// The most memory until it was ready and had settled.
    pub peak: f64,
    /// Memory after that.
    pub settled: f64,
}

pub struct Starts {
    /// By origin, with all flags and overrides.
    pub full: Vec<(Origin, Vec<Start>)>,
    /// From PostgreSQL, the flags without any override.
    pub flags_only: Vec<Start>,
    /// From PostgreSQL, nothing at all.
    pub empty: Vec<Start>,
    /// Bytes that a node which has shared its snapshot held at its highest, over the most that its start took.
    pub sharing: f64,
    pub content: Content,
}

pub fn measure(cluster: &Cluster, many: Content, rounds: usize) -> Result<Starts> {
    let alone = |content| -> Result<Vec<Start>> {
        let database = cluster.database(content)?;
        (0..rounds).map(|_| Ok(start(|| cluster.program.start(&database, None))?.0)).collect()
    };
    let empty = alone(Content::flags(1))?;
    let flags_only = alone(Content::flags(many.flags))?;

    let database = cluster.database(many)?;
    let url = cluster.redis.url();
    let mut full = Origin::ALL.map(|origin| (origin, Vec::new()));
    let mut sharing = 0.0_f64;
    for _ in 0..rounds {
        cluster.redis.flush()?;
        let node = || cluster.program.start(&database, Some(&url));
        let (from_postgres, first) = start(node)?;
        full[0].1.push(from_postgres);
        wait_until_shared(cluster)?;
        sharing = sharing.max(first.peak_memory()? as f64 / from_postgres.peak);
        let (from_redis, _second) = start(node)?;
        full[1].1.push(from_redis);
        let disk = tempfile::tempdir()?;
        let node = || cluster.program.start_in(disk.path(), &database, None);
        let (_, keeping) = start(node)?;
        wait_until_kept(disk.path())?;
        drop(keeping);
        let (from_disk, _third) = start(node)?;
        full[2].1.push(from_disk);
    }
    Ok(Starts { full: full.into(), flags_only, empty, sharing, content: many })
}

/// Waits until the disk has the snapshot; it is moved into its place whole.
fn wait_until_kept(disk: &Path) -> Result<()> {
    let began = Instant::now();
    while !disk.join("default.snapshot").exists() {
        ensure!(began.elapsed() < SHARING, "the snapshot was not kept within {SHARING:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn start(node: impl FnOnce() -> Result<Process>) -> Result<(Start, Process)> {
    let began = Instant::now();
    let node = node()?;
    wait_until_ready(&node)?;
    let seconds = began.elapsed().as_secs_f64();
    let peak = node.peak_memory()? as f64;
    std::thread::sleep(SETTLING);
    let settled = node.memory()? as f64;
    Ok((Start { seconds, peak, settled }, node))
}

/// Waits until Redis has the snapshot, so that the next node starts from there.
fn wait_until_shared(cluster: &Cluster) -> Result<()> {
    let mut redis = Redis::open(cluster.redis.port())?;
    let began = Instant::now();
    loop {
        // The head, which names the rest once that is complete, is the one hash that there is.
        if redis.ask(&["SCAN", "0", "COUNT", "1000", "TYPE", "hash"])?.len() > 1 {
            return Ok(());
        }
        ensure!(began.elapsed() < SHARING, "the snapshot was not shared within {SHARING:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
