//! `growthbook-rust`: rules with conditions on JSON, FNV for rollouts, pinned users in a list.

use std::{collections::HashMap, hint::black_box};

use growthbook_rust::{
    growthbook::GrowthBook as Definitions,
    model_public::{GrowthBookAttribute, GrowthBookAttributeValue},
};
use serde_json::{Map, Value, json};

use crate::{
    engine::Engine,
    scenario::{Flag, Rungs},
};

pub struct GrowthBook(Definitions);

impl Engine for GrowthBook {
    type Context = Option<Vec<GrowthBookAttribute>>;

    fn with_flags(flags: &[Flag]) -> Self {
        let features: Map<String, Value> =
            flags.iter().map(|flag| (flag.key.to_owned(), feature(flag))).collect();
        Self(Definitions {
            forced_variations: None,
            features: serde_json::from_value(features.into()).expect("as the server sends it"),
            attributes: None,
            sticky_bucket_service: None,
            saved_groups: HashMap::new(),
        })
    }

    fn context(user: &'static str) -> Self::Context {
        let id = GrowthBookAttributeValue::String(user.to_owned());
        Some(vec![GrowthBookAttribute::new("id".to_owned(), id)])
    }

    fn is_on(&mut self, key: &'static str, context: &mut Self::Context) -> bool {
        black_box(self.0.check(key, context)).on
    }
}

fn feature(flag: &Flag) -> Value {
    match &flag.rungs {
        Rungs::On => json!({"defaultValue": true}),
        Rungs::Off => json!({"defaultValue": false}),
        Rungs::Rollout(percent) => {
            let rule = json!({"force": true, "coverage": f64::from(*percent) / 100.0, "hashAttribute": "id"});
            json!({"defaultValue": false, "rules": [rule]})
        }
        Rungs::Pinned(users) => {
            json!({"defaultValue": false, "rules": [{"condition": {"id": {"$in": users}}, "force": true}]})
        }
    }
}
