//! Many writers commit at once, with delays and roll-backs: nobody who follows the revisions misses one.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::sleep;

use super::Scenario;
use crate::api::Api;
use crate::chance::Chance;
use crate::database::{Database, Enabled, MOVE_ON, document};
use crate::journal::{Journal, Outcome};
use crate::load::{Running, Stop, write_on};
use crate::mutant::{Bug, Edit, Mutant};
use crate::observer;
use crate::site::{Bench, Hints, Site, Twist};
use crate::verdict::{Figures, millis, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T01-commits",
    sentence: "writers on three nodes and foreign transactions commit at once, with delays and roll-backs; whoever follows \
               the revisions sees 1, 2, 3 … without a gap, and every acknowledged write is in the log once",
    target: "0 lost, 0 twice",
    run: |bench| Box::pin(run(bench)),
    mutants: &[
        Mutant {
            what: "foreign writers take numbers from a sequence",
            bug: Bug::Twist(Twist::NumberedBySequence),
        },
        Mutant {
            what: "a node writes over the revision that another has just taken",
            bug: Bug::Source(&[
                Edit {
                    file: "migrations/postgres/V5__append.sql",
                    text: "AND epoch = of_epoch AND revision = from_revision;",
                    replacement: "AND epoch = of_epoch AND from_revision IS NOT NULL;",
                },
                Edit {
                    file: "migrations/postgres/V5__append.sql",
                    text: "FROM unnest(revisions, changed_flags, entries);",
                    replacement: "FROM unnest(revisions, changed_flags, entries) ON CONFLICT DO NOTHING;",
                },
            ]),
        },
    ],
};

async fn run(bench: Bench) -> Result<Figures> {
    let site = Site::start(&bench, 3, Hints::Redis).await?;
    let journal = Journal::default();
    let twisted = bench.twist == Some(Twist::NumberedBySequence);
    if twisted {
        site.database.run("CREATE SEQUENCE numbers").await?;
    }
    let mut followers = Running::none();
    for _ in 0..2 {
        let database = site.database.clone();
        followers.add(|stop| follow_rows(database, stop));
    }
    for node in site.urls() {
        let api = site.api.clone();
        followers.add(|stop| follow_log(api, node, stop));
    }
    let mut writers = Running::none();
    if !twisted {
        for number in 0..bench.pick(9, 32) {
            let (name, nodes) = (format!("writer {number}"), vec![site.urls()[number % 3].clone()]);
            let (api, journal, chance) = (site.api.clone(), journal.clone(), bench.chance(&name));
            writers.add(|stop| write_on(api, nodes, journal, name, chance, (0, 50), stop));
        }
    }
    for number in 0..bench.pick(2, 4) {
        let name = format!("foreign {number}");
        let foreign = Foreign {
            key: format!("foreign-{number}"),
            chance: bench.chance(&name),
            database: site.database.clone(),
            journal: journal.clone(),
            name,
            twisted: twisted.then_some(Twist::NumberedBySequence),
        };
        writers.add(|stop| foreign.write(stop));
    }
    let observers = (!twisted).then(|| observer::watch(&site.api, &site.urls()));
    sleep(bench.pick(Duration::from_secs(5), Duration::from_secs(60))).await;
    writers.finish().await?;
    let took = if twisted {
        Duration::ZERO
    } else {
        site.agree(bench.within(Duration::from_secs(3)), &mut bench.chance("questions")).await?
    };
    // The followers look once more before they end.
    let state = site.database.state().await?;
    for came_to in followers.finish().await? {
        must!(came_to == state.revision, "a follower ends at revision {came_to} of {}", state.revision);
    }
    let log = site.database.log().await?;
    let (sightings, digests) = match observers {
        Some(observers) => {
            let sightings = observers.finish().await?;
            (observer::compare(&sightings)?, observer::told_rightly(&sightings, &state.epoch, &log)?)
        }
        None => (0, 0),
    };
    let tally = journal.settle(&log)?;
    must!(tally.acknowledged > 50, "only {}: nothing was tried", tally.line());
    Ok(Figures::default()
        .with(tally.line())
        .with(format!("{} revisions seen by 5 followers", state.revision))
        .with(format!("{sightings} sightings, {digests} digests"))
        .with(format!("nodes agree with the database after {}", millis(took))))
}

