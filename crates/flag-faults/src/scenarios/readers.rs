//! Operators read the log over a slow line, more of them than there are connections.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::Scenario;
use crate::api::Api;
use crate::database::{Database, Enabled, MOVE_ON, document};
use crate::journal::{Journal, Outcome, Wish};
use crate::load::{Running, Stop};
use crate::mutant::{Bug, Edit, Mutant};
use crate::proxy::{Flow, Weather};
use crate::site::{Bench, Hints, Site};
use crate::verdict::{Figures, Times, millis, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T15-readers",
    sentence: "many operators read long pages of the log from one node, whose line to PostgreSQL is so slow that every connection \
               for reading stays taken; what others write is visible on that node as soon as ever",
    target: "visible within 3 s",
    run: |bench| Box::pin(run(bench)),
    mutants: &[Mutant {
        what: "keeping up shares its connections with readers of the log",
        bug: Bug::Source(&[Edit {
            file: "crates/flag-store-pg/src/store.rs",
            text: "self.refresh.take().await",
            replacement: "self.readers.take().await",
        }]),
    }],
};

const SEEN_WITHIN: Duration = Duration::from_secs(3);
const LINES: i64 = 1_500;

async fn run(bench: Bench) -> Result<Figures> {
    // Without a Redis, from which a node that cannot ask the store would learn of changes all the same.
    let site = Site::start(&bench, 2, Hints::Notify).await?;
    let journal = Journal::default();
    fill(&site.database, &journal).await?;
    site.converge(Duration::from_secs(10)).await?;
    let urls = site.urls();
    // A page of five hundred lines takes seconds, and the question where the environment stands takes none of that.
    let trickle = Flow { rate: Some(40_000), ..Flow::default() };
    site.to_postgres[0].set(Weather { to_node: trickle, ..Weather::fair() });
    let mut readers = Running::none();
    for _ in 0..bench.pick(40, 200) {
        let (api, node) = (site.api.clone(), urls[0].clone());
        readers.add(|stop| read(api, node, stop));
    }
    sleep(Duration::from_millis(500)).await;
    let (mut seen, bound, began, mut number) =
        (Times::default(), bench.within(SEEN_WITHIN), Instant::now(), 0);
    while began.elapsed() < bench.pick(Duration::from_secs(5), Duration::from_secs(60)) {
        number += 1;
        let wish = Wish::pin("long", "user", &format!("id {number}"), &true.into());
        let outcome = journal.write(&site.api, &urls[1], &format!("write {number}"), &wish).await?;
        let Outcome::Acknowledged(revision) = outcome else { anyhow::bail!("a write was {outcome:?}") };
        let written = Instant::now();
        while site.api.report(&urls[0]).await?.revision < Some(revision) {
            let waited = written.elapsed();
            must!(
                waited < bound,
                "revision {revision} is not visible after {} of slow reading",
                millis(waited)
            );
            sleep(Duration::from_millis(2)).await;
        }
        seen.push(written.elapsed());
        sleep(Duration::from_millis(100)).await;
    }
    let (mut answered, mut refused) = (0, 0);
    for (read, turned_away) in readers.finish().await? {
        answered += read;
        refused += turned_away;
    }
    must!(refused > 0, "every reader got a connection: nothing was exhausted");
    site.to_postgres[0].set(Weather::fair());
    site.agree(bound, &mut bench.chance("questions")).await?;
    let tally = journal.settle(&site.database.log().await?)?;
    Ok(Figures::default()
        .with(format!("{answered} readers answered and {refused} turned away meanwhile"))
        .with(format!("write to visible: {}", seen.line()))
        .with(tally.line()))
}

/// A log of several long pages.
async fn fill(database: &Database, journal: &Journal) -> Result<()> {
    let session = database.session().await?;
    session.begin().await?;
    let mut enabled = Enabled::No;
    for number in 0..LINES {
        let revision: i64 = session.client.query_one(MOVE_ON, &[&1_i64]).await?.try_get(0)?;
        let author = format!("fill {number}");
        let change = if number == 0 {
            Wish::create("long").change
        } else {
            enabled = enabled.flipped();
            json!({"type": "global_set", "key": "long", "enabled": enabled == Enabled::Yes})
        };
        session.put(revision, &author, change.clone(), document("long", enabled, None, revision)).await?;
        journal.note(&author, change, Outcome::Acknowledged(u64::try_from(revision)?));
    }
    session.commit().await
}

/// Reads the log again and again; says how often it was answered, and how often refused.
async fn read(api: Api, node: String, stop: Stop) -> Result<(usize, usize)> {
    let (mut answered, mut refused) = (0, 0);
    while !stop.is_told() {
        let reply = api.get(&node, "/environments/default/changes?limit=500").await?;
        must!(matches!(reply.status, 200 | 503), "the log is answered {}: {}", reply.status, reply.text);
        *(if reply.status == 200 { &mut answered } else { &mut refused }) += 1;
    }
    Ok((answered, refused))
}
