//! `launchdarkly-server-sdk-evaluation`: SHA-1 for rollouts, pinned users in lists.
//!
//! Its `Store` gives out copies of flags. Here the flag is looked up beside it and lent, which spares the copy.

use std::{collections::HashMap, hint::black_box};

use launchdarkly_server_sdk_evaluation::{
    Context, ContextBuilder, Flag as Definition, FlagValue, Segment, Store, evaluate,
};
use serde_json::{Value, json};

use crate::{
    engine::Engine,
    scenario::{Flag, Rungs},
};

pub struct LaunchDarkly(Flags);

struct Flags(HashMap<&'static str, Definition>);

/// Asked for prerequisites and segments, of which there are none here.
impl Store for Flags {
    fn flag(&self, key: &str) -> Option<Definition> {
        self.0.get(key).cloned()
    }

    fn segment(&self, _: &str) -> Option<Segment> {
        None
    }
}

impl Engine for LaunchDarkly {
    type Context = Context;

    fn with_flags(flags: &[Flag]) -> Self {
        let parsed = |flag: &Flag| serde_json::from_value(definition(flag)).expect("as the server sends it");
        Self(Flags(flags.iter().map(|flag| (flag.key, parsed(flag))).collect()))
    }

    fn context(user: &'static str) -> Self::Context {
        ContextBuilder::new(user).build().expect("the key is not empty")
    }

    fn is_on(&mut self, key: &'static str, context: &mut Self::Context) -> bool {
        let Some(flag) = self.0.0.get(key) else { return false };
        let detail = black_box(evaluate(&self.0, flag, context, None));
        matches!(detail.value, Some(FlagValue::Bool(true)))
    }
}

fn definition(flag: &Flag) -> Value {
    let (fallthrough, targets) = match &flag.rungs {
        Rungs::On => (json!({"variation": 0}), json!([])),
        Rungs::Off => (json!({"variation": 1}), json!([])),
        Rungs::Rollout(percent) => {
            let on = json!({"variation": 0, "weight": percent * 1_000});
            let off = json!({"variation": 1, "weight": (100 - percent) * 1_000});
            (json!({"rollout": {"variations": [on, off]}}), json!([]))
        }
        Rungs::Pinned(users) => (json!({"variation": 1}), json!([{"values": users, "variation": 0}])),
    };
    json!({
        "key": flag.key,
        "version": 1,
        "on": !matches!(flag.rungs, Rungs::Off),
        "targets": targets,
        "rules": [],
        "prerequisites": [],
        "fallthrough": fallthrough,
        "offVariation": 1,
        "variations": [true, false],
        "salt": flag.key,
        "clientSideAvailability": {"usingMobileKey": false, "usingEnvironmentId": false},
    })
}