/// Follows the rows of the log by the last revision that it has seen, as a node does.
async fn follow_rows(database: Database, stop: Stop) -> Result<u64> {
    let session = database.session().await?;
    let mut last = 0;
    loop {
        let is_last_look = stop.is_told();
        for line in session.log_after(last).await? {
            must!(
                line.revision == last + 1,
                "after revision {last} came {}: one was never seen",
                line.revision
            );
            last = line.revision;
        }
        if is_last_look {
            return Ok(last);
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// Follows the log over HTTP. It comes newest first, in pages.
async fn follow_log(api: Api, node: String, stop: Stop) -> Result<u64> {
    let mut last = 0;
    loop {
        let is_last_look = stop.is_told();
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let reply = api.get(&node, &format!("/environments/default/changes?limit=50{cursor}")).await?;
            if reply.status == 503 {
                // It may be refused; it must not be wrong.
                cursor.clear();
                found.clear();
                sleep(Duration::from_millis(50)).await;
                continue;
            }
            let page = reply.json()?;
            let lines = page["changes"].as_array().cloned().unwrap_or_default();
            found.extend(lines.iter().filter_map(|line| line["revision"].as_u64()));
            match page["nextCursor"].as_str() {
                Some(next) if found.last().is_some_and(|oldest| *oldest > last + 1) => {
                    cursor = format!("&cursor={next}");
                }
                _ => break,
            }
        }
        for revision in found.into_iter().rev().filter(|revision| *revision > last).collect::<Vec<_>>() {
            must!(revision == last + 1, "{node} shows revision {revision} after {last}: one was never seen");
            last = revision;
        }
        if is_last_look {
            return Ok(last);
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Somebody who writes past the nodes, slowly, and gives up now and then.
struct Foreign {
    name: String,
    key: String,
    database: Database,
    journal: Journal,
    chance: Chance,
    twisted: Option<Twist>,
}

impl Foreign {
    async fn write(mut self, stop: Stop) -> Result<()> {
        let session = self.database.session().await?;
        let (mut enabled, mut exists, mut number) = (Enabled::No, false, 0);
        while !stop.is_told() {
            number += 1;
            session.begin().await?;
            let revision: i64 = if self.twisted.is_some() {
                session.client.query_one("SELECT nextval('numbers')", &[]).await?.try_get(0)?
            } else {
                session.client.query_one(MOVE_ON, &[&1_i64]).await?.try_get(0)?
            };
            sleep(self.chance.millis(0, 20)).await;
            let (key, flipped) = (self.key.as_str(), enabled.flipped());
            let change = if exists {
                json!({"type": "global_set", "key": key, "enabled": flipped == Enabled::Yes})
            } else {
                json!({
                    "type": "flag_created", "key": key, "description": null,
                    "enabled": flipped == Enabled::Yes, "rolloutPct": null,
                })
            };
            let author = format!("{}/{number}", self.name);
            let document = document(key, flipped, None, revision);
            if let Err(error) = session.put(revision, &author, change.clone(), document).await {
                must!(false, "a foreign transaction that holds its revision is refused: {error:#}");
            }
            sleep(self.chance.millis(0, 30)).await;
            if self.chance.happens(10) {
                session.roll_back().await?;
                self.journal.note(&author, change, Outcome::Refused(0, "rolled back".to_owned()));
            } else {
                session.commit().await?;
                (enabled, exists) = (flipped, true);
                self.journal.note(&author, change, Outcome::Acknowledged(u64::try_from(revision)?));
            }
            // Whoever holds the row all the time leaves nobody else a turn.
            sleep(self.chance.millis(80, 200)).await;
        }
        Ok(())
    }
}
