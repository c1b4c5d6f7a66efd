//! The second implementation, written in Python from `docs/evaluation.md` alone: it agrees on every golden case, and on
//! snapshots that nobody has thought of.

use flag_core::Snapshot;
use flag_engine::document::SnapshotDocument;
use flag_testkit::generate::{self, Asker};
use flag_testkit::python::{self, python_missing};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

const SNAPSHOTS: usize = 40;
const QUESTIONS: usize = 100;

#[test]
fn the_second_implementation_agrees_with_every_golden_case() {
    if python_missing() {
        return;
    }
    let outcome = python::run("check_vectors.py", &[], "");
    assert!(outcome.success, "{}", outcome.output);
    let total = outcome.output.lines().last().unwrap_or_default();
    let cases: usize =
        total.strip_suffix(" cases, 0 differences").and_then(|count| count.parse().ok()).unwrap();
    assert!(cases >= 10_000, "{total}");
}

#[test]
fn the_second_implementation_agrees_on_random_snapshots() {
    if python_missing() {
        return;
    }
    // Another seed each time; whatever differs is shown whole.
    let mut runner = TestRunner::default();
    let asked: Vec<(Snapshot, Vec<(String, Asker)>)> = (0..SNAPSHOTS)
        .map(|_| {
            let snapshot = generate::snapshots().new_tree(&mut runner).unwrap().current();
            let asked = questions().new_tree(&mut runner).unwrap().current();
            (snapshot, asked)
        })
        .collect();
    let input: String =
        asked.iter().map(|(snapshot, asked)| task(snapshot, asked).to_string() + "\n").collect();
    let outcome = python::run("flag_eval.py", &["--stream"], &input);
    assert!(outcome.success, "{outcome:?}");
    let mut lines = outcome.output.lines();
    let mut decided = [0, 0];
    for (snapshot, asked) in &asked {
        let found: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        let document = || serde_json::to_string(&SnapshotDocument(snapshot)).unwrap();
        let found = found.as_array().unwrap_or_else(|| panic!("{found} of {}", document()));
        assert_eq!(found.len(), asked.len());
        for ((key, asker), found) in asked.iter().zip(found) {
            let answer = snapshot.evaluate(key, &asker.context());
            let expected =
                answer.map_or(Value::Null, |answer| json!([answer.enabled(), answer.source.name()]));
            assert_eq!(*found, expected, "{asker:?} asks for {key} of {}", document());
            decided[usize::from(answer.is_some())] += 1;
        }
    }
    assert!(
        decided[1] > SNAPSHOTS * QUESTIONS / 4,
        "most questions were about flags that do not exist: {decided:?}"
    );
}

fn task(snapshot: &Snapshot, asked: &[(String, Asker)]) -> Value {
    let questions: Vec<Value> =
        asked.iter().map(|(key, asker)| json!([key, asker.user, asker.group, asker.region])).collect();
    json!({"snapshot": serde_json::to_value(SnapshotDocument(snapshot)).unwrap(), "questions": questions})
}

fn questions() -> impl Strategy<Value = Vec<(String, Asker)>> {
    vec((generate::keys().prop_map(|key| key.to_string()), generate::contexts()), QUESTIONS)
}
