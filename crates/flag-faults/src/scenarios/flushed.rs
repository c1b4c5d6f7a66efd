//! Redis forgets everything, runs out of memory, and is restarted, while nodes are asked.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::sleep;

use super::Scenario;
use super::fills::fill;
use crate::journal::{Journal, Wish};
use crate::load::{ask, asked, prepare_steady};
use crate::mutant::{Bug, Edit, Mutant};
use crate::proxy::Proxy;
use crate::site::{Bench, Hints, LOADS, Site};
use crate::verdict::{Figures, Times, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T04-flushed",
    sentence: "Redis is emptied, starved of memory and restarted under load; no evaluation fails, nodes share their snapshot anew by \
               themselves, and none of them loads everything from PostgreSQL for it",
    target: "0 evaluations failed, refilled within 3 s, at most 1 load a node",
    run: |bench| Box::pin(run(bench)),
    mutants: &[
        Mutant {
            what: "what was shared once is not shared again",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-cache-redis/src/keeper.rs",
                text: "            None => true,",
                replacement: "            None => self.settled != Some(own),",
            }]),
        },
        Mutant {
            what: "a node loads everything each time it looks",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-store-pg/src/fetch.rs",
                text: "    if have == now {\n",
                replacement: "    if have == now {\n        everything(client, environment, deadline).await?;\n",
            }]),
        },
    ],
};

const NODES: usize = 3;
const FILLED_WITHIN: Duration = Duration::from_secs(3);

async fn run(bench: Bench) -> Result<Figures> {
    let mut site = Site::prepare(&bench, NODES, Hints::Redis, LOADS).await?;
    for node in 0..NODES {
        site.start_node(node).await?;
    }
    site.ready(Duration::from_secs(30)).await?;
    let (journal, urls) = (Journal::default(), site.urls());
    prepare_steady(&site.api, &urls[0], &journal).await?;
    site.converge(Duration::from_secs(10)).await?;
    let askers = ask(&site.api, &urls, 2, Duration::from_millis(10));
    let loads = |site: &Site| -> u64 { site.to_postgres.iter().map(Proxy::counted).sum() };
    let before = loads(&site);
    let (mut refills, bound) = (Times::default(), bench.within(FILLED_WITHIN));
    for round in 0..bench.pick(4, 30) {
        let wish = Wish::create(&format!("round-{round}"));
        journal.write(&site.api, &urls[round % NODES], &format!("round {round}"), &wish).await?;
        fill(&site, bound).await?;
        // From here on nobody writes: whoever refills does so because something is missing, not because there is news.
        sleep(Duration::from_millis(300)).await;
        match round % 4 {
            0 | 2 => site.redis.as_ref().context("there is a Redis")?.flush()?,
            1 => {
                let mut redis = site.redis.take().context("there is a Redis")?;
                let restarted = tokio::task::spawn_blocking(move || {
                    redis.kill()?;
                    redis.start_again()?;
                    Ok::<_, flag_testkit::services::ServiceError>(redis)
                });
                site.redis = Some(restarted.await??);
            }
            _ => {
                let redis = site.redis_probe()?;
                redis.limit_memory("1").await?;
                let wish = Wish::switch("steady", &(round % 8 == 3).into());
                journal.write(&site.api, &urls[0], &format!("starved {round}"), &wish).await?;
                sleep(Duration::from_millis(500)).await;
                redis.limit_memory("0").await?;
            }
        }
        refills.push(fill(&site, bound).await?);
    }
    site.agree(Duration::from_secs(5), &mut bench.chance("questions")).await?;
    let loads = loads(&site) - before;
    must!(loads <= NODES as u64, "{loads} times everything was loaded from PostgreSQL");
    let evaluations = asked(askers).await?;
    let tally = journal.settle(&site.database.log().await?)?;
    Ok(Figures::default()
        .with(format!("{} losses, refilled in {}", refills.len(), refills.line()))
        .with(format!("{loads} loads"))
        .with(format!("{} evaluations, 0 failed: {}", evaluations.len(), evaluations.line()))
        .with(tally.line()))
}
