//! `eppo_core`: allocations with rules and shards, MD5 for rollouts, pinned users in a list.

use std::{hint::black_box, sync::Arc};

use chrono::{DateTime, Utc};
use eppo_core::{
    Attributes, Configuration, SdkMetadata, Str,
    eval::get_assignment,
    ufc::{AssignmentValue, UniversalFlagConfig},
};
use serde_json::{Map, Value, json};

use crate::{
    engine::Engine,
    scenario::{Flag, Rungs},
};

pub struct Eppo {
    configuration: Configuration,
    /// Given, so that no clock is read in the loop.
    now: DateTime<Utc>,
}

impl Engine for Eppo {
    type Context = (Str, Arc<Attributes>);

    fn with_flags(flags: &[Flag]) -> Self {
        let flags: Map<String, Value> =
            flags.iter().map(|flag| (flag.key.to_owned(), definition(flag))).collect();
        let document = json!({
            "createdAt": "2026-01-01T00:00:00.000Z",
            "environment": {"name": "production"},
            "flags": flags,
        });
        let sdk = SdkMetadata { name: "bench", version: "0" };
        let flags =
            UniversalFlagConfig::from_json(sdk, document.to_string().into_bytes()).expect("a valid document");
        Self { configuration: Configuration::from_server_response(flags, None), now: Utc::now() }
    }

    fn context(user: &'static str) -> Self::Context {
        (Str::new(user), Arc::default())
    }

    fn is_on(&mut self, key: &'static str, (user, attributes): &mut Self::Context) -> bool {
        let assignment = get_assignment(Some(&self.configuration), key, user, attributes, None, self.now);
        match black_box(assignment) {
            Ok(Some(assignment)) => matches!(assignment.value, AssignmentValue::Boolean(true)),
            _ => false,
        }
    }
}

fn definition(flag: &Flag) -> Value {
    let (rules, shards) = match &flag.rungs {
        Rungs::On | Rungs::Off => (json!([]), json!([])),
        Rungs::Rollout(percent) => {
            let ranges = json!([{"start": 0, "end": percent * 100}]);
            (json!([]), json!([{"salt": flag.key, "ranges": ranges}]))
        }
        Rungs::Pinned(users) => {
            let condition = json!({"attribute": "id", "operator": "ONE_OF", "value": users});
            (json!([{"conditions": [condition]}]), json!([]))
        }
    };
    let splits = json!([{"variationKey": "on", "shards": shards}]);
    json!({
        "key": flag.key,
        "enabled": !matches!(flag.rungs, Rungs::Off),
        "variationType": "BOOLEAN",
        "variations": {"on": {"key": "on", "value": true}},
        "totalShards": 10_000,
        "allocations": [{"key": "all", "rules": rules, "splits": splits, "doLog": false}],
    })
}
