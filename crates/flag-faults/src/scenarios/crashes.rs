//! Nodes are killed in the middle of saving and committing, over and over, and what lies on their disks is damaged between.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::Scenario;
use crate::api::Api;
use crate::chance::Chance;
use crate::database::{Enabled, MOVE_ON, document};
use crate::digest;
use crate::disk::{self, Disk};
use crate::journal::{Journal, Outcome, Tally};
use crate::load::{Running, write_on};
use crate::mutant::{Bug, Edit, Mutant};
use crate::node::{Node, Recipe};
use crate::proxy::{Ending, Weather};
use crate::site::{Bench, Hints, Site};
use crate::state::{Line, State};
use crate::verdict::{Figures, Times, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T16-crashes",
    sentence: "nodes of PostgreSQL and of SQLite are killed at random moments of saves and commits; files on their disks are cut \
               short and have bits flipped; a node starts from the first whole file or from none, no acknowledged write is lost, and \
               nodes of SQLite hear of one another again",
    target: "500 kills, 0 panics, 0 unverified starts, 0 writes lost",
    run: |bench| Box::pin(run(bench)),
    mutants: &[
        Mutant {
            what: "the checksum of a file is not looked at",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-cache-disk/src/file.rs",
                text: "!= checksum {",
                replacement: "!= checksum && false {",
            }]),
        },
        Mutant {
            what: "a file is written in its place",
            bug: Bug::Source(&[
                Edit {
                    file: "crates/flag-cache-disk/src/generations.rs",
                    text: "let unfinished = self.path(UNFINISHED);",
                    replacement: "let unfinished = self.path(NEWEST);",
                },
                Edit {
                    file: "crates/flag-cache-disk/src/generations.rs",
                    text: "        unless_missing(fs::remove_file(unfinished))?;\n",
                    replacement: "        self.make_room()?;\n        unless_missing(fs::remove_file(unfinished))?;\n",
                },
                Edit {
                    file: "crates/flag-cache-disk/src/generations.rs",
                    text: "        self.make_room()?;\n        fs::rename(unfinished, self.path(NEWEST))?;\n",
                    replacement: "",
                },
            ]),
        },
        Mutant {
            what: "the first file that is damaged ends the search",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-cache-disk/src/generations.rs",
                text: "Err(why) => passed_over.push(PassedOver { path, why }),",
                replacement: "Err(why) => {
                    passed_over.push(PassedOver { path, why });
                    break;
                }",
            }]),
        },
        Mutant {
            what: "a damaged file of heartbeats is kept",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-store-sqlite/src/heartbeats.rs",
                text: "            if is_damage(error) {",
                replacement: "            if is_damage(error) && false {",
            }]),
        },
        Mutant {
            what: "SQLite acknowledges every eighth batch without committing it",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-store-sqlite/src/write.rs",
                text: "    let Err(error) = writing.execute_batch(\"COMMIT\") else { return Ok(()) };",
                replacement: "    let moment = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    if moment.as_micros() % 8 == 0 {
        return writing.rollback().map_err(store_error);
    }
    let Err(error) = writing.execute_batch(\"COMMIT\") else { return Ok(()) };",
            }]),
        },
    ],
};

/// Flags with long descriptions, so that a save takes its time.
const FLAGS: i64 = 300;
const WRITERS: usize = 4;
/// How long a node may take from its start until it answers from its disk.
const READY_WITHIN: Duration = Duration::from_secs(1);
/// How long one is given that has to find nothing.
const LOOKS: Duration = Duration::from_millis(700);
const HEALED_WITHIN: Duration = Duration::from_secs(10);

async fn run(bench: Bench) -> Result<Figures> {
    let kept = Kept::run(&bench).await?;
    let embedded = Embedded::run(&bench).await?;
    let (tally, kills) = (kept.tally, kept.ready.len() + kept.without);
    Ok(Figures::default()
        .with(format!(
            "{kills} kills with PostgreSQL, {} in the middle of a save, {} files damaged",
            kept.saving, kept.damaged
        ))
        .with(format!("{} starts from a whole file, ready after {}", kept.ready.len(), kept.ready.line()))
        .with(format!("{} with none left, not ready", kept.without))
        .with(tally.line())
        .with(format!(
            "{} kills with SQLite, its file of heartbeats damaged {} times: {}",
            embedded.kills,
            embedded.damaged,
            embedded.tally.line()
        )))
}

/// What came of the node that keeps its flags on its disk.
struct Kept {
    ready: Times,
    without: usize,
    damaged: usize,
    /// How many kills broke off a save.
    saving: usize,
    tally: Tally,
}

