//! A backup is restored under running nodes: what was acknowledged since is gone, and no node mixes the two histories.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::time::sleep;

use super::Scenario;
use crate::database::{Database, Enabled, MOVE_ON, document};
use crate::journal::{Journal, Outcome, Wish};
use crate::load::{ask, asked, prepare_steady};
use crate::mutant::{Bug, Edit, Mutant};
use crate::site::{Bench, Hints, Site};
use crate::verdict::{Figures, Times, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T26-restored",
    sentence: "a backup is restored under three running nodes, behind and beyond the revision where they stand; with its new epoch \
               every node replaces everything, and without one it refuses writes and goes on answering until there is",
    target: "agreement within 5 s, 0 merges, 0 evaluations failed",
    run: |bench| Box::pin(run(bench)),
    mutants: &[
        Mutant {
            what: "a node goes on from its revision in another epoch",
            bug: Bug::Source(&[
                Edit {
                    file: "crates/flag-store-pg/src/fetch.rs",
                    text: "if have.epoch == now.epoch && follows(",
                    replacement: "if follows(",
                },
                Edit {
                    file: "crates/flag-store-pg/src/fetch.rs",
                    text: "(SELECT epoch = $2 AND ",
                    replacement: "(SELECT $2::uuid IS NOT NULL AND ",
                },
            ]),
        },
        Mutant {
            what: "a store that has gone back is followed",
            bug: Bug::Source(&[
                Edit {
                    file: "crates/flag-engine/src/engine.rs",
                    text: "have.filter(|had| version.precedes(*had))",
                    replacement: "have.filter(|had| version.precedes(*had) && false)",
                },
                Edit {
                    file: "crates/flag-engine/src/cell.rs",
                    text: "live.epoch != next.epoch || next.revision > live.revision)",
                    replacement: "live.epoch != next.epoch || next.revision != live.revision)",
                },
            ]),
        },
    ],
};

const NODES: usize = 3;
const AGREED_WITHIN: Duration = Duration::from_secs(5);

/// How the backup comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Restore {
    /// Before the revision of the nodes, with a new epoch.
    Behind,
    /// With a new epoch, and with so many changes of its own that it is beyond the revision of the nodes.
    Beyond,
    /// Without a new epoch: the operator forgot.
    Forgotten,
}

async fn run(bench: Bench) -> Result<Figures> {
    let site = Site::start(&bench, NODES, Hints::Redis).await?;
    let (journal, urls) = (Journal::default(), site.urls());
    prepare_steady(&site.api, &urls[0], &journal).await?;
    site.converge(Duration::from_secs(10)).await?;
    let askers = ask(&site.api, &urls, 1, Duration::from_millis(10));
    let (mut times, bound) = (Times::default(), bench.within(AGREED_WITHIN));
    let mut chance = bench.chance("writes");
    let kinds = [Restore::Beyond, Restore::Forgotten, Restore::Behind];
    for round in 0..bench.pick(3, 15) {
        write(&site, &journal, &mut chance, &format!("kept {round}"), 5).await?;
        site.database.run(BACK_UP).await?;
        // Acknowledged, and lost with what the backup does not have: an operator's decision, not the engine's.
        let lost = Journal::default();
        write(&site, &lost, &mut chance, &format!("lost {round}"), 8).await?;
        let key = format!("lost-{round}");
        lost.write(&site.api, &urls[0], &key, &Wish::create(&key)).await?;
        site.converge(bound).await?;
        let restore = kinds[round % kinds.len()];
        restore_backup(&site.database, &journal, restore, round).await?;
        if restore == Restore::Forgotten {
            refuses_writes(&site, &key, round, bound).await?;
            site.database.run("UPDATE environments SET epoch = gen_random_uuid()").await?;
        }
        times.push(site.agree(bound, &mut bench.chance("questions")).await?);
        // Revisions that were given away before the restore are given away again, and mean something else now.
        write(&site, &journal, &mut chance, &format!("after {round}"), 8).await?;
        site.agree(bound, &mut bench.chance("questions")).await?;
    }
    let evaluations = asked(askers).await?;
    let tally = journal.settle(&site.database.log().await?)?;
    Ok(Figures::default()
        .with(format!("{} restores, agreement after {}", times.len(), times.line()))
        .with("0 merges")
        .with(format!("{} evaluations, 0 failed", evaluations.len()))
        .with(tally.line()))
}

