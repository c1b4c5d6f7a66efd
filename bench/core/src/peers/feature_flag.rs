//! `feature-flag`: flags in a list behind a lock, found one by one; SHA-256 for rollouts.

use std::hint::black_box;

use feature_flag::{FlagEvaluator, FlagSet, Subject};
use serde_json::{Value, json};

use crate::{
    engine::Engine,
    scenario::{Flag, Rungs},
};

pub struct FeatureFlag(FlagEvaluator);

impl Engine for FeatureFlag {
    type Context = Subject;

    fn with_flags(flags: &[Flag]) -> Self {
        let flags: Vec<_> = flags.iter().map(definition).collect();
        let flags =
            FlagSet::from_json(&json!({"flags": flags}).to_string()).expect("as its documentation shows");
        Self(FlagEvaluator::new(flags))
    }

    fn context(user: &'static str) -> Self::Context {
        // Its rules see attributes only, not the id.
        Subject::new(user).with_attr("user", user)
    }

    fn is_on(&mut self, key: &'static str, context: &mut Self::Context) -> bool {
        black_box(self.0.evaluate(key, context)).is_ok_and(|answer| answer.variant == "on")
    }
}

fn definition(flag: &Flag) -> Value {
    let rules = match &flag.rungs {
        Rungs::On | Rungs::Off => json!([]),
        Rungs::Rollout(percent) => {
            let variants =
                json!([{"variant": "on", "weight": percent}, {"variant": "off", "weight": 100 - percent}]);
            let outcome = json!({"kind": "rollout", "variants": variants});
            json!([{"id": "rollout", "when": {"kind": "always"}, "outcome": outcome}])
        }
        Rungs::Pinned(users) => {
            let when = json!({"kind": "compare", "attr": "user", "op": "in", "value": users});
            json!([{"id": "pinned", "when": when, "outcome": {"kind": "variant", "variant": "on"}}])
        }
    };
    let default = if matches!(flag.rungs, Rungs::On) { "on" } else { "off" };
    json!({"id": flag.key, "variants": ["on", "off"], "default_variant": default, "rules": rules})
}
