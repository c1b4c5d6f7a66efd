//! The oracle: what the rows of the database mean, worked out by slow and obvious code that knows nothing of the engine's.
//! Plain maps, the ladder as it is written down, and the bucket by another implementation of the hash.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::chance::Chance;
use crate::verdict::must;

/// What a node shows: each flag and, in the order of the lists, who is pinned.
pub(crate) type Shown = BTreeMap<String, (Value, Vec<Value>)>;

/// Whether the feature is on, and the rung that said so; nothing for a flag that does not exist.
pub(crate) type Answer = Option<(bool, String)>;

const LEVELS: [&str; 3] = ["user", "group", "region"];

/// One environment as the database holds it.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct State {
    pub(crate) epoch: String,
    pub(crate) revision: u64,
    pub(crate) flags: BTreeMap<String, FlagState>,
}

/// One flag: its document, and who is pinned to what, by level and id.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct FlagState {
    pub(crate) document: Value,
    pub(crate) pins: BTreeMap<(String, String), bool>,
}

/// One line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) revision: u64,
    pub(crate) entry: Value,
}

impl Line {
    pub(crate) fn author(&self) -> &str {
        self.entry["author"].as_str().unwrap_or_default()
    }
}

/// Who asks for what.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) key: String,
    /// User, group and region.
    pub(crate) context: [Option<String>; 3],
}

impl Question {
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({});
        for (member, id) in ["userId", "groupId", "region"].into_iter().zip(&self.context) {
            if let Some(id) = id {
                body[member] = json!(id);
            }
        }
        body
    }
}

impl State {
    /// What a node has to show.
    pub(crate) fn shown(&self) -> Shown {
        let shown = self.flags.iter().map(|(key, flag)| {
            let mut pins = Vec::new();
            for level in LEVELS {
                for ((of, id), enabled) in &flag.pins {
                    if of == level {
                        pins.push(json!({"level": level, "id": id, "enabled": enabled}));
                    }
                }
            }
            (key.clone(), (flag.document.clone(), pins))
        });
        shown.collect()
    }

    /// The first thing that `shown` has otherwise; nothing if it is right.
    pub(crate) fn difference(&self, shown: &Shown) -> Option<String> {
        let right = self.shown();
        let keys = right.keys().chain(shown.keys().filter(|key| !right.contains_key(*key)));
        for key in keys {
            let (found, due) = (shown.get(key), right.get(key));
            if found != due {
                let revision = self.revision;
                return Some(format!("{key} at revision {revision} is {due:?}, and is shown as {found:?}"));
            }
        }
        None
    }

