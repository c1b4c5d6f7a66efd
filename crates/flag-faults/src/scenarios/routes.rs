//! Every route that can change something, with random bodies: the revision moves if and only if something changed.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::Scenario;
use crate::api::percent_encoded;
use crate::chance::Chance;
use crate::digest;
use crate::mutant::{Bug, Edit, Mutant};
use crate::site::{Bench, Hints, Site};
use crate::verdict::{Figures, must};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "T02-routes",
    sentence: "random valid bodies go to every route that the served interface describes and that is not for reading; the \
               revision moves by one if and only if the environment changes, and the node tells the digest of what it then is",
    target: "0 violations in 2,000 cases",
    run: |bench| Box::pin(run(bench)),
    mutants: &[
        Mutant {
            what: "a change leaves the environment at its revision",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-store-pg/src/append.rs",
                text: "before.checked_add(count)",
                replacement: "before.checked_add(count * 0)",
            }]),
        },
        Mutant {
            what: "setting the rollout that is set counts as a change",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-core/src/change.rs",
                text: "core::mem::replace(&mut flag.rollout, *rollout) == *rollout,",
                replacement: "core::mem::replace(&mut flag.rollout, *rollout) != *rollout && false,",
            }]),
        },
        Mutant {
            what: "pinning a subject leaves the row of the pin unwritten",
            bug: Bug::Source(&[Edit {
                file: "crates/flag-engine/src/rows.rs",
                text: "self.overrides.insert(row, *variant);",
                replacement: "let _ = (row, variant);",
            }]),
        },
    ],
};

/// How many cases in a hundred may be ones that the generator got wrong, such as a route whose bodies it does not know.
const MOST_INVALID: usize = 25;

async fn run(bench: Bench) -> Result<Figures> {
    let site = Site::start(&bench, 1, Hints::Notify).await?;
    let node = site.urls().remove(0);
    let interface = site.api.get(&node, "/openapi.json").await?.json()?;
    let routes = Route::all(&interface)?;
    must!(routes.len() >= 9, "the interface describes only {} routes that write", routes.len());
    let mut chance = bench.chance("cases");
    let mut tallies: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let (fewest, most) = (bench.pick(300, 2_000), bench.pick(1_200, 8_000));
    let (mut cases, mut moved, mut before) = (0, 0, site.database.state().await?);
    let all_succeeded = |tallies: &BTreeMap<String, [usize; 3]>| {
        routes.iter().all(|route| tallies.get(&route.name).is_some_and(|tally| tally[0] > 0))
    };
    // What has not succeeded yet, says nothing yet: what a route needs may have been there only when others were tried.
    while cases < fewest || (cases < most && !all_succeeded(&tallies)) {
        cases += 1;
        let route = chance.pick(&routes);
        let (path, body) = (route.path(&mut chance), route.body(&interface, &mut chance));
        let reply = site.api.send(&node, route.method.clone(), &path, body.as_ref(), None).await?;
        let after = site.database.state().await?;
        let what = format!("{} {path} {body:?} was answered {}", route.method, reply.status);
        let changed = before.digest() != after.digest();
        must!(reply.status < 500, "{what}: {}", reply.text);
        must!(
            after.revision == before.revision + u64::from(changed),
            "{what}; the environment {}, and its revision went from {} to {}",
            if changed { "changed" } else { "did not change" },
            before.revision,
            after.revision
        );
        must!(reply.status < 300 || !changed, "{what}, and changed the environment all the same");
        let told = reply.revision()?;
        must!(
            told == after.revision,
            "{what} at revision {told}, and the database stands at {}",
            after.revision
        );
        let shown = site.api.shown(&node).await?;
        if let Some(difference) = after.difference(&shown) {
            must!(false, "{what}; then {difference}");
        }
        digest::agree(&site.api, std::slice::from_ref(&node), &after, Duration::from_secs(5)).await?;
        let tally = tallies.entry(route.name.clone()).or_default();
        tally[match reply.status {
            200..300 => 0,
            400 => 2,
            _ => 1,
        }] += 1;
        moved += usize::from(changed);
        before = after;
    }
    before.follows_from_the_log(&site.database.log().await?)?;
    let invalid: usize = tallies.values().map(|tally| tally[2]).sum();
    must!(invalid * 100 <= cases * MOST_INVALID, "{invalid} of {cases} bodies were invalid: {tallies:?}");
    must!(all_succeeded(&tallies), "not every route ever succeeded: {tallies:?}");
    must!(moved > cases / 5 && moved < cases, "{moved} of {cases} cases changed something");
    Ok(Figures::default()
        .with(format!("{cases} cases on {} routes", routes.len()))
        .with(format!("{moved} changed something"))
        .with(format!("{invalid} bodies invalid")))
}

/// One method of one path of the interface.
struct Route {
    /// Method and path as the interface has them.
    name: String,
    method: Method,
    template: String,
    operation: Value,
}

impl Route {
    /// Every one that is not for reading.
    fn all(interface: &Value) -> Result<Vec<Self>> {
        let mut routes = Vec::new();
        for (template, operations) in interface["paths"].as_object().context("an interface without paths")? {
            for (method, operation) in operations.as_object().context("a path without methods")? {
                if matches!(method.as_str(), "post" | "put" | "patch" | "delete") {
                    let method: Method = method.to_uppercase().parse()?;
                    routes.push(Self {
                        name: format!("{method} {template}"),
                        method,
                        template: template.clone(),
                        operation: operation.clone(),
                    });
                }
            }
        }
        Ok(routes)
    }

    /// The path with every parameter filled in.
    fn path(&self, chance: &mut Chance) -> String {
        let mut path = String::new();
        for part in self.template.split('/').skip(1) {
            path.push('/');
            match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(name) => path += &percent_encoded(&word(name, chance)),
                None => path += part,
            }
        }
        path
    }

    /// A body that the interface allows; nothing where it describes none.
    fn body(&self, interface: &Value, chance: &mut Chance) -> Option<Value> {
        let schema = &self.operation["requestBody"]["content"]["application/json"]["schema"];
        (!schema.is_null()).then(|| value("", schema, interface, chance))
    }
}

/// A value that the schema allows for a member of this name.
fn value(name: &str, schema: &Value, interface: &Value, chance: &mut Chance) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        return value(name, interface.pointer(pointer).unwrap_or(&Value::Null), interface, chance);
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => vec!["null"],
    };
    if kinds.contains(&"null") && chance.happens(20) {
        return Value::Null;
    }
    if let Some(choices) = schema["enum"].as_array() {
        return chance.pick(choices).clone();
    }
    match kinds.first().copied().unwrap_or_default() {
        "boolean" => json!(chance.happens(50)),
        // Few different ones, so that the same is often set again.
        "number" => json!(*chance.pick(&[0.0, 12.5, 33.333, 50.0, 100.0])),
        "integer" => json!(chance.below(4)),
        "string" => json!(word(name, chance)),
        "array" => {
            json!([value(name, &schema["items"], interface, chance)])
        }
        "object" => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let mut members = Map::new();
            for (member, schema) in schema["properties"].as_object().into_iter().flatten() {
                if required.iter().any(|name| name == member) || chance.happens(60) {
                    members.insert(member.clone(), value(member, schema, interface, chance));
                }
            }
            Value::Object(members)
        }
        _ => Value::Null,
    }
}

/// A text for a member or parameter of this name: few different ones, so that the same is often meant.
fn word(name: &str, chance: &mut Chance) -> String {
    match name {
        "environment" => "default".to_owned(),
        "key" => format!("flag-{}", chance.below(5)),
        _ => format!("{name} {}", chance.below(4)),
    }
}
