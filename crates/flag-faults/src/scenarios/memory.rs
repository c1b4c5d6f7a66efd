//! A node is asked for flags that do not exist, by people whom it has never seen, and nobody reads its meters.

use std::time::Duration;

use anyhow::Result;
use reqwest::Method;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::Scenario;
use crate::api::Api;
use crate::chance::Chance;
use crate::journal::Journal;
use crate::load::{Running, Stop, prepare_steady};
use crate::mutant::{Bug, Edit, Mutant};
use crate::site::{Bench, Hints, Site};
use crate::verdict::{Figures, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T23-memory",
    sentence: "a node is asked at full load for flags that do not exist, by ids that it has never seen, while nobody reads its meters; \
               after it has warmed up its memory stays where it is",
    target: "< 1 MB a minute",
    run: |bench| Box::pin(run(bench)),
    mutants: &[Mutant {
        what: "meters are kept by path instead of by route",
        bug: Bug::Source(&[Edit {
            file: "crates/flag-http/src/middleware/trace.rs",
            text: "let route = self.route.or(route.as_deref()).unwrap_or(\"unmatched\");",
            replacement: "let _ = (route, self.route);
        let path = outcome.as_ref().ok().map(|response| response.request().path().to_owned());
        let route = path.as_deref().unwrap_or(\"unmatched\");",
        }]),
    }],
};

async fn run(bench: Bench) -> Result<Figures> {
    let site = Site::start(&bench, 1, Hints::Notify).await?;
    prepare_steady(&site.api, site.nodes[0].url(), &Journal::default()).await?;
    let mut askers = Running::none();
    for number in 0..8 {
        let (api, node) = (site.api.clone(), site.nodes[0].url().to_owned());
        let chance = bench.chance(&format!("asker {number}"));
        askers.add(|stop| ask(api, node, chance, stop));
    }
    // The allocator takes what it needs once, and a log of some lines fills.
    sleep(bench.pick(Duration::from_secs(3), Duration::from_secs(300))).await;
    let (before, began) = (site.nodes[0].memory()?, Instant::now());
    sleep(bench.pick(Duration::from_secs(5), Duration::from_secs(300))).await;
    let (after, elapsed) = (site.nodes[0].memory()?, began.elapsed());
    let asked: u64 = askers.finish().await?.iter().sum();
    let grown = after.saturating_sub(before);
    // A short run is too short for a slope: a leak of a few hundred bytes a request shows in it all the same.
    let bound = bench.pick(2 << 20, (1 << 20) * elapsed.as_secs() / 60);
    must!(
        grown <= bound,
        "{grown} bytes more in {elapsed:?}, from {before} to {after}, after {asked} requests"
    );
    must!(asked > 2_000, "only {asked} requests: nothing was tried");
    Ok(Figures::default()
        .with(format!("{asked} requests of as many ids"))
        .with(format!("{} KiB resident", after >> 10))
        .with(format!("{} KiB more in {} s", grown >> 10, elapsed.as_secs())))
}

async fn ask(api: Api, node: String, mut chance: Chance, stop: Stop) -> Result<u64> {
    let mut asked = 0;
    while !stop.is_told() {
        let (key, user) = (chance.below(u64::MAX), chance.below(u64::MAX));
        let key = if asked % 4 == 0 { "steady".to_owned() } else { format!("unknown-{key}") };
        let (path, body) =
            (format!("/features/{key}/evaluate"), json!({"userId": format!("somebody {user}")}));
        let reply = api.send(&node, Method::POST, &path, Some(&body), None).await?;
        must!(
            matches!(reply.status, 200 | 404),
            "an evaluation is answered {}: {}",
            reply.status,
            reply.text
        );
        asked += 1;
    }
    Ok(asked)
}
