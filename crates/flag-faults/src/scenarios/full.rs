//! The disk of a node takes nothing more: below the file of SQLite, and below what a node of PostgreSQL keeps to start from.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::Scenario;
use super::crashes::{ready, settle};
use crate::api::Api;
use crate::disk::{Disk, all_saved};
use crate::journal::{Journal, Outcome, Wish};
use crate::load::{ask, asked, prepare_steady};
use crate::mutant::{Bug, Edit, Mutant};
use crate::node::Recipe;
use crate::proxy::{Ending, Weather};
use crate::site::{Bench, Hints, Site};
use crate::verdict::{Figures, Times, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T27-full",
    sentence: "the disk takes no byte more, or the folder is gone: a node of SQLite refuses writes and loses none that it \
               acknowledged, a node of PostgreSQL goes on and says that its disk is down; both answer, and heal by themselves",
    target: "0 writes acknowledged and lost, 0 evaluations failed, healed within 10 s",
    run: |bench| Box::pin(run(bench)),
    mutants: &[
        ACKNOWLEDGED_UNCOMMITTED,
        UP_WHATEVER_HAPPENS,
        Mutant {
            what: "the last whole file makes room before there is another",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-cache-disk/src/generations.rs",
                text: "        self.lock()?;\n",
                replacement: "        self.lock()?;\n        for ending in [NEWEST, SETTLING, OLDER] {\n            unless_missing(fs::remove_file(self.path(ending)))?;\n        }\n",
            }]),
        },
    ],
};

pub(super) const ACKNOWLEDGED_UNCOMMITTED: Mutant = Mutant {
    what: "SQLite acknowledges what it could not commit",
    bug: Bug::Source(&[Edit {
        file: "crates/flag-store-sqlite/src/write.rs",
        text: "    Err(StoreError::Uncertain(Box::new(error)))",
        replacement: "    drop(error);\n    Ok(())",
    }]),
};

pub(super) const UP_WHATEVER_HAPPENS: Mutant = Mutant {
    what: "a disk that takes nothing is up",
    bug: Bug::Source(&[Edit {
        file: "crates/flag-cache-disk/src/keeper.rs",
        text: "self.is_up.swap(outcome.is_ok(), Ordering::Relaxed)",
        replacement: "self.is_up.swap(true, Ordering::Relaxed)",
    }]),
};

const HEALED_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

/// How a disk takes nothing more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lack {
    /// No file can grow.
    Room,
    /// A file lies where the folder was, so that nothing can be written there with whatever rights.
    Folder,
}

async fn run(bench: Bench) -> Result<Figures> {
    embedded(&bench, kept(&bench, Figures::default()).await?).await
}

/// A node of PostgreSQL.
async fn kept(bench: &Bench, figures: Figures) -> Result<Figures> {
    let mut site = Site::prepare(bench, 1, Hints::Notify, "").await?;
    site.recipes[0] = site.recipes[0].clone().bearing_limits()?;
    site.start_node(0).await?;
    site.ready(HEALED_WITHIN).await?;
    let (journal, mut chance) = (Journal::default(), bench.chance("kept"));
    prepare_steady(&site.api, site.nodes[0].url(), &journal).await?;
    let (disk, bound) = (Disk::of(&site.recipes[0].directory), bench.within(HEALED_WITHIN));
    let (away, mut healed, mut evaluations) = (disk.folder().with_extension("away"), Times::default(), 0);
    for round in 0..bench.pick(2, 10) {
        all_saved(&site).await?;
        let before = disk.newest();
        let lack = if round % 2 == 0 { Lack::Room } else { Lack::Folder };
        let askers = ask(&site.api, &site.urls(), 1, PAUSE);
        match lack {
            Lack::Room => site.nodes[0].limit_files(Some(100))?,
            Lack::Folder => {
                fs::rename(disk.folder(), &away)?;
                fs::write(disk.folder(), "in the way")?;
            }
        }
        let node = site.nodes[0].url().to_owned();
        let (began, mut number) = (Instant::now(), 0);
        loop {
            number += 1;
            let wish = Wish::pin("steady", "user", &format!("{round} {number}"), &true.into());
            let outcome = journal.write(&site.api, &node, &format!("kept {round}/{number}"), &wish).await?;
            must!(
                matches!(outcome, Outcome::Acknowledged(_)),
                "PostgreSQL has room, and a write was {outcome:?}"
            );
            let report = site.api.report(&node).await?;
            must!(report.is_ready, "a node whose disk lacks its {lack:?} is not ready: {}", report.text);
            let meters = site.api.get(&node, "/metrics").await?.text;
            if report.text.contains("bootstrap: disk down") && meters.contains("flag_bootstrap_up 0\n") {
                break;
            }
            must!(began.elapsed() < bound, "the disk lacks its {lack:?}, and the node says {}", report.text);
            sleep(Duration::from_millis(50)).await;
        }
        site.agree(bound, &mut chance).await?;
        evaluations += asked(askers).await?.len();
        if lack == Lack::Room {
            must!(disk.newest() == before, "what was on the disk is not there any more: {:?}", disk.newest());
            starts_from_before(&mut site, before, bound).await?;
        } else {
            fs::remove_file(disk.folder())?;
            fs::rename(&away, disk.folder())?;
        }
        let began = Instant::now();
        site.ready(bound).await?;
        all_saved(&site).await?;
        healed.push(began.elapsed());
    }
    site.agree(bound, &mut chance).await?;
    let tally = journal.settle(&site.database.log().await?)?;
    Ok(figures
        .with(format!(
            "{} times the disk of a node of PostgreSQL took nothing, healed after {}",
            healed.len(),
            healed.line()
        ))
        .with(format!("{evaluations} evaluations, 0 failed"))
        .with(tally.line()))
}