impl Kept {
    async fn run(bench: &Bench) -> Result<Self> {
        let mut site = Site::start(bench, 1, Hints::Notify).await?;
        let (journal, mut chance) = (Journal::default(), bench.chance("kept"));
        fill(&site, &journal).await?;
        let mut disk = Disk::of(&site.recipes[0].directory);
        let (mut ready, mut without, mut damaged, mut saving) = (Times::default(), 0, 0, 0);
        let (mut log, session) = (Vec::new(), site.database.session().await?);
        for round in 0..bench.pick(12, 250) {
            let writers = write_at(&site.api, site.nodes[0].url(), &journal, bench, &format!("kept {round}"));
            saving += usize::from(wait_for_moment(&disk, &mut chance).await);
            site.nodes[0].kill()?;
            writers.finish().await?;
            no_panic(&site.nodes[0])?;
            // Sometimes several at once, so that now and then nothing is left.
            for _ in 0..*chance.pick(&[0, 1, 1, 1, 2, 6]) {
                damaged += usize::from(disk.damage(&mut chance)?.is_some());
            }
            let expected = disk.first_whole();
            site.to_postgres[0].set(Weather::down());
            site.to_postgres[0].end_all(Ending::Reset);
            let began = Instant::now();
            site.start_node(0).await?;
            log.extend(session.log_after(log.last().map_or(0, |line: &Line| line.revision)).await?);
            match expected {
                Some(revision) => {
                    let took = starts_from(&site, revision, began, bench.within(READY_WITHIN)).await?;
                    holds(&site, &log, revision).await?;
                    ready.push(took);
                }
                None => {
                    finds_nothing(&site).await?;
                    without += 1;
                }
            }
            site.to_postgres[0].set(Weather::fair());
            site.ready(bench.within(HEALED_WITHIN)).await?;
        }
        site.agree(bench.within(HEALED_WITHIN), &mut chance).await?;
        let tally = journal.settle(&site.database.log().await?)?;
        must!(
            damaged > 0 && saving > 0,
            "{damaged} files damaged and {saving} saves broken off: nothing was tried"
        );
        Ok(Self { ready, without, damaged, saving, tally })
    }
}

/// Waits for a moment of chance, or for one at which a save is under way; whether it is.
async fn wait_for_moment(disk: &Disk, chance: &mut Chance) -> bool {
    if chance.happens(40) {
        sleep(chance.millis(0, 1_500)).await;
        return disk.is_saving();
    }
    // A node saves once a second at most.
    let began = Instant::now();
    while !disk.is_saving() && began.elapsed() < Duration::from_secs(3) {
        sleep(Duration::from_millis(1)).await;
    }
    disk.is_saving()
}

async fn fill(site: &Site, journal: &Journal) -> Result<()> {
    let session = site.database.session().await?;
    session.begin().await?;
    for number in 0..FLAGS {
        let revision: i64 = session.client.query_one(MOVE_ON, &[&1_i64]).await?.try_get(0)?;
        let (author, key, description) =
            (format!("fill {number}"), format!("long-{number}"), "long ".repeat(200));
        let change = json!({
            "type": "flag_created", "key": key, "description": description, "enabled": false, "rolloutPct": null,
        });
        let mut document = document(&key, Enabled::No, None, revision);
        document["description"] = json!(description);
        session.put(revision, &author, change.clone(), document).await?;
        journal.note(&author, change, Outcome::Acknowledged(u64::try_from(revision)?));
    }
    session.commit().await
}

fn write_at(api: &Api, node: &str, journal: &Journal, bench: &Bench, name: &str) -> Running<()> {
    let mut writers = Running::none();
    for number in 0..WRITERS {
        let name = format!("{name} {number}");
        let (api, journal, chance) = (api.clone(), journal.clone(), bench.chance(&name));
        let nodes = vec![node.to_owned()];
        writers.add(|stop| write_on(api, nodes, journal, name, chance, (0, 8), stop));
    }
    writers
}

fn no_panic(node: &Node) -> Result<()> {
    let log = node.log();
    must!(!log.contains("panic"), "a node panics:\n{log}");
    Ok(())
}

/// Waits until the node is ready; it has to be so at this revision, and to say from where.
async fn starts_from(site: &Site, revision: u64, began: Instant, limit: Duration) -> Result<Duration> {
    let node = &site.nodes[0];
    loop {
        let report = site.api.report(node.url()).await?;
        let (took, text) = (began.elapsed(), &report.text);
        if report.is_ready {
            must!(
                report.revision == Some(revision) && text.contains("from disk"),
                "revision {revision} lies whole on the disk, and the node says {text}\n{}",
                node.log()
            );
            return Ok(took);
        }
        must!(
            took < limit,
            "revision {revision} lies whole on the disk, and after {took:?} the node says {text}\n{}",
            node.log()
        );
        sleep(Duration::from_millis(2)).await;
    }
}

