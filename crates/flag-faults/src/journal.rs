//! The journal: every write that was attempted, with what its writer was told. Each write has an author of its own, by which
//! it is found again in the log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::{Api, Reply, percent_encoded};
use crate::chance::Chance;
use crate::state::{Line, State};
use crate::verdict::must;

/// A change that is asked for, and by which request.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// As the log writes it down.
    pub(crate) change: Value,
    method: Method,
    path: String,
    body: Option<Value>,
}

/// What the writer was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It is done; the environment came to this revision.
    Acknowledged(u64),
    /// Nothing was changed, says this status with this code.
    Refused(u16, String),
    /// That nobody knows, or nothing at all because the connection broke.
    Unknown,
}

/// One attempt.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) author: String,
    pub(crate) change: Value,
    pub(crate) outcome: Outcome,
    /// When the writer was told.
    pub(crate) told: Instant,
}

/// All attempts of a scenario.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<Attempt>>>);

/// How many attempts came to what.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Tally {
    pub(crate) acknowledged: usize,
    pub(crate) refused: usize,
    pub(crate) unknown: usize,
    /// Of the unknown, those that are in the log.
    pub(crate) found: usize,
}

impl Tally {
    pub(crate) fn line(&self) -> String {
        let Self { acknowledged, refused, unknown, found } = self;
        format!(
            "{acknowledged} writes acknowledged, {refused} refused, {unknown} unknown of which {found} made"
        )
    }
}

impl Wish {
    /// How many flags [`Wish::random`] speaks of.
    pub(crate) const FLAGS: u64 = 8;

    /// The key of one of them.
    pub(crate) fn key(number: u64) -> String {
        format!("flag-{number}")
    }

    pub(crate) fn create(key: &str) -> Self {
        Self {
            change: json!({
                "type": "flag_created", "key": key, "description": null, "enabled": false, "rolloutPct": null,
            }),
            method: Method::POST,
            path: "/features".to_owned(),
            body: Some(json!({"key": key, "enabled": false})),
        }
    }

    pub(crate) fn delete(key: &str) -> Self {
        Self {
            change: json!({"type": "flag_deleted", "key": key}),
            method: Method::DELETE,
            path: format!("/features/{key}"),
            body: None,
        }
    }

    pub(crate) fn switch(key: &str, state: &Value) -> Self {
        Self {
            change: json!({"type": "global_set", "key": key, "enabled": state}),
            method: Method::PATCH,
            path: format!("/features/{key}/global"),
            body: Some(json!({"enabled": state})),
        }
    }

    pub(crate) fn roll(key: &str, percent: &Value) -> Self {
        Self {
            change: json!({"type": "rollout_set", "key": key, "rolloutPct": percent}),
            method: Method::PATCH,
            path: format!("/features/{key}/rollout"),
            body: Some(json!({"rolloutPct": percent})),
        }
    }

    pub(crate) fn pin(key: &str, level: &str, id: &str, state: &Value) -> Self {
        let member = member(level);
        Self {
            change: json!({
                "type": "override_set", "key": key, "level": level, "subject": id, "enabled": state,
            }),
            method: Method::POST,
            path: format!("/features/{key}/{level}-override"),
            body: Some(json!({member: id, "enabled": state})),
        }
    }

    pub(crate) fn release(key: &str, level: &str, id: &str) -> Self {
        Self {
            change: json!({"type": "override_removed", "key": key, "level": level, "subject": id}),
            method: Method::DELETE,
            path: format!("/features/{key}/{level}-override/{}", percent_encoded(id)),
            body: None,
        }
    }

    /// Something that may well be asked of one of a few flags.
    pub(crate) fn random(chance: &mut Chance) -> Self {
        let key = Self::key(chance.below(Self::FLAGS));
        let level = *chance.pick(&["user", "group", "region"]);
        let id = format!("id {}/ü", chance.below(12));
        let state = json!(chance.happens(50));
        match chance.below(100) {
            0..8 => Self::create(&key),
            8..11 => Self::delete(&key),
            11..30 => Self::switch(&key, &state),
            30..50 => {
                let share = chance.below(100_001);
                let percent = if share.is_multiple_of(1_000) {
                    json!(share / 1_000)
                } else {
                    json!(share as f64 / 1_000.0)
                };
                Self::roll(&key, if chance.happens(10) { &Value::Null } else { &percent })
            }
            50..80 => Self::pin(&key, level, &id, &state),
            _ => Self::release(&key, level, &id),
        }
    }
}

fn member(level: &str) -> &str {
    match level {
        "user" => "userId",
        "group" => "groupId",
        other => other,
    }
}

impl Journal {
    /// Asks a node for a change, and writes down what it said.
    pub(crate) async fn write(&self, api: &Api, node: &str, author: &str, wish: &Wish) -> Result<Outcome> {
        let Wish { change, method, path, body } = wish;
        let answer = api.send(node, method.clone(), path, body.as_ref(), Some(author)).await;
        let outcome = match answer {
            // Nobody was told anything.
            Err(_) => Outcome::Unknown,
            Ok(reply) => outcome(&reply, author)?,
        };
        self.note(author, change.clone(), outcome.clone());
        Ok(outcome)
    }

