//! `configcat`: its client with local flags; SHA-1 for rollouts, pinned users in a list.
//!
//! The client is asynchronous and takes the user by value, so that a user made beforehand has to be copied for each question.

use std::{
    collections::HashMap,
    hint::black_box,
    pin::pin,
    task::{self, Poll, Waker},
};

use configcat::{Client, Config, OverrideBehavior, OverrideDataSource, PollingMode, Setting, User};
use serde_json::{Map, Value, json};

use crate::{
    engine::Engine,
    scenario::{Flag, Rungs},
};

pub struct ConfigCat(Client);

struct Local(Config);

impl OverrideDataSource for Local {
    fn settings(&self) -> &HashMap<String, Setting> {
        &self.0.settings
    }
}

impl Engine for ConfigCat {
    type Context = User;

    fn with_flags(flags: &[Flag]) -> Self {
        let settings: Map<String, Value> =
            flags.iter().map(|flag| (flag.key.to_owned(), setting(flag))).collect();
        let config = serde_json::from_value(json!({"f": settings})).expect("as the server sends it");
        let client = Client::builder("local")
            .polling_mode(PollingMode::Manual)
            .overrides(Box::new(Local(config)), OverrideBehavior::LocalOnly)
            .build();
        Self(client.expect("a client without a server needs no key"))
    }

    fn context(user: &'static str) -> Self::Context {
        User::new(user)
    }

    fn is_on(&mut self, key: &'static str, user: &mut Self::Context) -> bool {
        let question = pin!(self.0.get_value(key, false, Some(user.clone())));
        match question.poll(&mut task::Context::from_waker(Waker::noop())) {
            Poll::Ready(on) => black_box(on),
            Poll::Pending => unreachable!("local flags are there at once"),
        }
    }
}

fn setting(flag: &Flag) -> Value {
    let (on, off) = (json!({"b": true}), json!({"b": false}));
    match &flag.rungs {
        Rungs::On => json!({"t": 0, "v": on}),
        Rungs::Off => json!({"t": 0, "v": off}),
        Rungs::Rollout(percent) => {
            json!({"t": 0, "v": off, "p": [{"p": percent, "v": on}, {"p": 100 - percent, "v": off}]})
        }
        Rungs::Pinned(users) => {
            let condition = json!({"u": {"a": User::IDENTIFIER, "c": 0, "l": users}});
            json!({"t": 0, "v": off, "r": [{"c": [condition], "s": {"v": on}}]})
        }
    }
}
