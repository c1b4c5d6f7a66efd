//! Twenty nodes start at once against a database that is far away, and are written to before they have their first flags.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Scenario;
use crate::database::{Database, Enabled, MOVE_ON, document};
use crate::journal::{Journal, Wish};
use crate::load::{STEADY, ask, asked};
use crate::mutant::{Bug, Edit, Mutant};
use crate::proxy::{Proxy, Weather};
use crate::site::{Bench, Hints, LOADS, Site};
use crate::verdict::{Figures, Times, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T05-herd",
    sentence: "twenty nodes start at once with PostgreSQL far away, and each is asked and written to before it has its first \
               flags; each loads everything once, and once it is ready no evaluation fails",
    target: "at most 1 load a node, 200 ms away",
    run: |bench| Box::pin(run(bench)),
    mutants: &[Mutant {
        what: "whoever needs flags loads them, also while somebody else does",
        bug: Bug::Source(&[Edit {
            file: "crates/flag-engine/src/engine.rs",
            text: "let _alone = self.refreshing.lock().await;",
            replacement: "drop(self.refreshing.lock().await);",
        }]),
    }],
};

const NODES: usize = 20;
const FLAGS: i64 = 300;

async fn run(bench: Bench) -> Result<Figures> {
    let mut site = Site::prepare(&bench, NODES, Hints::Notify, LOADS).await?;
    let migrated = site.recipes[0].migrate().await?;
    must!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    let journal = Journal::default();
    fill(&site.database, &journal).await?;
    // There and back.
    let way = bench.pick(Duration::from_millis(120), Duration::from_millis(200)) / 2;
    for link in &site.to_postgres {
        link.set(Weather::slow(way));
    }
    let began = Instant::now();
    let mut starts = JoinSet::new();
    for (number, recipe) in site.recipes.iter().cloned().enumerate() {
        let (api, journal) = (site.api.clone(), journal.clone());
        starts.spawn(async move {
            let node = recipe.start().await?;
            // Whether it is taken or refused: the write must not make the node load a second time.
            let (author, key) = (format!("early {number}"), format!("early-{number}"));
            journal.write(&api, node.url(), &author, &Wish::create(&key)).await?;
            while !api.report(node.url()).await?.is_ready {
                must!(began.elapsed() < Duration::from_secs(60), "a node is not ready: {}", node.log());
                sleep(Duration::from_millis(20)).await;
            }
            Ok::<_, anyhow::Error>((node, began.elapsed()))
        });
    }
    let mut ready = Times::default();
    while let Some(started) = starts.join_next().await {
        let (node, took) = started??;
        site.nodes.push(node);
        ready.push(took);
    }
    let askers = ask(&site.api, &site.urls(), 1, Duration::from_millis(25));
    sleep(bench.pick(Duration::from_secs(1), Duration::from_secs(10))).await;
    let evaluations = asked(askers).await?;
    let loads: Vec<u64> = site.to_postgres.iter().map(Proxy::counted).collect();
    must!(
        loads.iter().all(|loads| *loads == 1),
        "each node loads everything once, and they did so {loads:?} times"
    );
    for link in &site.to_postgres {
        link.set(Weather::fair());
    }
    site.agree(bench.within(Duration::from_secs(5)), &mut bench.chance("questions")).await?;
    let tally = journal.settle(&site.database.log().await?)?;
    Ok(Figures::default()
        .with(format!("{NODES} nodes, {} loads", loads.iter().sum::<u64>()))
        .with(format!("ready after {}", ready.line()))
        .with(format!("{} evaluations, 0 failed: {}", evaluations.len(), evaluations.line()))
        .with(tally.line()))
}

/// Some flags, and the one that askers ask for.
async fn fill(database: &Database, journal: &Journal) -> Result<()> {
    let session = database.session().await?;
    session.begin().await?;
    for number in 0..FLAGS {
        let revision: i64 = session.client.query_one(MOVE_ON, &[&1_i64]).await?.try_get(0)?;
        let (author, key) = (format!("fill {number}"), format!("flag-{number}"));
        put(&session, journal, &author, &key, revision).await?;
    }
    let revision: i64 = session.client.query_one(MOVE_ON, &[&1_i64]).await?.try_get(0)?;
    put(&session, journal, "fill steady", STEADY, revision).await?;
    let revision: i64 = session.client.query_one(MOVE_ON, &[&1_i64]).await?.try_get(0)?;
    let wish = Wish::pin(STEADY, "group", "beta", &true.into());
    session
        .put(revision, "fill pin", wish.change.clone(), document(STEADY, Enabled::No, None, revision))
        .await?;
    // The document of a flag tells of its last change, and of its first.
    let pin = "INSERT INTO overrides VALUES ('default', $1, 'group', 'beta', 'on')";
    session.client.execute(pin, &[&STEADY]).await?;
    let outcome = crate::journal::Outcome::Acknowledged(u64::try_from(revision)?);
    journal.note("fill pin", wish.change, outcome);
    session.commit().await
}

async fn put(
    session: &crate::database::Session,
    journal: &Journal,
    author: &str,
    key: &str,
    revision: i64,
) -> Result<()> {
    let change = json!({
        "type": "flag_created", "key": key, "description": null, "enabled": false, "rolloutPct": null,
    });
    session.put(revision, author, change.clone(), document(key, Enabled::No, None, revision)).await?;
    journal.note(author, change, crate::journal::Outcome::Acknowledged(u64::try_from(revision)?));
    Ok(())
}
