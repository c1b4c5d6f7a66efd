//! Nodes fill the shared snapshot while others write: what is shared never goes back.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};

use super::Scenario;
use crate::journal::Journal;
use crate::load::{Running, Stop, write_on};
use crate::mutant::{Bug, Edit, Mutant};
use crate::proxy::{Ending, Weather};
use crate::redis::RedisProbe;
use crate::site::{Bench, Hints, Site};
use crate::verdict::{Figures, millis, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T03-fills",
    sentence: "three nodes with links of changing slowness fill the shared snapshot while writes go on; the revision that lies in \
               Redis never goes back, comes to the last one, and a node that starts from Redis alone shows what the database holds",
    target: "0 stale in 1,000 writes",
    run: |bench| Box::pin(run(bench)),
    mutants: &[
        Mutant {
            what: "the last to write wins",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-cache-redis/src/snapshots.rs",
                text: "local is_newer = head[1] ~= ARGV[1] or not head[2] or head[2] < ARGV[2]",
                replacement: "local is_newer = true",
            }]),
        },
        Mutant {
            what: "revisions are compared as texts of their own length",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-cache-redis/src/snapshots.rs",
                text: "format!(\"{revision:020}\")",
                replacement: "format!(\"{revision}\")",
            }]),
        },
    ],
};

const NODES: usize = 3;
const FILLED_WITHIN: Duration = Duration::from_secs(3);

async fn run(bench: Bench) -> Result<Figures> {
    let mut site = Site::start(&bench, NODES + 1, Hints::Redis).await?;
    // The last one is to start from Redis alone, at the end.
    site.nodes.truncate(NODES);
    let journal = Journal::default();
    let mut looks = Running::none();
    let redis = site.redis_probe()?;
    looks.add(|stop| look(redis, stop));
    let mut writers = Running::none();
    for number in 0..2 {
        let name = format!("writer {number}");
        let (api, nodes, journal) = (site.api.clone(), site.urls(), journal.clone());
        let chance = bench.chance(&name);
        writers.add(|stop| write_on(api, nodes, journal, name, chance, (5, 40), stop));
    }
    let mut chance = bench.chance("weather");
    let enough = bench.pick(120, 1_000);
    let began = Instant::now();
    while journal.attempts().len() < enough {
        let latency = if chance.happens(40) { Duration::ZERO } else { chance.millis(1, 120) };
        site.to_redis[chance.place(NODES)].set(Weather::slow(latency));
        sleep(chance.millis(50, 200)).await;
        must!(began.elapsed() < Duration::from_secs(600), "writes do not come about");
    }
    writers.finish().await?;
    for link in &site.to_redis {
        link.set(Weather::fair());
    }
    let filled = fill(&site, bench.within(FILLED_WITHIN)).await?;
    let seen: usize = looks.finish().await?.iter().sum();
    must!(seen > bench.pick(4, 10), "only {seen} different snapshots were shared: nothing was raced for");

    site.to_postgres[NODES].set(Weather::down());
    site.to_postgres[NODES].end_all(Ending::Reset);
    site.start_node(NODES).await?;
    let state = site.database.state().await?;
    let shown = site.api.shown(site.nodes[NODES].url()).await?;
    if let Some(difference) = state.difference(&shown) {
        must!(false, "a node that starts from Redis alone is wrong: {difference}");
    }
    let tally = journal.settle(&site.database.log().await?)?;
    Ok(Figures::default()
        .with(tally.line())
        .with(format!("{seen} snapshots shared one after the other, 0 of them older than the one before"))
        .with(format!("the last one shared after {}", millis(filled))))
}

/// Waits until the newest revision is shared.
pub(super) async fn fill(site: &Site, bound: Duration) -> Result<Duration> {
    let (redis, began) = (site.redis_probe()?, Instant::now());
    loop {
        let state = site.database.state().await?;
        // Redis may be on its way back.
        let shared = redis.shared().await.unwrap_or_default();
        if shared
            .as_ref()
            .is_some_and(|(epoch, revision)| *epoch == state.epoch && *revision == state.revision)
        {
            return Ok(began.elapsed());
        }
        let due = (state.epoch, state.revision);
        must!(began.elapsed() < bound, "after {bound:?} {shared:?} is shared, and {due:?} is the newest");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Looks at what is shared again and again; says how many different snapshots it saw.
async fn look(redis: RedisProbe, stop: Stop) -> Result<usize> {
    let (mut last, mut seen) = (None::<(String, u64)>, 0);
    while !stop.is_told() {
        if let Some(now) = redis.shared().await? {
            if let Some(before) = last.as_ref().filter(|before| before.0 == now.0) {
                must!(
                    now.1 >= before.1,
                    "the shared snapshot went back from revision {} to {}",
                    before.1,
                    now.1
                );
            }
            seen += usize::from(last.as_ref() != Some(&now));
            last = Some(now);
        }
        sleep(Duration::from_millis(2)).await;
    }
    Ok(seen)
}
