//! Snapshots as documents: what is written is read back, and what cannot be meant is refused.

use std::fs;
use std::path::Path;

use flag_core::{ALGORITHM, Entry, Percentage, Snapshot};
use flag_engine::document::{SnapshotDocument, read_snapshot};
use flag_testkit::generate;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A golden file.
fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors").join(name);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn read(document: &Value) -> Result<Snapshot, String> {
    read_snapshot(document.to_string().as_bytes()).map_err(|why| why.to_string())
}

proptest! {
    #[test]
    fn a_snapshot_survives_its_document(changes in generate::change_sequences(40)) {
        let mut snapshot = Snapshot::default();
        for change in changes {
            snapshot = snapshot.with(&Entry::next(&snapshot, change)).unwrap_or(snapshot);
        }
        let text = serde_json::to_string(&SnapshotDocument(&snapshot)).unwrap();
        prop_assert_eq!(read_snapshot(text.as_bytes()).unwrap(), snapshot);
    }

    #[test]
    fn a_snapshot_answers_the_same_after_any_round_trip(
        snapshot in generate::snapshots(),
        askers in prop::collection::vec(generate::contexts(), 1..20),
        trips in 1..4_usize,
    ) {
        let mut travelled = snapshot.clone();
        for _ in 0..trips {
            let text = serde_json::to_string(&SnapshotDocument(&travelled)).unwrap();
            travelled = read_snapshot(text.as_bytes()).unwrap();
        }
        prop_assert_eq!(&travelled, &snapshot);
        for asker in &askers {
            for flag in snapshot.flags() {
                let key = flag.key.as_str();
                prop_assert_eq!(travelled.evaluate(key, &asker.context()), Some(flag.evaluate(&asker.context())));
            }
        }
    }
}

#[test]
fn every_golden_snapshot_answers_every_golden_case() {
    for name in ["evaluation.json", "salts.json"] {
        let file = golden(name);
        let snapshot = read(&file["snapshot"]).unwrap();
        // Written down again, it still answers the same.
        let again = read(&serde_json::to_value(SnapshotDocument(&snapshot)).unwrap()).unwrap();
        assert_eq!(again, snapshot);
        for case in file["cases"].as_array().unwrap() {
            let text = |at: usize| case[at].as_str().unwrap_or_default();
            let context = flag_core::Context::new().user(text(1)).group(text(2)).region(text(3));
            let answer = again.evaluate(text(0), &context).unwrap();
            assert_eq!((json!(answer.enabled()), text(5)), (case[4].clone(), answer.source.name()), "{case}");
        }
    }
}

#[test]
fn a_snapshot_carries_the_algorithm_that_it_is_to_be_evaluated_by() {
    let document = serde_json::to_value(SnapshotDocument(&Snapshot::default())).unwrap();
    assert_eq!((&document["format"], &document["algorithm"]), (&json!(1), &json!(ALGORITHM)));
}

#[test]
fn a_snapshot_of_another_algorithm_or_format_is_refused_by_name() {
    let other = "the flags are written for the algorithm \"xxh64-100k/2\"; this program evaluates by \"xxh64-100k/1\", \
                 and would answer differently";
    let later = "format 2 is not 1, the one that is understood";
    let rest = r#""epoch":"00000000000000000000000000000001","revision":1"#;
    for (document, expected) in [
        (format!(r#"{{"format":1,"algorithm":"xxh64-100k/2",{rest},"flags":[]}}"#), other),
        (format!(r#"{{"format":2,"algorithm":"xxh64-100k/1",{rest},"flags":[]}}"#), later),
        // Whoever writes otherwise writes other members, too; they are not what to complain of.
        (format!(r#"{{"format":1,"algorithm":"xxh64-100k/2",{rest},"segments":[]}}"#), other),
        (
            format!(r#"{{"format":1,"algorithm":"xxh64-100k/2",{rest},"flags":{{"a":{{"rules":[]}}}}}}"#),
            other,
        ),
        (r#"{"format":2,"algorithm":"xxh64-100k/2","segments":[]}"#.to_owned(), later),
        (format!(r#"{{"format":1,{rest},"flags":[]}}"#), "missing field `algorithm`"),
    ] {
        let error = read_snapshot(document.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{document}: {error}");
    }
}

#[test]
fn every_golden_document_is_read_or_refused() {
    let cases = golden("documents.json")["cases"].take();
    assert!(cases.as_array().unwrap().len() >= 90, "{} cases are left", cases.as_array().unwrap().len());
    for case in cases.as_array().unwrap() {
        let (document, read) = (case[1].as_str().unwrap(), case[2].as_bool().unwrap());
        let found = read_snapshot(document.as_bytes());
        assert_eq!(found.is_ok(), read, "{}: {document:.400}: {:?}", case[0], found.err());
    }
}

#[test]
fn a_document_that_says_two_things_at_once_is_refused_by_name() {
    let rows = [
        ("an id in on and in off", "the user \"ann\" is pinned twice"),
        ("an id twice in on", "the user \"ann\" is pinned twice"),
        ("a level twice", "\"user\" stands twice"),
        ("a variant twice", "\"on\" stands twice"),
        ("a member twice", "duplicate field `revision`"),
        ("a flag twice", "`flags` names a flag twice"),
        ("an epoch that is too short", "`epoch` must be 32 hexadecimal digits"),
    ];
    let cases = golden("documents.json")["cases"].take();
    for (what, expected) in rows {
        let case = cases.as_array().unwrap().iter().find(|case| case[0] == what).unwrap();
        let why = read_snapshot(case[1].as_str().unwrap().as_bytes()).unwrap_err().to_string();
        assert!(why.starts_with(expected), "{why}");
    }
}

#[test]
fn a_percentage_survives_a_reader_that_takes_the_nearest_float() {
    for thousandths in 0..=Percentage::ALL.thousandths() {
        let share = Percentage::from_thousandths(thousandths).unwrap();
        let float: f64 = share.to_string().parse().unwrap();
        assert_eq!((float * 1_000.0).round(), f64::from(thousandths));
    }
}