/// Killed, and started again with a full disk and without its store, the node has what was there before.
async fn starts_from_before(site: &mut Site, before: Option<u64>, limit: Duration) -> Result<()> {
    site.nodes[0].kill()?;
    site.to_postgres[0].set(Weather::down());
    site.to_postgres[0].end_all(Ending::Reset);
    site.start_node(0).await?;
    site.nodes[0].limit_files(Some(100))?;
    ready(&site.api, &site.nodes[0], limit).await?;
    let report = site.api.report(site.nodes[0].url()).await?;
    must!(
        report.revision == before && report.text.contains("from disk"),
        "revision {before:?} was kept before the disk was full, and the node says {}",
        report.text
    );
    site.to_postgres[0].set(Weather::fair());
    site.nodes[0].limit_files(None)
}

/// A node of SQLite.
async fn embedded(bench: &Bench, figures: Figures) -> Result<Figures> {
    let directory = TempDir::with_prefix("flag-faults-")?;
    let recipe = Recipe::sqlite(bench, directory.path()).bearing_limits()?;
    let (api, journal, mut chance) = (Api::new(), Journal::default(), bench.chance("embedded"));
    let bound = bench.within(HEALED_WITHIN);
    let lasting = bench.pick(Duration::from_millis(300), Duration::from_secs(2));
    let mut node = recipe.start().await?;
    ready(&api, &node, bound).await?;
    prepare_steady(&api, node.url(), &journal).await?;
    let (mut healed, mut refused, mut evaluations) = (Times::default(), 0, 0);
    for round in 0..bench.pick(6, 100) {
        let askers = ask(&api, &[node.url().to_owned()], 1, PAUSE);
        // Within what is there already pages are written anew, so that it fills at another moment each time.
        let size = fs::metadata(directory.path().join("data/flags.db-wal")).map_or(0, |file| file.len());
        node.limit_files(Some(size + chance.below(200_000)))?;
        let (began, mut refusals) = (Instant::now(), 0);
        for number in 0.. {
            let wish = Wish::create(&format!("full-{round}-{number}"));
            let outcome = journal.write(&api, node.url(), &format!("full {round}/{number}"), &wish).await?;
            refusals += usize::from(!matches!(outcome, Outcome::Acknowledged(_)));
            if refusals >= 5 && began.elapsed() >= lasting {
                break;
            }
            must!(refusals > 0 || began.elapsed() < bound, "a disk without room takes every write");
        }
        refused += refusals;
        if round % 3 == 2 {
            evaluations += asked(askers).await?.len();
            node.kill()?;
            node = recipe.start().await?;
            ready(&api, &node, bound).await?;
        } else {
            node.limit_files(None)?;
            let began = Instant::now();
            for number in 0.. {
                let wish = Wish::create(&format!("room-{round}-{number}"));
                let outcome =
                    journal.write(&api, node.url(), &format!("room {round}/{number}"), &wish).await?;
                if matches!(outcome, Outcome::Acknowledged(_)) {
                    break;
                }
                must!(
                    began.elapsed() < bound,
                    "there is room again, and a write was {outcome:?}:\n{}",
                    node.log()
                );
                sleep(Duration::from_millis(10)).await;
            }
            healed.push(began.elapsed());
            evaluations += asked(askers).await?.len();
        }
        settle(&api, node.url(), &journal).await?;
    }
    node.kill()?;
    let node = recipe.start().await?;
    ready(&api, &node, bound).await?;
    let tally = settle(&api, node.url(), &journal).await?;
    Ok(figures
        .with(format!(
            "SQLite refused {refused} writes for want of room, and took the next after {}",
            healed.line()
        ))
        .with(format!("{evaluations} evaluations, 0 failed"))
        .with(tally.line()))
}
