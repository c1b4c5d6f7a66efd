//! The links to Redis break and mend, again and again, in every way that a link can.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};

use super::Scenario;
use crate::chance::Chance;
use crate::journal::Journal;
use crate::load::{Running, ask, asked, prepare_steady, write_on};
use crate::mutant::{Bug, Edit, Mutant};
use crate::observer;
use crate::proxy::{Admission, Ending, Weather};
use crate::site::{Bench, Hints, Site};
use crate::verdict::{Figures, millis, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T06-flapping",
    sentence: "the links of three nodes to Redis are cut, reset, held, slowed and mended while writes go on, and Redis itself is \
               restarted; every node comes to every revision in time, goes never back, and no evaluation fails",
    target: "100 % of nodes, p99 < 3 s, 0 evaluations failed",
    run: |bench| Box::pin(run(bench)),
    mutants: &[Mutant {
        what: "a node that hears nothing does not ask",
        bug: Bug::Source(&[Edit {
            file: "crates/flag-engine/src/follow.rs",
            text: "const POLL: Duration = Duration::from_secs(1);",
            replacement: "const POLL: Duration = Duration::from_secs(600);",
        }]),
    }],
};

const NODES: usize = 3;
const SEEN_WITHIN: Duration = Duration::from_secs(3);

async fn run(bench: Bench) -> Result<Figures> {
    let mut site = Site::start(&bench, NODES, Hints::Redis).await?;
    let (journal, urls) = (Journal::default(), site.urls());
    prepare_steady(&site.api, &urls[0], &journal).await?;
    site.converge(Duration::from_secs(10)).await?;
    let askers = ask(&site.api, &urls, 1, Duration::from_millis(10));
    let observers = observer::watch(&site.api, &urls);
    let mut writers = Running::none();
    for number in 0..2 {
        let name = format!("writer {number}");
        let (api, nodes, journal) = (site.api.clone(), urls.clone(), journal.clone());
        let chance = bench.chance(&name);
        writers.add(|stop| write_on(api, nodes, journal, name, chance, (80, 120), stop));
    }
    let mut chance = bench.chance("weather");
    let (began, mut changes) = (Instant::now(), 0);
    let pause = bench.pick((200, 600), (1_500, 2_500));
    while began.elapsed() < bench.pick(Duration::from_secs(6), Duration::from_secs(120)) {
        change(&mut site, &mut chance).await?;
        changes += 1;
        sleep(chance.millis(pause.0, pause.1)).await;
    }
    // The last writes are not followed by fair weather: no hint gets through, and every node has to learn of them all the same.
    for link in &site.to_redis {
        link.set(Weather::down());
        link.end_all(Ending::Reset);
    }
    sleep(Duration::from_millis(300)).await;
    writers.finish().await?;
    let bound = bench.within(SEEN_WITHIN);
    let took = site.converge(bound).await?;
    // So that the last sighting of every node is of the last revision.
    sleep(Duration::from_millis(100)).await;
    let sightings = observers.finish().await?;
    let seen = observer::compare(&sightings)?;
    let times = observer::propagation(&sightings, &journal.attempts())?;
    must!(times.p99() <= bound, "writes are seen late: {}", times.line());
    for link in &site.to_redis {
        link.set(Weather::fair());
    }
    site.ready(Duration::from_secs(20)).await?;
    site.agree(bound, &mut bench.chance("questions")).await?;
    let evaluations = asked(askers).await?;
    let log = site.database.log().await?;
    let digests = observer::told_rightly(&sightings, &site.database.state().await?.epoch, &log)?;
    let tally = journal.settle(&log)?;
    must!(tally.acknowledged > 20, "only {}", tally.line());
    Ok(Figures::default()
        .with(format!("{changes} changes of weather"))
        .with(tally.line())
        .with(format!("write to visible on each node: {}", times.line()))
        .with(format!("{} without any hint", millis(took)))
        .with(format!("{seen} sightings, {digests} digests"))
        .with(format!("{} evaluations, 0 failed", evaluations.len())))
}

/// Breaks or mends one link, or restarts Redis.
async fn change(site: &mut Site, chance: &mut Chance) -> Result<()> {
    let link = &site.to_redis[chance.place(NODES)];
    match chance.below(10) {
        0 | 1 => link.set(Weather::fair()),
        2 => link.end_all(Ending::Close),
        3 => {
            link.set(Weather::down());
            link.end_all(Ending::Reset);
        }
        4 => link.set(Weather::silent()),
        5 => link.set(Weather::deaf()),
        6 => link.set(Weather::mute()),
        7 => link.set(Weather::slow(chance.millis(50, 700))),
        8 => link.set(Weather { admission: Admission::Silent, ..Weather::fair() }),
        _ => {
            if let Some(mut redis) = site.redis.take() {
                let restarted = tokio::task::spawn_blocking(move || {
                    redis.kill()?;
                    redis.start_again()?;
                    Ok::<_, flag_testkit::services::ServiceError>(redis)
                });
                site.redis = Some(restarted.await??);
            }
        }
    }
    Ok(())
}
