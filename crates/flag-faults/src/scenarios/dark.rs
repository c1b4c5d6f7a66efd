//! Every store goes down, and then every node is restarted: nodes answer from what lies on their disks.

use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Scenario;
use crate::disk::all_saved;
use crate::journal::{Journal, Outcome, Wish};
use crate::load::{ask, asked, prepare_steady};
use crate::mutant::{Bug, Edit, Mutant};
use crate::proxy::{Ending, Weather};
use crate::site::{Bench, Hints, Site};
use crate::verdict::{Figures, Times, millis, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T25-dark",
    sentence: "PostgreSQL and Redis are gone or silent and every node is killed and started again; each answers from its disk \
               what was acknowledged last, says that it does, refuses writes, and heals by itself",
    target: "ready within 1 s, healed within 5 s, 0 evaluations failed",
    run: |bench| Box::pin(run(bench)),
    mutants: &[
        Mutant {
            what: "a node forgets to look on its disk",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-cache-disk/src/source.rs",
                text: "let Some(kept) = self.read(environment).await else {",
                replacement: "let Some(kept) = self.read(environment).await.filter(|_| false) else {",
            }]),
        },
        Mutant {
            what: "what the disk has is taken for what the store has",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-cache-disk/src/source.rs",
                text: "Fetched::Stale { snapshot, from: NAME, why }",
                replacement: "{ let _ = why; Fetched::Snapshot(snapshot) }",
            }]),
        },
        Mutant {
            what: "a node with flags on its disk waits for a silent store",
            bug: Bug::Source(&[Edit {
                file: "crates/flag/src/compose.rs",
                text: "PREPARATION_WITH_FLAGS: Duration = Duration::from_millis(200)",
                replacement: "PREPARATION_WITH_FLAGS: Duration = Duration::from_secs(10)",
            }]),
        },
    ],
};

const NODES: usize = 3;
const READY_WITHIN: Duration = Duration::from_secs(1);
const HEALED_WITHIN: Duration = Duration::from_secs(5);

async fn run(bench: Bench) -> Result<Figures> {
    let mut site = Site::start(&bench, NODES, Hints::Redis).await?;
    let (journal, mut chance) = (Journal::default(), bench.chance("rounds"));
    prepare_steady(&site.api, site.nodes[0].url(), &journal).await?;
    let (mut ready, mut healed, mut evaluations) = (Times::default(), Times::default(), 0);
    let pause = Duration::from_millis(5);
    for round in 0..bench.pick(2, 20) {
        let urls = site.urls();
        for number in 0..10 {
            let (node, wish) = (chance.pick(&urls).clone(), Wish::random(&mut chance));
            journal.write(&site.api, &node, &format!("round {round}/{number}"), &wish).await?;
        }
        site.agree(bench.within(HEALED_WITHIN), &mut chance).await?;
        all_saved(&site).await?;

        let askers = ask(&site.api, &urls, 1, pause);
        for link in site.to_postgres.iter().chain(&site.to_redis) {
            if round % 2 == 0 {
                link.set(Weather::silent());
            } else {
                link.set(Weather::down());
                link.end_all(Ending::Reset);
            }
        }
        sleep(bench.pick(Duration::from_secs(1), Duration::from_secs(10))).await;
        evaluations += asked(askers).await?.len();
        for node in &mut site.nodes {
            node.kill()?;
        }
        let started = start_all(&mut site).await?;
        let (fastest, bound) = (started.quantile(0), bench.within(READY_WITHIN));
        // A busy machine delays one start or another, and hardly all.
        must!(
            fastest <= READY_WITHIN && started.max() <= bound,
            "ready after {} at the earliest and {} at the latest",
            millis(fastest),
            millis(started.max())
        );
        ready.append(started);

        let askers = ask(&site.api, &site.urls(), 1, pause);
        for node in &site.nodes {
            says_where_from(&site, node.url(), bench.within(HEALED_WITHIN)).await?;
            let author = format!("dark {round} {}", node.url());
            let outcome = journal.write(&site.api, node.url(), &author, &Wish::create("dark")).await?;
            must!(
                matches!(outcome, Outcome::Refused(503, _)),
                "a write with every store gone was {outcome:?}"
            );
        }
        // The database is still there for the oracle, which knows a way past the links.
        site.agree(bench.within(READY_WITHIN), &mut chance).await?;
        sleep(bench.pick(Duration::from_millis(500), Duration::from_secs(10))).await;

        let began = Instant::now();
        for link in site.to_postgres.iter().chain(&site.to_redis) {
            link.set(Weather::fair());
        }
        let bound = bench.within(HEALED_WITHIN);
        site.ready(bound).await?;
        for (number, node) in site.nodes.iter().enumerate() {
            let (author, key) = (format!("healed {round} {number}"), format!("healed-{round}-{number}"));
            let outcome = journal.write(&site.api, node.url(), &author, &Wish::create(&key)).await?;
            must!(matches!(outcome, Outcome::Acknowledged(_)), "a write after healing was {outcome:?}");
        }
        healed.push(began.elapsed());
        site.agree(bound, &mut chance).await?;
        evaluations += asked(askers).await?.len();
    }
    let tally = journal.settle(&site.database.log().await?)?;
    Ok(Figures::default()
        .with(format!("{} starts from disk, ready after {}", ready.len(), ready.line()))
        .with(format!("all well again after {}", healed.line()))
        .with(format!("{evaluations} evaluations, 0 failed"))
        .with(tally.line()))
}

/// Starts all nodes at once, and says how long each took from the start of its process until it was ready.
async fn start_all(site: &mut Site) -> Result<Times> {
    let (mut starts, mut ready) = (JoinSet::new(), Times::default());
    for (number, recipe) in site.recipes.iter().cloned().enumerate() {
        let api = site.api.clone();
        starts.spawn(async move {
            let began = Instant::now();
            let node = recipe.start().await?;
            loop {
                let report = api.report(node.url()).await?;
                if report.is_ready {
                    return Ok::<_, anyhow::Error>((number, node, began.elapsed()));
                }
                let took = began.elapsed();
                must!(
                    took < Duration::from_secs(10),
                    "node {number} does not start from its disk: {}",
                    report.text
                );
                sleep(Duration::from_millis(2)).await;
            }
        });
    }
    while let Some(started) = starts.join_next().await {
        let (number, node, took) = started??;
        site.nodes[number] = node;
        ready.push(took);
    }
    Ok(ready)
}

/// Waits until the node says that its stores are down and that its flags are from its disk; it must not say anything else of
/// where they are from.
async fn says_where_from(site: &Site, node: &str, limit: Duration) -> Result<()> {
    let began = Instant::now();
    loop {
        let report = site.api.report(node).await?;
        let text = &report.text;
        must!(
            report.is_ready && text.contains("from disk, confirmed never"),
            "a node started in the dark says {text}"
        );
        if text.contains("store: down") && text.contains("cache: redis down") {
            return Ok(());
        }
        must!(began.elapsed() < limit, "a node does not say that its stores are down: {text}");
        sleep(Duration::from_millis(20)).await;
    }
}