/// Holds that what the node has is what the log led to at that revision.
async fn holds(site: &Site, log: &[Line], revision: u64) -> Result<()> {
    let mut state = State { epoch: site.database.state().await?.epoch, ..State::default() };
    for line in log.iter().take_while(|line| line.revision <= revision) {
        state.fold(line)?;
    }
    let nodes = [site.nodes[0].url().to_owned()];
    digest::agree(&site.api, &nodes, &state, Duration::from_secs(5)).await
}

/// Nothing whole is left on the disk, and there is no store: the node must not be ready.
async fn finds_nothing(site: &Site) -> Result<()> {
    let (node, began) = (&site.nodes[0], Instant::now());
    while began.elapsed() < LOOKS {
        let report = site.api.report(node.url()).await?;
        must!(!report.is_ready, "nothing whole lies on the disk, and the node says {}", report.text);
        let path = format!("/features/{}/evaluate", "long-1");
        let reply = site.api.send(node.url(), reqwest::Method::POST, &path, Some(&json!({})), None).await?;
        must!(reply.status == 503, "a node without flags answers {} to an evaluation", reply.status);
        sleep(Duration::from_millis(50)).await;
    }
    no_panic(node)
}

/// What came of the node of SQLite, which is killed while it commits.
struct Embedded {
    kills: usize,
    /// How often the file was damaged in which nodes report themselves.
    damaged: usize,
    tally: Tally,
}

impl Embedded {
    async fn run(bench: &Bench) -> Result<Self> {
        let directory = TempDir::with_prefix("flag-faults-")?;
        let recipe = Recipe::sqlite(bench, directory.path());
        let heartbeats = directory.path().join("data/flags.db.nodes");
        let (api, journal, mut chance) = (Api::new(), Journal::default(), bench.chance("embedded"));
        let (kills, mut damaged) = (bench.pick(12, 250), 0);
        for round in 0..kills {
            let mut node = recipe.start().await?;
            ready(&api, &node, HEALED_WITHIN).await?;
            reports_itself(&api, &node, bench.within(HEALED_WITHIN)).await?;
            let writers = write_at(&api, node.url(), &journal, bench, &format!("embedded {round}"));
            sleep(chance.millis(5, 250)).await;
            node.kill()?;
            writers.finish().await?;
            no_panic(&node)?;
            damaged += usize::from(disk::damage(&heartbeats, 100, &mut chance)?.is_some());
        }
        let node = recipe.start().await?;
        ready(&api, &node, HEALED_WITHIN).await?;
        let tally = settle(&api, node.url(), &journal).await?;
        must!(tally.acknowledged > kills && damaged > 0, "{damaged} damaged, and only {}", tally.line());
        Ok(Self { kills, damaged, tally })
    }
}

/// Waits until the node hears of itself, through its file of heartbeats.
async fn reports_itself(api: &Api, node: &Node, limit: Duration) -> Result<()> {
    let (began, name) = (Instant::now(), node.url().trim_start_matches("http://"));
    loop {
        let reply = api.get(node.url(), "/environments/default/convergence").await?;
        let nodes = reply.json()?["nodes"].as_array().cloned().unwrap_or_default();
        if nodes.iter().any(|found| found["name"] == name && found["silent"] == false) {
            return Ok(());
        }
        must!(
            began.elapsed() < limit,
            "a node does not hear of itself within {limit:?}: {}\n{}",
            reply.text,
            node.log()
        );
        sleep(Duration::from_millis(20)).await;
    }
}

pub(super) async fn ready(api: &Api, node: &Node, limit: Duration) -> Result<()> {
    let began = Instant::now();
    while !api.report(node.url()).await?.is_ready {
        must!(began.elapsed() < limit, "a node is not ready within {limit:?}:\n{}", node.log());
        sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}

/// Holds the journal, and what the node shows, against the log as the node gives it, newest first and in pages.
pub(super) async fn settle(api: &Api, node: &str, journal: &Journal) -> Result<Tally> {
    let (mut log, mut cursor) = (Vec::new(), String::new());
    loop {
        let page =
            api.get(node, &format!("/environments/default/changes?limit=500{cursor}")).await?.json()?;
        for entry in page["changes"].as_array().context("a page without changes")? {
            let revision = entry["revision"].as_u64().context("a line without its revision")?;
            log.push(Line { revision, entry: entry.clone() });
        }
        match &page["nextCursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => break,
        }
    }
    log.reverse();
    let mut state = State::default();
    for line in &log {
        state.fold(line)?;
    }
    if let Some(difference) = state.difference(&api.shown(node).await?) {
        must!(false, "the node does not show what its log leads to: {difference}");
    }
    let tally = journal.settle(&log)?;
    Ok(tally)
}
