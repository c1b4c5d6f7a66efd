//! Bad requests, each with the answer that it has to get. None of them changes anything, and the server lives on.

mod broken_http;
mod bytes;
mod headers;
mod members;
mod paths;
mod queries;
mod row;
mod values;

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::fleet::Fleet;
use crate::wire::Request;
use row::{Row, get};

/// The revision that every row finds and leaves.
const REVISION: &str = "4";

/// Every row, by subject.
fn table() -> Vec<Row> {
    [members::rows(), values::rows(), bytes::rows(), paths::rows(), queries::rows(), headers::rows()].concat()
}

/// What is wrong with the answer to a row, if anything is.
fn complaint(row: &Row, answer: &Answer) -> Option<String> {
    let found = (answer.status, answer.header("content-type"), answer.header("flag-revision"));
    if found != (row.status, "application/problem+json", REVISION) {
        return Some(format!("{found:?}, not {}; {}", row.status, answer.text));
    }
    let problem = answer.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let faults = problem["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut faults: Vec<String> =
        faults.iter().map(|fault| format!("{} {}", text(&fault["in"]), text(&fault["field"]))).collect();
    let (mut expected, mut allow) =
        (row.faults.clone(), answer.header("allow").split(", ").collect::<Vec<_>>());
    faults.sort_unstable();
    expected.sort_unstable();
    allow.sort_unstable();
    let consistent = problem["status"] == row.status
        && problem["type"] == format!("urn:flag:problem:{}", row.code)
        && !text(&problem["title"]).is_empty()
        && !text(&problem["detail"]).is_empty();
    let is_right =
        problem["code"] == row.code && faults == expected && allow.join(", ") == row.allow && consistent;
    (!is_right).then(|| format!("{}, allows {allow:?}; due: {} {expected:?}", answer.text, row.code))
}

/// The revision, the log and the flags: what no bad request may touch.
fn state(node: &str) -> (u64, Value, Value) {
    let log = get("/environments/default/changes?limit=500").send(node).expect(200);
    let flags = get("/features?limit=500").send(node).expect(200);
    (flags.revision(), log.json(), flags.json())
}

async fn prepare(client: &Client) {
    client.post("/features", json!({"key": "f", "enabled": false})).await.expect(201);
    for (level, member, id) in [("user", "userId", "u"), ("group", "groupId", "g"), ("region", "region", "r")]
    {
        let body = json!({member: id, "enabled": false});
        client.post(&format!("/features/f/{level}-override"), body).await.expect(200);
    }
}

/// Sends every row and holds all the answers against the table, so that one run tells all that is wrong.
async fn every_row_holds(fleet: Fleet) {
    let client = fleet.client();
    prepare(&client).await;
    let node = &fleet.nodes[0].url;
    let before = state(node);
    assert_eq!(before.0.to_string(), REVISION);
    let rows = table();
    assert!(rows.len() >= 80, "{} rows", rows.len());
    let mut complaints = Vec::new();
    for row in &rows {
        let answer = row.request.send(node);
        assert_eq!(state(node), before, "{}", row.request.in_short());
        complaints
            .extend(complaint(row, &answer).map(|text| format!("{}\n    {text}", row.request.in_short())));
    }
    broken_http::check(node);
    assert_eq!(state(node), before);
    assert!(complaints.is_empty(), "{} of {} rows:\n{}", complaints.len(), rows.len(), complaints.join("\n"));

    // The server still does its work.
    Request::new("PATCH", "/features/f/global").json(r#"{"enabled":true}"#).send(node).expect(200);
    assert_eq!(client.evaluate("f", json!({})).await, (true, "GLOBAL_DEFAULT".to_owned()));
}

#[tokio::test]
async fn every_bad_request_is_refused_by_name_and_changes_nothing_on_sqlite() {
    every_row_holds(Fleet::sqlite()).await;
}

#[tokio::test]
async fn every_bad_request_is_refused_by_name_and_changes_nothing_on_postgres() {
    every_row_holds(Fleet::postgres()).await;
}
