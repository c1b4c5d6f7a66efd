//! The disk of a node is full to its last byte, or is read-only when the node starts.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};

use super::Scenario;
use super::crashes::{ready, settle};
use super::full::{ACKNOWLEDGED_UNCOMMITTED, UP_WHATEVER_HAPPENS};
use crate::api::Api;
use crate::disk::{Disk, all_saved};
use crate::journal::{Journal, Outcome, Wish};
use crate::load::{ask, asked, prepare_steady};
use crate::mount::{Access, Mount};
use crate::mutant::{Bug, Edit, Mutant};
use crate::node::{Node, Recipe};
use crate::proxy::{Ending, Weather};
use crate::site::{Bench, Hints, Site};
use crate::verdict::{Figures, Times, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T27-mounted",
    sentence: "the disk is full to its last byte, or read-only when the node starts: a node of SQLite answers and loses no \
               acknowledged write, and starts on a full disk; a node of PostgreSQL starts from what lies on a disk that it \
               cannot write to, and goes on",
    target: "0 writes acknowledged and lost, 0 evaluations failed, healed within 10 s",
    run: |bench| Box::pin(run(bench)),
    mutants: &[
        Mutant {
            what: "a node reads only what it may write to",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-cache-disk/src/generations.rs",
                text: "match File::open(path) {",
                replacement: "match OpenOptions::new().read(true).write(true).open(path) {",
            }]),
        },
        UP_WHATEVER_HAPPENS,
        ACKNOWLEDGED_UNCOMMITTED,
    ],
};

const HEALED_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);
/// Enough for what a node keeps, and soon filled.
const BYTES: u64 = 4 << 20;

async fn run(bench: Bench) -> Result<Figures> {
    embedded(&bench, kept(&bench, Figures::default()).await?).await
}

/// A node of PostgreSQL.
async fn kept(bench: &Bench, figures: Figures) -> Result<Figures> {
    let disk = Mount::of_bytes(BYTES)?;
    let mut site = Site::prepare(bench, 1, Hints::Notify, "").await?;
    site.recipes[0] = disk.bear(site.recipes[0].clone())?;
    site.start_node(0).await?;
    site.ready(HEALED_WITHIN).await?;
    let (journal, mut chance) = (Journal::default(), bench.chance("kept"));
    prepare_steady(&site.api, site.nodes[0].url(), &journal).await?;
    let bound = bench.within(HEALED_WITHIN);
    let (mut healed, mut evaluations) = (Times::default(), 0);
    for round in 0..bench.pick(1, 10) {
        all_saved(&site).await?;
        let before = Disk::of(&site.recipes[0].directory).newest();
        disk.fill()?;
        let askers = ask(&site.api, &site.urls(), 1, PAUSE);
        writes_until_down(&site, &journal, &format!("full {round}"), bound).await?;
        site.agree(bound, &mut chance).await?;
        evaluations += asked(askers).await?.len();
        starts_without_stores(&mut site, before, bound).await?;
        disk.make_room()?;
        healed.push(heals(&site, bound).await?);

        let before = Disk::of(&site.recipes[0].directory).newest();
        site.nodes[0].kill()?;
        disk.remount(Access::ReadOnly)?;
        starts_without_stores(&mut site, before, bound).await?;
        let askers = ask(&site.api, &site.urls(), 1, PAUSE);
        writes_until_down(&site, &journal, &format!("read-only {round}"), bound).await?;
        site.agree(bound, &mut chance).await?;
        evaluations += asked(askers).await?.len();
        disk.remount(Access::ReadWrite)?;
        healed.push(heals(&site, bound).await?);
    }
    site.agree(bound, &mut chance).await?;
    let tally = journal.settle(&site.database.log().await?)?;
    Ok(figures
        .with(format!(
            "{} times the disk of a node of PostgreSQL was full or read-only, healed after {}",
            healed.len(),
            healed.line()
        ))
        .with(format!("{evaluations} evaluations, 0 failed"))
        .with(tally.line()))
}

/// Writes, all of which PostgreSQL takes, until the node says that its disk is down.
async fn writes_until_down(site: &Site, journal: &Journal, name: &str, limit: Duration) -> Result<()> {
    let (node, began, mut number) = (site.nodes[0].url(), Instant::now(), 0);
    loop {
        number += 1;
        let wish = Wish::pin("steady", "user", &format!("{name} {number}"), &true.into());
        let outcome = journal.write(&site.api, node, &format!("{name}/{number}"), &wish).await?;
        must!(
            matches!(outcome, Outcome::Acknowledged(_)),
            "{name}: PostgreSQL has room, and a write was {outcome:?}"
        );
        let report = site.api.report(node).await?;
        must!(report.is_ready, "{name}: the node is not ready: {}", report.text);
        if report.text.contains("bootstrap: disk down") {
            return Ok(());
        }
        must!(began.elapsed() < limit, "{name}: the node says {}\n{}", report.text, site.nodes[0].log());
        sleep(Duration::from_millis(50)).await;
    }
}

