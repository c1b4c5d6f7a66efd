//! A slow and obvious model of an environment, which reads the lines of the log as they are printed and shares no code with
//! the engine; and what a server or a snapshot shows, in the same form.

use std::collections::BTreeMap;

use flag_core::{Level, Snapshot};
use flag_engine::document::FlagDocument;
use serde_json::{Value, json};

use crate::client::Client;

/// What a reader sees: each flag as it is printed, and who is pinned on it, in the order of the list.
pub type Shown = BTreeMap<String, (Value, Vec<Value>)>;

/// The flags of an environment.
#[derive(Default)]
pub struct Model(BTreeMap<String, Flag>);

struct Flag {
    printed: Value,
    /// By the place of the level among the levels, and by the id.
    pins: BTreeMap<(usize, String), bool>,
}

const LEVELS: [&str; 3] = ["user", "group", "region"];

impl Model {
    /// Does what a line of the log says.
    pub fn fold(&mut self, line: &Value) {
        let change = &line["change"];
        let key = text(&change["key"]);
        match text(&change["type"]).as_str() {
            "flag_created" => {
                let printed = json!({
                    "key": key, "description": change["description"], "enabled": change["enabled"],
                    "rolloutPct": change["rolloutPct"], "salt": key, "createdAt": line["time"],
                });
                let before = self.0.insert(key.clone(), Flag { printed, pins: BTreeMap::new() });
                assert!(before.is_none(), "created twice: {line}");
            }
            "flag_deleted" => assert!(self.0.remove(&key).is_some(), "deleted what was not there: {line}"),
            "global_set" => self.flag(line).printed["enabled"] = change["enabled"].clone(),
            "rollout_set" => self.flag(line).printed["rolloutPct"] = change["rolloutPct"].clone(),
            "override_set" => {
                self.flag(line).pins.insert(pin(change), change["enabled"] == true);
            }
            "override_removed" => {
                let released = self.flag(line).pins.remove(&pin(change));
                assert!(released.is_some(), "released who was not pinned: {line}");
            }
            _ => panic!("unknown: {line}"),
        }
        if let Some(flag) = self.0.get_mut(&key) {
            flag.printed["revision"] = line["revision"].clone();
            flag.printed["updatedAt"] = line["time"].clone();
        }
    }

    /// Whether everything is already as the change asks.
    pub fn is_so(&self, change: &Value) -> bool {
        let Some(flag) = self.0.get(&text(&change["key"])) else { return false };
        match text(&change["type"]).as_str() {
            "global_set" => flag.printed["enabled"] == change["enabled"],
            "rollout_set" => flag.printed["rolloutPct"] == change["rolloutPct"],
            "override_set" => flag.pins.get(&pin(change)) == Some(&(change["enabled"] == true)),
            _ => false,
        }
    }

    /// What a reader should see.
    pub fn shown(&self) -> Shown {
        let pins = |flag: &Flag| {
            let pins = flag.pins.iter();
            pins.map(|((level, id), enabled)| json!({"level": LEVELS[*level], "id": id, "enabled": enabled}))
                .collect()
        };
        self.0.iter().map(|(key, flag)| (key.clone(), (flag.printed.clone(), pins(flag)))).collect()
    }

    fn flag(&mut self, line: &Value) -> &mut Flag {
        let flag = self.0.get_mut(&text(&line["change"]["key"]));
        flag.unwrap_or_else(|| panic!("a change of a flag that is not there: {line}"))
    }
}

fn pin(change: &Value) -> (usize, String) {
    let level = LEVELS.iter().position(|level| change["level"] == *level).expect("a level");
    (level, text(&change["subject"]))
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// What a snapshot of the core shows.
pub fn shown_by_snapshot(snapshot: &Snapshot) -> Shown {
    let flags = snapshot.flags().map(|flag| {
        let mut pins = Vec::new();
        for level in Level::ALL {
            let mut found: Vec<_> = flag.overrides.iter(level).collect();
            found.sort_unstable();
            pins.extend(found.iter().map(
                |pin| json!({"level": level.name(), "id": pin.subject, "enabled": pin.variant.enabled()}),
            ));
        }
        (flag.key.as_str().to_owned(), (json!(FlagDocument::from(flag)), pins))
    });
    flags.collect()
}

/// What a server shows, page by page.
pub async fn shown_by_server(client: &Client) -> Shown {
    let mut shown = Shown::new();
    for flag in client.pages("/features", "features").await {
        let key = text(&flag["key"]);
        let pins = client.pages(&format!("/features/{key}/overrides"), "overrides").await;
        assert!(shown.insert(key, (flag, pins)).is_none(), "a flag is listed once");
    }
    shown
}
