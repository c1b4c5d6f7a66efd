//! A node is killed after a commit, before anybody has heard of it.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep, timeout};

use super::Scenario;
use crate::api::Api;
use crate::journal::{Journal, Outcome, Wish};
use crate::mutant::{Bug, Edit, Mutant};
use crate::proxy::{Ending, Flow, Weather};
use crate::site::{Bench, Hints, Site};
use crate::verdict::{Figures, Times, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T30-killed",
    sentence: "a node commits and is killed before it can announce, or even before it learns that it has committed; every other \
               node shows the change within the bound of asking, and nothing is half there",
    target: "100 %, within 3 s",
    run: |bench| Box::pin(run(bench)),
    mutants: &[
        Mutant {
            what: "a node that hears nothing does not ask",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-engine/src/follow.rs",
                text: "const POLL: Duration = Duration::from_secs(1);",
                replacement: "const POLL: Duration = Duration::from_secs(600);",
            }]),
        },
        Mutant {
            what: "a write is acknowledged that was rolled back",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-store-pg/src/append.rs",
                text: "Written::All => commit(&client).await?,",
                replacement: "Written::All if batch.entries.iter().any(|entry| entry.revision % 5 == 0) => {
            client.batch_execute(\"ROLLBACK\").await.map_err(failed)?;
            Appended::Committed
        }
        Written::All => commit(&client).await?,",
            }]),
        },
    ],
};

const NODES: usize = 3;
const SEEN_WITHIN: Duration = Duration::from_secs(3);

async fn run(bench: Bench) -> Result<Figures> {
    let mut site = Site::start(&bench, NODES, Hints::Redis).await?;
    let journal = Journal::default();
    let mut chance = bench.chance("rounds");
    let (mut seen, mut unheard) = (Times::default(), 0);
    for round in 0..bench.pick(6, 50) {
        let victim = chance.place(NODES);
        let author = format!("round {round}");
        let wish = Wish::create(&format!("round-{round}"));
        let before = site.database.state().await?.revision;
        // Mute from the start, so that nothing of an announcement can slip out.
        site.to_redis[victim].set(Weather::mute());
        if round % 2 == 0 {
            let outcome = journal.write(&site.api, site.nodes[victim].url(), &author, &wish).await?;
            must!(matches!(outcome, Outcome::Acknowledged(_)), "{author}: {outcome:?}");
        } else {
            // Answers come late: when the database has committed, the node does not know it yet.
            let late = Flow { latency: Duration::from_millis(120), ..Flow::default() };
            site.to_postgres[victim].set(Weather { to_node: late, ..Weather::fair() });
            let (api, url, journal) =
                (site.api.clone(), site.nodes[victim].url().to_owned(), journal.clone());
            let writing = tokio::spawn(async move { write(&api, &url, &journal, &author, &wish).await });
            wait_for_commit(&site, before).await?;
            site.nodes[victim].kill()?;
            let outcome = writing.await??;
            unheard += usize::from(outcome == Outcome::Unknown);
        }
        let committed = Instant::now();
        site.nodes[victim].kill()?;
        let state = site.database.state().await?;
        must!(state.revision == before + 1, "round {round} is not in the database");
        for (number, node) in site.nodes.iter().enumerate().filter(|(number, _)| *number != victim) {
            loop {
                let report = site.api.report(node.url()).await?;
                if report.revision >= Some(state.revision) {
                    seen.push(committed.elapsed());
                    break;
                }
                let bound = bench.within(SEEN_WITHIN);
                must!(
                    committed.elapsed() < bound,
                    "node {number} does not come to revision {} of round {round} within {bound:?}",
                    state.revision
                );
                sleep(Duration::from_millis(5)).await;
            }
        }
        // What the dead node had still to say is lost with it.
        for link in [&site.to_redis[victim], &site.to_postgres[victim]] {
            link.end_all(Ending::Reset);
            link.set(Weather::fair());
        }
        site.start_node(victim).await?;
    }
    site.agree(bench.within(SEEN_WITHIN), &mut bench.chance("questions")).await?;
    let tally = journal.settle(&site.database.log().await?)?;
    must!(unheard > 0, "every killed node had told its writer: nothing was tried");
    Ok(Figures::default()
        .with(format!(
            "{} kills, {unheard} of them before the writer was told",
            tally.acknowledged + tally.unknown
        ))
        .with(format!("seen by the others after {}", seen.line()))
        .with(tally.line()))
}

async fn write(api: &Api, url: &str, journal: &Journal, author: &str, wish: &Wish) -> Result<Outcome> {
    journal.write(api, url, author, wish).await
}

async fn wait_for_commit(site: &Site, before: u64) -> Result<()> {
    let session = site.database.session().await?;
    let committed = async {
        while session.log_after(before).await?.is_empty() {
            sleep(Duration::from_millis(1)).await;
        }
        Ok::<_, anyhow::Error>(())
    };
    timeout(Duration::from_secs(20), committed).await?
}
