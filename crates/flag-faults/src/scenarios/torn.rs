//! Two flags that are equal at every revision are never shown unequal.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::sleep;

use super::Scenario;
use crate::api::Api;
use crate::database::{Database, Enabled, MOVE_ON, Session, TIME, document};
use crate::load::{Running, Stop};
use crate::mutant::{Bug, Edit, Mutant};
use crate::redis::RedisProbe;
use crate::site::{Bench, Hints, Site};
use crate::verdict::{Figures, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T18-torn",
    sentence: "one transaction after another sets two flags to the same new share, in the first and the last of many lines, while \
               readers of every node compare the two; no reader ever sees them differ",
    target: "0 mismatches in 60 s",
    run: |bench| Box::pin(run(bench)),
    mutants: &[Mutant {
        what: "a node makes each line of a batch live by itself",
        bug: Bug::Source(&[Edit {
            file: "crates/flag-engine/src/engine.rs",
            text: "Ok(next) => self.publish_next(&Arc::new(next)),",
            replacement: "Ok(_) => {
                        let mut next = (*live).clone();
                        for entry in &entries {
                            let Ok(after) = next.replay(std::slice::from_ref(entry)) else { break };
                            next = after;
                            self.publish_next(&Arc::new(next.clone()));
                        }
                    }",
        }]),
    }],
};

const PAIR: [&str; 2] = ["pair-a", "pair-b"];
/// What the lines between those of the pair speak of.
const BETWEEN: &str = "between";
/// How many lines there are between those of the pair: an even number, after which the flag is as it was.
const LINES: i64 = 100;

async fn run(bench: Bench) -> Result<Figures> {
    let site = Site::start(&bench, 2, Hints::Redis).await?;
    create(&site.database).await?;
    site.converge(Duration::from_secs(10)).await?;
    let mut readers = Running::none();
    for node in site.urls() {
        for _ in 0..4 {
            let (api, node) = (site.api.clone(), node.clone());
            readers.add(|stop| compare(api, node, stop));
        }
    }
    let mut swaps = Running::none();
    let (database, redis) = (site.database.clone(), site.redis_probe()?);
    swaps.add(|stop| swap(database, redis, stop));
    sleep(bench.pick(Duration::from_secs(5), Duration::from_secs(60))).await;
    let swaps: u64 = swaps.finish().await?.iter().sum();
    let (mut reads, mut different) = (0, 0);
    for (read, seen) in readers.finish().await? {
        reads += read;
        different += seen;
    }
    site.agree(bench.within(Duration::from_secs(3)), &mut bench.chance("questions")).await?;
    must!(different > 40, "readers saw only {different} different shares: nothing was swapped under them");
    Ok(Figures::default()
        .with(format!("{swaps} swaps"))
        .with(format!("{reads} comparisons, {different} of them of another share than the one before"))
        .with("0 mismatches"))
}

async fn create(database: &Database) -> Result<()> {
    let session = database.session().await?;
    session.begin().await?;
    let last: i64 = session.client.query_one(MOVE_ON, &[&3_i64]).await?.try_get(0)?;
    for (revision, key) in (last - 2..).zip([PAIR[0], PAIR[1], BETWEEN]) {
        let change = json!({
            "type": "flag_created", "key": key, "description": null, "enabled": false, "rolloutPct": 0,
        });
        session.put(revision, "swap", change, document(key, Enabled::No, Some(0), revision)).await?;
    }
    session.commit().await
}

/// Sets both to the next share in one transaction, and tells every node.
async fn swap(database: Database, redis: RedisProbe, stop: Stop) -> Result<u64> {
    let session = database.session().await?;
    let epoch = database.state().await?.epoch;
    let mut swaps = 0;
    while !stop.is_told() {
        swaps += 1;
        let share = swaps % 101;
        session.begin().await?;
        let last: i64 = session.client.query_one(MOVE_ON, &[&(LINES + 2)]).await?.try_get(0)?;
        for (revision, key) in [(last - LINES - 1, PAIR[0]), (last, PAIR[1])] {
            let change = json!({"type": "rollout_set", "key": key, "rolloutPct": share});
            session.put(revision, "swap", change, document(key, Enabled::No, Some(share), revision)).await?;
        }
        put_between(&session, last - LINES).await?;
        session.commit().await?;
        redis.announce(&epoch, u64::try_from(last)?).await?;
    }
    Ok(swaps)
}

/// The lines between those of the pair: a third flag goes on and off.
async fn put_between(session: &Session, first: i64) -> Result<()> {
    let lines: Vec<_> = (0..LINES)
        .map(|number| {
            let change = json!({"type": "global_set", "key": BETWEEN, "enabled": number % 2 == 0});
            json!({"revision": first + number, "time": TIME, "author": "swap", "change": change})
        })
        .collect();
    let sql = "INSERT INTO changes SELECT 'default', (entry->>'revision')::bigint, $1, entry \
               FROM jsonb_array_elements($2) AS entry";
    session.client.execute(sql, &[&BETWEEN, &json!(lines)]).await?;
    let document = document(BETWEEN, Enabled::No, Some(0), first + LINES - 1);
    let flag = "UPDATE flags SET document = $2 WHERE environment = 'default' AND key = $1";
    session.client.execute(flag, &[&BETWEEN, &document]).await?;
    Ok(())
}

/// Reads both at once, again and again; says how often, and how often they had moved on since.
async fn compare(api: Api, node: String, stop: Stop) -> Result<(u64, u64)> {
    let (mut reads, mut different, mut last) = (0, 0, None);
    while !stop.is_told() {
        let reply = api.get(&node, "/features?q=pair-").await?;
        let page = reply.json()?;
        let shares = [0, 1].map(|place| page["features"][place]["rolloutPct"].as_u64());
        must!(
            shares[0] == shares[1] && shares[0].is_some(),
            "{node} shows two shares of the pair at revision {}: {}",
            reply.revision()?,
            page["features"]
        );
        reads += 1;
        different += u64::from(last != Some(shares[0]));
        last = Some(shares[0]);
    }
    Ok((reads, different))
}
