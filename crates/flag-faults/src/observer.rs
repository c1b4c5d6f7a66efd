//! Observers: each records what one node ever shows, and all are held against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use crate::api::Api;
use crate::digest::{self, Digested};
use crate::journal::{Attempt, Outcome};
use crate::load::Running;
use crate::state::{Line, State};
use crate::verdict::{Times, must};

/// How often an observer looks.
const LOOK: Duration = Duration::from_millis(5);

/// One thing seen: at a revision, a node showed flags with this digest.
#[derive(Clone, Debug)]
struct Sighting {
    at: Instant,
    revision: u64,
    digest: [u8; 32],
}

/// What one node showed, in the order in which it did.
pub(crate) struct Sightings {
    node: String,
    seen: Vec<Sighting>,
    /// Digests that it told of itself.
    told: BTreeSet<Digested>,
}

/// One observer for each node, until they are told to stop. Each holds that its node never goes back.
pub(crate) fn watch(api: &Api, nodes: &[String]) -> Running<Sightings> {
    let mut running = Running::none();
    for node in nodes {
        let (api, node) = (api.clone(), node.clone());
        running.add(|stop| async move {
            let (mut seen, mut told) = (Vec::<Sighting>::new(), BTreeSet::new());
            while !stop.is_told() {
                // One page holds every flag, so that it is of one snapshot: the one whose revision it carries.
                let reply = api.get(&node, "/features?limit=500").await?;
                must!(reply.status == 200, "{node} shows no flags: {} {}", reply.status, reply.text);
                let revision = reply.revision()?;
                let digest = digest_of(&reply.json()?["features"]);
                if let Some(last) = seen.last() {
                    let before = last.revision;
                    must!(revision >= before, "{node} went back from revision {before} to {revision}");
                }
                if seen.last().is_none_or(|last| last.revision != revision || last.digest != digest) {
                    seen.push(Sighting { at: Instant::now(), revision, digest });
                }
                told.extend(digest::told(&api.report(&node).await?.text));
                sleep(LOOK).await;
            }
            Ok(Sightings { node, seen, told })
        });
    }
    running
}

/// Holds that all nodes showed the same at the same revision; says how many sightings there were.
pub(crate) fn compare(all: &[Sightings]) -> Result<usize> {
    let mut known: BTreeMap<u64, (&str, [u8; 32])> = BTreeMap::new();
    for Sightings { node, seen, .. } in all {
        for Sighting { revision, digest, .. } in seen {
            let (first, right) = known.entry(*revision).or_insert((node, *digest));
            must!(right == digest, "{first} and {node} show different flags at revision {revision}");
        }
    }
    Ok(all.iter().map(|sightings| sightings.seen.len()).sum())
}

/// From the acknowledgement of each write to its being visible on each node. A write that a node never came to is a fault.
pub(crate) fn propagation(all: &[Sightings], attempts: &[Attempt]) -> Result<Times> {
    let mut times = Times::default();
    for Sightings { node, seen, .. } in all {
        for Attempt { outcome, told, author, .. } in attempts {
            let Outcome::Acknowledged(revision) = outcome else { continue };
            match seen.iter().find(|sighting| sighting.revision >= *revision) {
                Some(sighting) => times.push(sighting.at.saturating_duration_since(*told)),
                None => must!(false, "{node} never came to revision {revision}, which {author} was told"),
            }
        }
    }
    Ok(times)
}

/// Holds that every digest that a node told is the one that follows from the log at that revision; says how many there were.
pub(crate) fn told_rightly(all: &[Sightings], epoch: &str, log: &[Line]) -> Result<usize> {
    let told: BTreeSet<&Digested> = all.iter().flat_map(|sightings| &sightings.told).collect();
    let mut state = State { epoch: epoch.to_owned(), ..State::default() };
    let mut known = BTreeMap::from([(0, digest::of(&state)?)]);
    for line in log {
        state.fold(line)?;
        if told.iter().any(|told| told.revision == state.revision) {
            known.insert(state.revision, digest::of(&state)?);
        }
    }
    for told in &told {
        let right = known.get(&told.revision);
        must!(right == Some(told), "a node told {told:?}, and the log comes to {right:?}");
    }
    must!(!told.is_empty(), "no node told a digest");
    Ok(told.len())
}

fn digest_of(flags: &Value) -> [u8; 32] {
    Sha256::digest(flags.to_string()).into()
}