async fn write(
    site: &Site,
    journal: &Journal,
    chance: &mut crate::chance::Chance,
    name: &str,
    count: usize,
) -> Result<()> {
    let urls = site.urls();
    for number in 0..count {
        let node = chance.pick(&urls).clone();
        let wish = Wish::random(chance);
        journal.write(&site.api, &node, &format!("{name}/{number}"), &wish).await?;
    }
    Ok(())
}

/// The nodes find that the store has gone back in their own history: they show what they had, and take no writes.
async fn refuses_writes(site: &Site, lost: &str, round: usize, bound: Duration) -> Result<()> {
    sleep(Duration::from_millis(1_500)).await;
    let began = tokio::time::Instant::now();
    for node in &site.nodes {
        loop {
            let report = site.api.report(node.url()).await?;
            must!(report.is_ready, "a node whose store went back is not ready: {}", report.text);
            if report.text.contains("store: corrupt") {
                break;
            }
            must!(
                began.elapsed() < bound,
                "a node does not notice that its store went back: {}",
                report.text
            );
            sleep(Duration::from_millis(20)).await;
        }
        let shown = site.api.get(node.url(), &format!("/features/{lost}")).await?;
        must!(shown.status == 200, "a node followed its store back, and shows {lost} no more");
        let author = format!("refused {round} {}", node.url());
        let outcome =
            Journal::default().write(&site.api, node.url(), &author, &Wish::create("refused")).await?;
        must!(
            matches!(outcome, Outcome::Refused(503, _)),
            "a write to a store that went back was {outcome:?}"
        );
    }
    Ok(())
}

const BACK_UP: &str = "DROP SCHEMA IF EXISTS backup CASCADE;
    CREATE SCHEMA backup;
    CREATE TABLE backup.environments AS TABLE environments;
    CREATE TABLE backup.changes AS TABLE changes;
    CREATE TABLE backup.flags AS TABLE flags;
    CREATE TABLE backup.overrides AS TABLE overrides;";

/// As a restored database: no trigger asks whether the log may be altered.
const RESTORE: &str = "SET LOCAL session_replication_role = replica;
    DELETE FROM overrides; DELETE FROM flags; DELETE FROM changes;
    INSERT INTO changes SELECT * FROM backup.changes;
    INSERT INTO flags SELECT * FROM backup.flags;
    INSERT INTO overrides SELECT * FROM backup.overrides;
    UPDATE environments SET revision = saved.revision FROM backup.environments AS saved
    WHERE saved.name = environments.name;
    SET LOCAL session_replication_role = DEFAULT;";

async fn restore_backup(
    database: &Database,
    journal: &Journal,
    restore: Restore,
    round: usize,
) -> Result<()> {
    let session = database.session().await?;
    session.begin().await?;
    session.client.batch_execute(RESTORE).await?;
    if restore != Restore::Forgotten {
        session.client.batch_execute("UPDATE environments SET epoch = gen_random_uuid()").await?;
    }
    if restore == Restore::Beyond {
        for number in 0..30 {
            let revision: i64 = session.client.query_one(MOVE_ON, &[&1_i64]).await?.try_get(0)?;
            let (author, key) = (format!("beyond {round}/{number}"), format!("beyond-{round}-{number}"));
            let change = json!({
                "type": "flag_created", "key": key, "description": null, "enabled": false, "rolloutPct": null,
            });
            let document = document(&key, Enabled::No, None, revision);
            session.put(revision, &author, change.clone(), document).await?;
            journal.note(&author, change, Outcome::Acknowledged(u64::try_from(revision)?));
        }
    }
    session.commit().await
}
