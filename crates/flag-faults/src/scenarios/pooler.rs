//! Nodes reach PostgreSQL through a pooler that hands out connections for the time of a transaction, and have no Redis.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use flag_testkit::services::PgBouncer;
use tokio::time::{Instant, sleep};

use super::Scenario;
use crate::api::{Api, Report};
use crate::journal::Journal;
use crate::load::{Running, ask, asked, prepare_steady, write_on};
use crate::mutant::{Bug, Edit, Mutant};
use crate::observer;
use crate::site::{Bench, Hints, Site};
use crate::verdict::{Figures, NotRun, millis, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T07-pooler",
    sentence: "three nodes without Redis reach PostgreSQL through PgBouncer in transaction mode, where notifications get lost \
               without a word; nodes say that their feed is down, come to every change by asking, and log no errors in a loop",
    target: "every write seen within 3 s, flag_feed_up 0, at most 20 warnings a node",
    run: |bench| Box::pin(run(bench)),
    mutants: &[
        Mutant {
            what: "a feed that listens is up, whether or not words arrive",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-store-pg/src/feed.rs",
                text: "    session.listens();\n",
                replacement: "    session.listens();\n    session.is_heard();\n",
            }]),
        },
        Mutant {
            what: "a node that has heard nothing waits for a hint",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-engine/src/follow.rs",
                text: "POLL: Duration = Duration::from_secs(1)",
                replacement: "POLL: Duration = Duration::from_secs(60)",
            }]),
        },
    ],
};

const NODES: usize = 3;
const SEEN_WITHIN: Duration = Duration::from_secs(3);
/// How much a node may complain, however long it runs.
const MOST_WARNINGS: usize = 20;

async fn run(bench: Bench) -> Result<Figures> {
    if let Err(missing) = PgBouncer::locate() {
        return Err(NotRun(missing.to_string()).into());
    }
    let postgres = Arc::clone(&bench.postgres);
    let pooler = tokio::task::spawn_blocking(move || PgBouncer::start(&postgres)).await??;
    let mut site = Site::prepare(&bench, NODES, Hints::Notify, "").await?;
    for number in 0..NODES {
        let (store, pooled) = (format!(":{}/", bench.postgres.port()), format!(":{}/", pooler.port()));
        site.recipes[number].database_url = site.database.url().replace(&store, &pooled);
        site.start_node(number).await?;
    }
    let bound = bench.within(SEEN_WITHIN);
    for node in site.urls() {
        wait_for(&site.api, &node, bound, |report| report.is_ready && report.text.contains("store: up"))
            .await?;
        wait_for(&site.api, &node, bound, |report| report.text.contains("feed: postgres down")).await?;
    }
    let (journal, urls) = (Journal::default(), site.urls());
    prepare_steady(&site.api, &urls[0], &journal).await?;
    site.converge(bound).await?;
    let askers = ask(&site.api, &urls, 1, Duration::from_millis(10));
    let observers = observer::watch(&site.api, &urls);
    let mut writers = Running::none();
    for number in 0..3 {
        let name = format!("writer {number}");
        let (api, nodes, journal, chance) =
            (site.api.clone(), urls.clone(), journal.clone(), bench.chance(&name));
        writers.add(|stop| write_on(api, nodes, journal, name, chance, (100, 200), stop));
    }
    sleep(bench.pick(Duration::from_secs(4), Duration::from_secs(120))).await;
    writers.finish().await?;
    let took = site.converge(bound).await?;
    sleep(Duration::from_millis(100)).await;
    let sightings = observers.finish().await?;
    let seen = observer::compare(&sightings)?;
    let times = observer::propagation(&sightings, &journal.attempts())?;
    must!(times.max() <= bound, "writes are seen late: {}", times.line());
    let (mut warnings, evaluations) = (0, asked(askers).await?);
    for (number, node) in site.nodes.iter().enumerate() {
        let meters = site.api.get(node.url(), "/metrics").await?.text;
        must!(meters.contains("flag_feed_up 0\n"), "no word arrives, and node {number} calls its feed up");
        let log = node.log();
        let found = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).count();
        must!(found <= MOST_WARNINGS, "node {number} complains {found} times:\n{log}");
        must!(!log.contains("ERROR"), "node {number} logs errors:\n{log}");
        warnings += found;
    }
    site.agree(bound, &mut bench.chance("questions")).await?;
    let log = site.database.log().await?;
    let digests = observer::told_rightly(&sightings, &site.database.state().await?.epoch, &log)?;
    let tally = journal.settle(&log)?;
    must!(tally.acknowledged > 20, "only {}", tally.line());
    must!(tally.unknown == 0, "a pooler is no reason for doubt: {}", tally.line());
    Ok(Figures::default()
        .with(tally.line())
        .with(format!("write to visible on each node: {}", times.line()))
        .with(format!("agreement after {}", millis(took)))
        .with(format!("{seen} sightings, {digests} digests"))
        .with(format!("{warnings} warnings"))
        .with(format!("{} evaluations, 0 failed", evaluations.len())))
}

async fn wait_for(api: &Api, node: &str, limit: Duration, is_so: impl Fn(&Report) -> bool) -> Result<()> {
    let began = Instant::now();
    loop {
        let report = api.report(node).await?;
        if is_so(&report) {
            return Ok(());
        }
        must!(began.elapsed() < limit, "behind a pooler {node} says {}", report.text);
        sleep(Duration::from_millis(20)).await;
    }
}