    /// Writes down an attempt that was made in another way.
    pub(crate) fn note(&self, author: &str, change: Value, outcome: Outcome) {
        let attempt = Attempt { author: author.to_owned(), change, outcome, told: Instant::now() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(attempt);
    }

    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Holds the log against what writers were told:
    /// - what was acknowledged is there once, at the revision that was told, and is what was asked for; or it is not there, and
    ///   everything was as it asked at that revision already;
    /// - what was refused is not there, and what is unknown is there once or not at all;
    /// - nothing else is there.
    pub(crate) fn settle(&self, log: &[Line]) -> Result<Tally> {
        let mut lines: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
        for line in log {
            lines.entry(line.author()).or_default().push(line);
        }
        let (mut tally, mut idle) = (Tally::default(), BTreeMap::<u64, Vec<Attempt>>::new());
        for attempt in self.attempts() {
            let found = lines.remove(attempt.author.as_str()).unwrap_or_default();
            let Attempt { author, change, outcome, .. } = &attempt;
            let is_right = match (outcome, found.as_slice()) {
                (Outcome::Acknowledged(told), [line]) => *told == line.revision,
                (Outcome::Acknowledged(_), [])
                | (Outcome::Unknown, [_] | [])
                | (Outcome::Refused(..), []) => true,
                _ => false,
            };
            must!(is_right, "{author} asked for {change} and was told {outcome:?}; the log holds {found:?}");
            for line in &found {
                must!(line.entry["change"] == *change, "{author} asked for {change}; the log holds {line:?}");
            }
            match outcome {
                Outcome::Acknowledged(told) => {
                    tally.acknowledged += 1;
                    if found.is_empty() {
                        idle.entry(*told).or_default().push(attempt.clone());
                    }
                }
                Outcome::Refused(..) => tally.refused += 1,
                Outcome::Unknown => {
                    tally.unknown += 1;
                    tally.found += found.len();
                }
            }
        }
        must!(lines.is_empty(), "nobody asked for {lines:?}");
        had_no_effect(log, idle)?;
        Ok(tally)
    }
}

/// Holds that each of `idle`, which were acknowledged at their revision but left no line, asked for what was so already.
fn had_no_effect(log: &[Line], mut idle: BTreeMap<u64, Vec<Attempt>>) -> Result<()> {
    let mut state = State::default();
    let check = |state: &State, attempts: Option<Vec<Attempt>>| {
        for attempt in attempts.unwrap_or_default() {
            let Attempt { author, change, .. } = &attempt;
            must!(
                is_so(state, change),
                "{author} was told that {change} is done at revision {}, where it is neither in the log nor so",
                state.revision
            );
        }
        Ok(())
    };
    check(&state, idle.remove(&0))?;
    for line in log {
        state.fold(line)?;
        check(&state, idle.remove(&line.revision))?;
    }
    must!(idle.is_empty(), "acknowledged at revisions that are not in the log: {idle:?}");
    Ok(())
}

/// Whether everything is as the change asks.
fn is_so(state: &State, change: &Value) -> bool {
    let text = |member: &str| change[member].as_str().unwrap_or_default().to_owned();
    let Some(flag) = state.flags.get(&text("key")) else { return false };
    match change["type"].as_str().unwrap_or_default() {
        "global_set" => flag.document["enabled"] == change["enabled"],
        "rollout_set" => flag.document["rolloutPct"] == change["rolloutPct"],
        "override_set" => {
            let pin = flag.pins.get(&(text("level"), text("subject")));
            pin.is_some_and(|enabled| change["enabled"] == *enabled)
        }
        _ => false,
    }
}

fn outcome(reply: &Reply, author: &str) -> Result<Outcome> {
    let code = reply.code();
    Ok(match reply.status {
        200 | 201 | 204 => Outcome::Acknowledged(reply.revision()?),
        503 if code == "outcome_unknown" => Outcome::Unknown,
        404 | 409 | 412 | 503 => Outcome::Refused(reply.status, code),
        status => {
            must!(false, "{author} was told {status}, which no such write may get: {}", reply.text);
            Outcome::Unknown
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(revision: u64, author: &str, change: &Value) -> Line {
        let time = "2026-01-31T12:00:00.000Z";
        let entry = json!({"revision": revision, "time": time, "author": author, "change": change});
        Line { revision, entry }
    }

    #[test]
    fn the_log_has_to_agree_with_what_writers_were_told() {
        let (create, switch) = (Wish::create("f").change, Wish::switch("f", &json!(false)).change);
        let log = [line(1, "a", &create)];
        let refused = || Outcome::Refused(404, String::new());
        for (attempts, is_right) in [
            (vec![("a", &create, Outcome::Acknowledged(1))], true),
            (vec![("a", &create, Outcome::Unknown)], true),
            (vec![("a", &create, Outcome::Acknowledged(2))], false),
            (vec![("a", &create, refused())], false),
            (vec![("a", &switch, Outcome::Unknown)], false),
            (vec![], false),
            // It was off already.
            (vec![("a", &create, Outcome::Acknowledged(1)), ("b", &switch, Outcome::Acknowledged(1))], true),
            (vec![("a", &create, Outcome::Acknowledged(1)), ("b", &switch, Outcome::Acknowledged(0))], false),
            (vec![("a", &create, Outcome::Acknowledged(1)), ("b", &create, Outcome::Acknowledged(1))], false),
            (vec![("a", &create, Outcome::Acknowledged(1)), ("b", &switch, refused())], true),
        ] {
            let journal = Journal::default();
            for (author, change, outcome) in &attempts {
                journal.note(author, (*change).clone(), outcome.clone());
            }
            assert_eq!(journal.settle(&log).is_ok(), is_right, "{attempts:?}");
        }
    }
}
