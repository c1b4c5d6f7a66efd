//! `unleash-yggdrasil`: strategies compiled to closures, pinned users in a hash set.

use std::hint::black_box;

use serde_json::{Value, json};
use unleash_yggdrasil::{ClientFeatures, Context, EngineState};

use crate::{
    engine::Engine,
    scenario::{Flag, Rungs},
};

pub struct Unleash(EngineState);

impl Engine for Unleash {
    type Context = Context;

    fn with_flags(flags: &[Flag]) -> Self {
        let features: Vec<_> = flags.iter().map(feature).collect();
        let features: ClientFeatures = serde_json::from_value(json!({"version": 2, "features": features}))
            .expect("as the server sends it");
        let state = EngineState::default();
        let warnings = state.apply_client_features(features);
        assert!(warnings.is_none_or(|warnings| warnings.is_empty()), "every strategy compiles");
        Self(state)
    }

    fn context(user: &'static str) -> Self::Context {
        Context { user_id: Some(user.to_owned()), ..Context::default() }
    }

    fn is_on(&mut self, key: &'static str, context: &mut Self::Context) -> bool {
        black_box(self.0.is_enabled(key, context, &None))
    }
}

fn feature(flag: &Flag) -> Value {
    let strategies = match &flag.rungs {
        Rungs::On | Rungs::Off => json!([]),
        Rungs::Rollout(percent) => {
            let parameters =
                json!({"rollout": percent.to_string(), "stickiness": "userId", "groupId": flag.key});
            json!([{"name": "flexibleRollout", "parameters": parameters}])
        }
        Rungs::Pinned(users) => json!([{"name": "userWithId", "parameters": {"userIds": users.join(",")}}]),
    };
    json!({"name": flag.key, "enabled": !matches!(flag.rungs, Rungs::Off), "strategies": strategies})
}