    /// A digest of everything that can decide an answer or is shown, but for when and at which revision it came about.
    pub(crate) fn digest(&self) -> String {
        let mut text = String::new();
        for (key, (mut document, pins)) in self.shown() {
            for member in ["revision", "createdAt", "updatedAt"] {
                document.as_object_mut().map(|members| members.remove(member));
            }
            text += &format!("{key} {document} {}\n", Value::from(pins));
        }
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The ladder.
    pub(crate) fn answer(&self, question: &Question) -> Answer {
        let flag = self.flags.get(&question.key)?;
        let present = |place: usize| question.context[place].as_deref().filter(|id| !id.is_empty());
        let rungs = ["USER_OVERRIDE", "GROUP_OVERRIDE", "REGION_OVERRIDE"];
        for (place, level) in LEVELS.into_iter().enumerate() {
            let pin = present(place).and_then(|id| flag.pins.get(&(level.to_owned(), id.to_owned())));
            if let Some(enabled) = pin {
                return Some((*enabled, rungs[place].to_owned()));
            }
        }
        let share = flag.document["rolloutPct"].as_f64();
        if let (Some(share), Some(user)) = (share, present(0)) {
            let salt = flag.document["salt"].as_str().unwrap_or_default();
            let enabled = bucket(user, salt) < thousandths(share);
            return Some((enabled, "PERCENTAGE_ROLLOUT".to_owned()));
        }
        Some((flag.document["enabled"] == true, "GLOBAL_DEFAULT".to_owned()))
    }

    /// Some questions that come to every rung: by those who are pinned, and by others.
    pub(crate) fn questions(&self, chance: &mut Chance, count: usize) -> Vec<Question> {
        let flags: Vec<(&String, &FlagState)> = self.flags.iter().collect();
        if flags.is_empty() {
            return Vec::new();
        }
        let mut questions = Vec::new();
        for _ in 0..count {
            let (key, flag) = flags[chance.place(flags.len())];
            let mut context = [None, None, None];
            if chance.happens(70) {
                context[0] = Some(format!("somebody {}", chance.below(1_000)));
            }
            let pins: Vec<&(String, String)> = flag.pins.keys().collect();
            if !pins.is_empty() && chance.happens(60) {
                let (level, id) = pins[chance.place(pins.len())];
                let place = LEVELS.iter().position(|known| known == level).unwrap_or_default();
                context[place] = Some(id.clone());
            }
            questions.push(Question { key: key.clone(), context });
        }
        questions
    }

    /// Holds the rows of the state against the log, folded from its first line: revisions are dense, and what the lines lead
    /// to is what the rows say.
    pub(crate) fn follows_from_the_log(&self, log: &[Line]) -> Result<()> {
        let mut folded = Self { epoch: self.epoch.clone(), ..Self::default() };
        for line in log {
            folded.fold(line)?;
        }
        must!(
            folded.revision == self.revision,
            "the log ends at revision {}, and the environment stands at {}",
            folded.revision,
            self.revision
        );
        if let Some(difference) = self.difference(&folded.shown()) {
            must!(false, "the rows do not say what the log leads to: {difference}");
        }
        Ok(())
    }

    /// Does what a line of the log says.
    pub(crate) fn fold(&mut self, line: &Line) -> Result<()> {
        let Line { revision, entry } = line;
        let (change, time) = (&entry["change"], &entry["time"]);
        must!(
            *revision == self.revision + 1 && entry["revision"] == *revision,
            "revision {revision} follows {}: {entry}",
            self.revision
        );
        self.revision = *revision;
        let key = change["key"].as_str().context("a change without a key")?.to_owned();
        let kind = change["type"].as_str().context("a change without a type")?;
        if kind == "flag_created" {
            must!(!self.flags.contains_key(&key), "a flag is created that exists: {entry}");
            let document = json!({
                "key": key, "description": change["description"], "enabled": change["enabled"],
                "rolloutPct": change["rolloutPct"], "salt": key, "revision": revision,
                "createdAt": time, "updatedAt": time,
            });
            self.flags.insert(key, FlagState { document, pins: BTreeMap::new() });
            return Ok(());
        }
        let Some(flag) = self.flags.get_mut(&key) else {
            must!(false, "a flag is changed that does not exist: {entry}");
            return Ok(());
        };
        flag.document["revision"] = json!(revision);
        flag.document["updatedAt"] = time.clone();
        let text = |member: &str| change[member].as_str().unwrap_or_default().to_owned();
        let pin = (text("level"), text("subject"));
        match kind {
            "flag_deleted" => drop(self.flags.remove(&key)),
            "global_set" => flag.document["enabled"] = change["enabled"].clone(),
            "rollout_set" => flag.document["rolloutPct"] = change["rolloutPct"].clone(),
            "override_set" => drop(flag.pins.insert(pin, change["enabled"] == true)),
            "override_removed" => {
                must!(flag.pins.remove(&pin).is_some(), "somebody is let go who is not pinned: {entry}");
            }
            _ => anyhow::bail!("the oracle does not know changes of the type {kind}: teach it"),
        }
        Ok(())
    }
}

/// A percentage in thousandths. It has three decimals at most, so that rounding only undoes what the float lost.
fn thousandths(share: f64) -> u64 {
    (share * 1_000.0).round() as u64
}

/// The bucket of a user under a salt, from 0 to 99,999.
fn bucket(user: &str, salt: &str) -> u64 {
    let unit = xxhash_rust::xxh64::xxh64(user.as_bytes(), 0);
    let seed = xxhash_rust::xxh64::xxh64(salt.as_bytes(), 0);
    let hash = xxhash_rust::xxh64::xxh64(&unit.to_le_bytes(), seed);
    ((u128::from(hash) * 100_000) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(revision: u64, change: &Value) -> Line {
        let time = "2026-01-31T12:00:00.000Z";
        Line { revision, entry: json!({"revision": revision, "time": time, "author": "a", "change": change}) }
    }

    #[test]
    fn a_log_leads_to_a_state_and_the_state_to_answers() {
        let mut state = State::default();
        for (revision, change) in (1..).zip([
            json!({"type": "flag_created", "key": "f", "description": null, "enabled": true, "rolloutPct": null}),
            json!({"type": "override_set", "key": "f", "level": "group", "subject": "beta", "enabled": false}),
            json!({"type": "rollout_set", "key": "f", "rolloutPct": 100}),
            json!({"type": "override_set", "key": "f", "level": "user", "subject": "ann", "enabled": false}),
        ]) {
            state.fold(&line(revision, &change)).unwrap();
        }
        let ask = |user: &str, group: &str| {
            let context = [Some(user.to_owned()), Some(group.to_owned()), None];
            state.answer(&Question { key: "f".to_owned(), context })
        };
        for (user, group, enabled, source) in [
            ("ann", "beta", false, "USER_OVERRIDE"),
            ("bob", "beta", false, "GROUP_OVERRIDE"),
            ("bob", "", true, "PERCENTAGE_ROLLOUT"),
            ("", "", true, "GLOBAL_DEFAULT"),
        ] {
            assert_eq!(ask(user, group), Some((enabled, source.to_owned())), "{user} {group}");
        }
        assert!(state.difference(&state.shown()).is_none());
        assert!(state.difference(&Shown::new()).is_some());
        let deleted = json!({"type": "flag_deleted", "key": "f"});
        assert!(state.clone().fold(&line(6, &deleted)).is_err(), "a revision is missing");
        state.fold(&line(5, &deleted)).unwrap();
        assert!(state.fold(&line(6, &deleted)).is_err(), "it is gone already");
        assert_eq!(ask_empty(&state), None);
    }

    fn ask_empty(state: &State) -> Answer {
        state.answer(&Question { key: "f".to_owned(), context: [None, None, None] })
    }
}
