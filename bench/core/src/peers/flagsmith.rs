//! `flagsmith-flag-engine`: segments that override flags, MD5 for rollouts, pinned users in a list.
//!
//! It evaluates every flag for the identity that stands in the environment, so that one question costs the whole environment,
//! and a thousand flags are asked for once.

use std::hint::black_box;

use flagsmith_flag_engine::{
    engine::get_evaluation_result,
    engine_eval::{EngineEvaluationContext, EvaluationResult, context::IdentityContext},
};
use serde_json::{Map, Value, json};

use crate::{
    engine::Engine,
    scenario::{Flag, Rungs},
};

pub struct Flagsmith(EngineEvaluationContext);

impl Flagsmith {
    fn evaluate(&mut self, identity: &mut Option<IdentityContext>) -> EvaluationResult {
        // Lent to the environment and taken back, so that a prepared identity is not copied.
        self.0.identity = identity.take();
        let result = black_box(get_evaluation_result(&self.0));
        *identity = self.0.identity.take();
        result
    }
}

impl Engine for Flagsmith {
    type Context = Option<IdentityContext>;

    fn with_flags(flags: &[Flag]) -> Self {
        let features: Map<String, Value> = flags
            .iter()
            .map(|flag| (flag.key.to_owned(), feature(flag, matches!(flag.rungs, Rungs::On))))
            .collect();
        let segments: Map<String, Value> =
            flags.iter().filter_map(|flag| Some((flag.key.to_owned(), segment(flag)?))).collect();
        let environment = json!({"key": "production", "name": "production"});
        let document = json!({"environment": environment, "features": features, "segments": segments});
        Self(serde_json::from_value(document).expect("as its documentation shows"))
    }

    fn context(user: &'static str) -> Self::Context {
        Some(IdentityContext {
            identifier: user.to_owned(),
            key: user.to_owned(),
            traits: Default::default(),
        })
    }

    fn is_on(&mut self, key: &'static str, identity: &mut Self::Context) -> bool {
        self.evaluate(identity).flags.get(key).is_some_and(|flag| flag.enabled)
    }

    fn count_on(&mut self, _: &[&'static str], identity: &mut Self::Context) -> usize {
        self.evaluate(identity).flags.values().filter(|flag| flag.enabled).count()
    }
}

fn feature(flag: &Flag, enabled: impl Into<Value>) -> Value {
    json!({"key": flag.key, "name": flag.key, "enabled": enabled.into(), "value": null})
}

fn segment(flag: &Flag) -> Option<Value> {
    let condition = match &flag.rungs {
        Rungs::On | Rungs::Off => return None,
        Rungs::Rollout(percent) => {
            json!({"operator": "PERCENTAGE_SPLIT", "property": "$.identity.key", "value": percent.to_string()})
        }
        Rungs::Pinned(users) => {
            json!({"operator": "IN", "property": "$.identity.identifier", "value": users})
        }
    };
    Some(json!({
        "key": flag.key,
        "name": flag.key,
        "overrides": [feature(flag, true)],
        "rules": [{"type": "ALL", "conditions": [condition], "rules": []}],
    }))
}