/// Killed, and started again without its store, the node has what lies on its disk.
async fn starts_without_stores(site: &mut Site, kept: Option<u64>, limit: Duration) -> Result<()> {
    site.nodes[0].kill()?;
    site.to_postgres[0].set(Weather::down());
    site.to_postgres[0].end_all(Ending::Reset);
    site.start_node(0).await?;
    ready(&site.api, &site.nodes[0], limit).await?;
    let report = site.api.report(site.nodes[0].url()).await?;
    must!(
        report.revision == kept && report.text.contains("from disk"),
        "revision {kept:?} lies on the disk, and the node says {}",
        report.text
    );
    site.to_postgres[0].set(Weather::fair());
    Ok(())
}

/// How long it takes until everything is well again, and what became live on the disk.
async fn heals(site: &Site, limit: Duration) -> Result<Duration> {
    let began = Instant::now();
    site.ready(limit).await?;
    all_saved(site).await?;
    Ok(began.elapsed())
}

/// A node of SQLite.
async fn embedded(bench: &Bench, figures: Figures) -> Result<Figures> {
    let disk = Mount::of_bytes(BYTES)?;
    let folder = tempfile::tempdir()?;
    let recipe = disk.bear(Recipe::sqlite(bench, folder.path()))?;
    let (api, journal) = (Api::new(), Journal::default());
    let bound = bench.within(HEALED_WITHIN);
    let lasting = bench.pick(Duration::from_millis(200), Duration::from_secs(1));
    let mut node = recipe.start().await?;
    ready(&api, &node, bound).await?;
    prepare_steady(&api, node.url(), &journal).await?;
    let (mut healed, mut refused, mut evaluations) = (Times::default(), 0, 0);
    for round in 0..bench.pick(3, 50) {
        disk.fill()?;
        let askers = ask(&api, &[node.url().to_owned()], 1, PAUSE);
        refused += refuses(&api, &node, &journal, &format!("full {round}"), lasting, bound).await?;
        evaluations += asked(askers).await?.len();
        node.kill()?;
        node = recipe.start().await?;
        ready(&api, &node, bound).await?;
        let askers = ask(&api, &[node.url().to_owned()], 1, PAUSE);
        refused += refuses(&api, &node, &journal, &format!("started full {round}"), lasting, bound).await?;
        disk.make_room()?;
        healed.push(takes(&api, &node, &journal, &format!("room {round}"), bound).await?);
        evaluations += asked(askers).await?.len();
        settle(&api, node.url(), &journal).await?;
    }
    node.kill()?;
    let node = recipe.start().await?;
    ready(&api, &node, bound).await?;
    let tally = settle(&api, node.url(), &journal).await?;
    Ok(figures
        .with(format!(
            "SQLite refused {refused} writes on a full disk, and took the next after {}",
            healed.line()
        ))
        .with(format!("{evaluations} evaluations, 0 failed"))
        .with(tally.line()))
}

/// Writes for so long, and until five were refused; how many that were.
async fn refuses(
    api: &Api,
    node: &Node,
    journal: &Journal,
    name: &str,
    lasting: Duration,
    limit: Duration,
) -> Result<usize> {
    let (began, mut refused) = (Instant::now(), 0);
    for number in 0.. {
        let wish = Wish::create(&format!("{}-{number}", name.replace(' ', "-")));
        let outcome = journal.write(api, node.url(), &format!("{name}/{number}"), &wish).await?;
        refused += usize::from(!matches!(outcome, Outcome::Acknowledged(_)));
        if refused >= 5 && began.elapsed() >= lasting {
            break;
        }
        must!(refused > 0 || began.elapsed() < limit, "{name}: a disk without room takes every write");
    }
    Ok(refused)
}

/// Writes until one is taken; how long that was.
async fn takes(api: &Api, node: &Node, journal: &Journal, name: &str, limit: Duration) -> Result<Duration> {
    let began = Instant::now();
    for number in 0.. {
        let wish = Wish::create(&format!("{}-{number}", name.replace(' ', "-")));
        let outcome = journal.write(api, node.url(), &format!("{name}/{number}"), &wish).await?;
        if matches!(outcome, Outcome::Acknowledged(_)) {
            break;
        }
        must!(began.elapsed() < limit, "{name}: a write was {outcome:?}:\n{}", node.log());
        sleep(Duration::from_millis(10)).await;
    }
    Ok(began.elapsed())
}
