//! The second implementation, written in Python from `docs/evaluation.md` alone: it agrees on every golden case, and on
//! snapshots that nobody has thought of.

use flag_core::{
    Bucket, Epoch, Flag, Overrides, Percentage, Revision, Salt, Snapshot, SubjectId, Timestamp, Unit,
    Variant, Version,
};
use flag_engine::document::SnapshotDocument;
use flag_testkit::generate::{self, Asker};
use flag_testkit::python::{self, python_missing};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
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
            let snapshot = snapshots().new_tree(&mut runner).unwrap().current();
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
    vec((generate::keys().prop_map(|key| key.to_string()), generate::askers()), QUESTIONS)
}

fn snapshots() -> impl Strategy<Value = Snapshot> {
    (any::<u128>(), any::<u64>(), vec(flags(), 1..8)).prop_map(|(epoch, revision, flags)| {
        // Of two flags with one key the later counts.
        Snapshot::new(Version { epoch: Epoch(epoch), revision }, flags)
    })
}

fn flags() -> impl Strategy<Value = Flag> {
    let pins = vec((generate::levels(), generate::subjects(), generate::variants()), 0..12);
    let decides = (generate::variants(), option::of(shares()), salts());
    let told = (option::of(generate::descriptions()), any::<Revision>(), 0..4_000_000_000_000_i64);
    (generate::keys(), decides, pins, told).prop_map(|(key, (global, share, salt), pins, told)| {
        let (description, revision, at) = told;
        let salt = salt.unwrap_or_else(|| Salt::from(&key));
        let rollout = share.map(|share| share.under(&salt));
        let (created_at, updated_at) = (Timestamp(at), Timestamp(at + 1));
        let overrides = Overrides::default();
        let flag =
            Flag { key, description, global, rollout, salt, overrides, revision, created_at, updated_at };
        flag_of(flag, pins)
    })
}

/// A percentage, or one at the edge of somebody's bucket, where the two implementations would differ if ever.
#[derive(Clone, Debug)]
enum Share {
    Any(Percentage),
    Edge { user: &'static str, above: u32 },
}

impl Share {
    fn under(&self, salt: &Salt) -> Percentage {
        match self {
            Self::Any(share) => *share,
            Self::Edge { user, above } => {
                Percentage::from_thousandths(Bucket::of(Unit::of(user), salt).number() + above).unwrap()
            }
        }
    }
}

fn shares() -> impl Strategy<Value = Share> {
    let edge = (select(vec!["u", "U", "v"]), 0..=1_u32).prop_map(|(user, above)| Share::Edge { user, above });
    prop_oneof![generate::percentages().prop_map(Share::Any), edge]
}

fn flag_of(mut flag: Flag, pins: Vec<(flag_core::Level, SubjectId, Variant)>) -> Flag {
    for (level, subject, variant) in pins {
        flag.overrides.set(level, &subject, variant);
    }
    flag
}

/// Mostly the flag's key; else an odd text, or any.
fn salts() -> impl Strategy<Value = Option<Salt>> {
    let odd = select(vec!["a", "A", "é", "e\u{301}", "😀", " ", "a b"]).prop_map(str::to_owned);
    let any = vec(any::<char>().prop_filter("control characters", |c| !c.is_control()), 1..=128)
        .prop_map(|salt| salt.into_iter().collect::<String>());
    prop_oneof![Just(None), prop_oneof![odd, any].prop_map(|salt| Some(Salt::parse(&salt).unwrap())),]
}
