//! One of several nodes falls behind or stands still: the others show it, and its own probe flips only for who asks for that.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep};

use super::Scenario;
use crate::api::Api;
use crate::journal::{Journal, Outcome, Wish};
use crate::load::{ask, asked, prepare_steady};
use crate::mutant::{Bug, Edit, Mutant};
use crate::proxy::Weather;
use crate::site::{Bench, Hints, Site};
use crate::verdict::{Figures, Times, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T24-frozen",
    sentence: "one of three nodes is cut off from its stores, or stopped in its tracks; the others show in their meters and in \
               the convergence that it is behind, however long that lasts, nobody calls a change landed meanwhile, and its own probe flips only with max_stale",
    target: "seen within 10 s, 0 evaluations failed",
    run: |bench| Box::pin(run(bench)),
    mutants: &[
        Mutant {
            what: "a node counts as there wherever it stands",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-engine/src/convergence.rs",
                text: "node.version.epoch == own.version.epoch && node.version.revision >= revision",
                replacement: "node.version.epoch == own.version.epoch || node.version.revision >= revision",
            }]),
        },
        Mutant {
            what: "a node that is silent is taken for gone",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-engine/src/convergence.rs",
                text: "nodes.iter().filter(move |node| node.id != id)",
                replacement: "nodes.iter().filter(move |node| node.id != id && !node.is_silent())",
            }]),
        },
        Mutant {
            what: "max_stale is not looked at",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-http/src/routes/health.rs",
                text: "status.confirmed.is_none_or(|age| age > limit)",
                replacement: "status.confirmed.is_none_or(|age| age > limit) && false",
            }]),
        },
        Mutant {
            what: "a node whose store is down is not ready",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-http/src/routes/health.rs",
                text: "if status.version.is_none() {",
                replacement: "if status.version.is_none() || status.store == flag_engine::StoreStatus::Down {",
            }]),
        },
    ],
};

const NODES: usize = 3;
const FROZEN: usize = 0;
const SEEN_WITHIN: Duration = Duration::from_secs(10);
/// Longer than a node may be silent before the others wonder.
const SILENCE: Duration = Duration::from_secs(12);
/// What the probe is asked to bear, in seconds.
const MAX_STALE: u64 = 2;

/// How a node is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hold {
    /// Nothing arrives on its links to the stores, in either direction.
    CutOff,
    /// SIGSTOP.
    Stopped,
}

async fn run(bench: Bench) -> Result<Figures> {
    let site = Site::start(&bench, NODES, Hints::Redis).await?;
    let (journal, urls) = (Journal::default(), site.urls());
    prepare_steady(&site.api, &urls[1], &journal).await?;
    let (mut seen, mut healed) = (Times::default(), Times::default());
    let mut evaluations = 0;
    for round in 0..bench.pick(2, 10) {
        let hold = if round % 2 == 0 { Hold::CutOff } else { Hold::Stopped };
        site.agree(bench.within(SEEN_WITHIN), &mut bench.chance("before")).await?;
        all_are_there(&site, &urls[1], bench.within(SEEN_WITHIN)).await?;
        let askers = match hold {
            Hold::CutOff => ask(&site.api, &urls, 1, Duration::from_millis(5)),
            Hold::Stopped => ask(&site.api, &urls[1..], 1, Duration::from_millis(5)),
        };
        let before = site.database.state().await?.revision;
        match hold {
            Hold::CutOff => {
                site.to_postgres[FROZEN].set(Weather::silent());
                site.to_redis[FROZEN].set(Weather::silent());
            }
            Hold::Stopped => site.nodes[FROZEN].freeze()?,
        }
        let began = Instant::now();
        let (author, key) = (format!("round {round}"), format!("round-{round}"));
        let outcome = journal.write(&site.api, &urls[1], &author, &Wish::create(&key)).await?;
        let Outcome::Acknowledged(revision) = outcome else {
            must!(false, "the write of another node was {outcome:?}");
            break;
        };
        for node in &urls[1..] {
            shown_behind(&site.api, node, revision, bench.within(SEEN_WITHIN)).await?;
            seen.push(began.elapsed());
        }
        if hold == Hold::CutOff {
            probes(&site.api, &urls[FROZEN], before, bench.within(SEEN_WITHIN)).await?;
            site.to_postgres[FROZEN].set(Weather::fair());
            site.to_redis[FROZEN].set(Weather::fair());
        } else {
            sleep(SILENCE).await;
            for node in &urls[1..] {
                shown_behind(&site.api, node, revision, bench.within(SEEN_WITHIN)).await?;
            }
            site.nodes[FROZEN].thaw()?;
        }
        let began = Instant::now();
        let bound = bench.within(SEEN_WITHIN);
        site.agree(bound, &mut bench.chance("after")).await?;
        all_are_there(&site, &urls[1], bound).await?;
        healed.push(began.elapsed());
        let probe = format!("/readyz?max_stale={MAX_STALE}");
        let reply = site.api.get(&urls[FROZEN], &probe).await?;
        must!(reply.status == 200, "a node that is healed is not ready: {}", reply.text);
        evaluations += asked(askers).await?.len();
    }
    let tally = journal.settle(&site.database.log().await?)?;
    Ok(Figures::default()
        .with(format!("held {} times, shown by the others after {}", healed.len(), seen.line()))
        .with(format!("all there again after {}", healed.line()))
        .with(format!("{evaluations} evaluations, 0 failed"))
        .with(tally.line()))
}

