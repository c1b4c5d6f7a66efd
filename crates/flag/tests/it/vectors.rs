//! The golden cases of `spec/vectors`, held against a real server over HTTP.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flag_core::Percentage;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::client::{Answer, Client, read};
use crate::fleet::Fleet;

/// How many requests are on their way at once. Writes that wait together share a commit.
const AT_ONCE: usize = 24;

fn cases(name: &str) -> (Value, Vec<Value>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors").join(name);
    let mut file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = serde_json::from_value(file["cases"].take()).unwrap();
    (file, cases)
}

/// Does `work` for every item, several at a time.
async fn each<T, F>(items: Vec<T>, work: impl Fn(usize, T) -> F + Send + Sync + Copy + 'static)
where
    T: Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send,
{
    let (items, next) = (Arc::new(items), Arc::new(AtomicUsize::new(0)));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (items, next) = (Arc::clone(&items), Arc::clone(&next));
        workers.spawn(async move {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(place) else { break };
                work(place, item.clone()).await;
            }
        });
    }
    workers.join_all().await;
}

/// A client that every worker may borrow for as long as the test runs.
fn lasting(fleet: &Fleet) -> &'static Client {
    Box::leak(Box::new(fleet.client()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_golden_context_gets_the_golden_answer_over_http() {
    let fleet = Fleet::sqlite();
    let client = lasting(&fleet);
    let (file, cases) = cases("evaluation.json");
    let entries: Vec<Value> = file["snapshot"]["flags"].as_array().unwrap().clone();
    let (flags, count) = (entries.len(), cases.len());
    each(entries, move |_, entry| create(client, entry)).await;
    assert_eq!(client.get("/features?limit=1").await.expect(200).json()["total"], flags);

    each(cases, move |place, case| async move {
        let mut context = json!({});
        for (at, member) in [(1, "userId"), (2, "groupId"), (3, "region")] {
            // An absent member is not sent, or sent as null.
            if !case[at].is_null() || place % 2 == 0 {
                context[member] = case[at].clone();
            }
        }
        let (enabled, source) = client.evaluate(case[0].as_str().unwrap(), context).await;
        assert_eq!((json!(enabled), json!(source)), (case[4].clone(), case[5].clone()), "{case}");
    })
    .await;
    assert!(count >= 8_000, "{count} cases are left");
}

/// Creates the flag of an entry in a snapshot document, and pins whom it pins.
async fn create(client: &Client, entry: Value) {
    let flag = &entry["flag"];
    let (key, share) = (flag["key"].as_str().unwrap(), &flag["rolloutPct"]);
    let body = json!({"key": key, "enabled": flag["enabled"], "rolloutPct": share});
    let created = client.post("/features", body).await.expect(201).json();
    assert_eq!((&created["salt"], &created["rolloutPct"]), (&flag["salt"], share));
    for (level, member) in [("user", "userId"), ("group", "groupId"), ("region", "region")] {
        for (variant, enabled) in [("on", true), ("off", false)] {
            for id in entry["overrides"][level][variant].as_array().into_iter().flatten() {
                let path = format!("/features/{key}/{level}-override");
                client.post(&path, json!({member: id, "enabled": enabled})).await.expect(200);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_golden_percentage_is_read_or_refused_over_http() {
    let fleet = Fleet::sqlite();
    let client = lasting(&fleet);
    client.post("/features", json!({"key": "share", "enabled": false})).await.expect(201);
    let (http, url) = (reqwest::Client::new(), format!("{}/features/share/rollout", fleet.nodes[0].url));
    let request: &'static _ = Box::leak(Box::new(http.patch(url).header("content-type", "application/json")));
    let (_, cases) = cases("percentage.json");
    let reasons: BTreeSet<String> = cases.iter().map(|case| case[2].to_string()).collect();
    assert_eq!((reasons.len(), cases.len() >= 3_000), (4, true), "{reasons:?}");
    each(cases, move |_, case| async move {
        let text = case[0].as_str().unwrap();
        let body = format!("{{\"rolloutPct\":{text}}}");
        let answer = read(request.try_clone().unwrap().body(body)).await.unwrap();
        let is_json = serde_json::from_str::<&RawValue>(text).is_ok_and(|raw| raw.get() == text);
        match (case[1].as_u64(), case[2].as_str()) {
            // Space around a number is a matter of JSON, and so are zeros before it. `null` takes the rollout away.
            _ if text == "null" => assert_eq!(answer.expect(200).json()["rolloutPct"], Value::Null),
            _ if text.trim() != text => drop(answer.expect(200)),
            (Some(thousandths), _) if is_json => {
                let share: Percentage = answer.expect(200).json()["rolloutPct"].to_string().parse().unwrap();
                assert_eq!(u64::from(share.thousandths()), thousandths, "{text}");
            }
            (_, Some("out_of_range")) if is_json => refused(&answer, "between 0 and 100"),
            (_, Some("too_precise")) if is_json => refused(&answer, "at most three decimals"),
            _ => assert_eq!(answer.code(), "malformed_json", "{text}"),
        }
    })
    .await;
}

#[track_caller]
fn refused(answer: &Answer, why: &str) {
    assert_eq!(answer.code(), "invalid_input", "{}", answer.text);
    assert!(answer.text.contains(why), "{}", answer.text);
}