/// Waits until the meters of a node and the convergence that it tells both show that another node is behind; neither may
/// have the change landed.
async fn shown_behind(api: &Api, node: &str, revision: u64, limit: Duration) -> Result<()> {
    let (began, path) = (Instant::now(), format!("/environments/default/convergence?revision={revision}"));
    loop {
        let convergence = api.get(node, &path).await?.json()?;
        let nodes = convergence["nodes"].as_array().context("no nodes")?;
        let late = nodes.iter().filter(|node| node["reached"] == false).count();
        // The third is behind already when the second may be too, for a moment.
        must!(convergence["converged"] == false, "a node is held, and {node} says {convergence}");
        let behind = meter(api, node, "flag_nodes_behind").await?;
        if (late, nodes.len()) == (1, NODES) && behind == 1.0 {
            return Ok(());
        }
        must!(
            began.elapsed() < limit,
            "{node} does not show the node that is held: behind {behind}, {convergence}"
        );
        sleep(Duration::from_millis(20)).await;
    }
}

/// A node that is cut off goes on answering from what it had, shows how old that is, and is not ready for those alone who
/// say what they can bear.
async fn probes(api: &Api, node: &str, before: u64, limit: Duration) -> Result<()> {
    let began = Instant::now();
    loop {
        let plain = api.report(node).await?;
        must!(plain.is_ready, "a node without its stores is not ready: {}", plain.text);
        must!(plain.revision == Some(before), "a node that is cut off moved from {before}: {}", plain.text);
        let limited = api.get(node, &format!("/readyz?max_stale={MAX_STALE}")).await?;
        let age = meter(api, node, "flag_store_confirmed_age_seconds").await?;
        let up = meter(api, node, "flag_store_up").await?;
        // The meter is read a moment after the probe, and the bound lies between the two for that moment.
        must!(limited.status != 503 || age > MAX_STALE as f64, "not ready at {age} s: {}", limited.text);
        if limited.status == 503 && up == 0.0 {
            let patient = api.get(node, "/readyz?max_stale=86400").await?;
            must!(patient.status == 200, "a day is borne, and {node} says {}", patient.text);
            return Ok(());
        }
        must!(
            began.elapsed() < limit,
            "a node that is cut off does not say so, at {age} s: {}",
            limited.text
        );
        sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until a node knows of all, and of none that is behind.
async fn all_are_there(site: &Site, node: &str, limit: Duration) -> Result<()> {
    let began = Instant::now();
    loop {
        let nodes = meter(&site.api, node, "flag_nodes").await?;
        let behind = meter(&site.api, node, "flag_nodes_behind").await?;
        let disagree = meter(&site.api, node, "flag_nodes_disagree").await?;
        must!(disagree == 0.0 || disagree.is_nan(), "nodes disagree");
        let convergence = site.api.get(node, "/environments/default/convergence").await?.json()?;
        if nodes == NODES as f64 && behind == 0.0 && convergence["converged"] == true {
            return Ok(());
        }
        must!(began.elapsed() < limit, "not all are there: {nodes} nodes, {behind} behind, {convergence}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn meter(api: &Api, node: &str, name: &str) -> Result<f64> {
    let text = api.get(node, "/metrics").await?.text;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.with_context(|| format!("no meter {name}"))?.parse().with_context(|| format!("{name} is no number"))
}
