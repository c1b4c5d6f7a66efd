//! The golden cases of `spec/vectors`, held against the core.

use std::fs;
use std::path::Path;

use flag_core::{
    ALGORITHM, Bucket, Context, Flag, Invalid, Level, Overrides, Percentage, Salt, SubjectId, Timestamp,
    Unit, Variant, xxh64,
};
use serde_json::{Value, json};

/// A golden file of this format and algorithm.
fn read(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors").join(name);
    let file: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!((&file["format"], &file["algorithm"]), (&json!(1), &json!(ALGORITHM)), "{name}");
    file
}

/// Holds every case against what `found` makes of it: the columns that follow from the others.
#[track_caller]
fn hold(file: &Value, given: usize, at_least: usize, found: impl Fn(&[Value]) -> Vec<Value>) {
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() >= at_least, "{} cases are left", cases.len());
    for case in cases {
        let columns = case.as_array().unwrap();
        assert_eq!(found(&columns[..given]), columns[given..], "{:.300}", case.to_string());
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn times(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn hex(number: u64) -> Value {
    json!(format!("{number:016x}"))
}

#[test]
fn the_hash_of_every_golden_input_is_the_golden_one() {
    hold(&read("hash.json"), 3, 1_500, |columns| {
        let digits = text(&columns[0]);
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        let seed = u64::from_str_radix(text(&columns[2]), 16).unwrap();
        vec![hex(xxh64(&bytes.repeat(times(&columns[1])), seed))]
    });
}

#[test]
fn the_bucket_of_every_golden_user_is_the_golden_one() {
    hold(&read("bucket.json"), 3, 2_500, |columns| {
        let (user, salt) = (text(&columns[0]).repeat(times(&columns[1])), text(&columns[2]));
        let (unit, seed) = (xxh64(user.as_bytes(), 0), xxh64(salt.as_bytes(), 0));
        let bucket = Bucket::of(Unit::of(&user), &Salt::parse(salt).unwrap());
        vec![hex(unit), hex(seed), hex(xxh64(&unit.to_le_bytes(), seed)), json!(bucket.number())]
    });
}

#[test]
fn every_golden_percentage_is_read_or_refused_for_the_golden_reason() {
    hold(&read("percentage.json"), 1, 3_000, |columns| match text(&columns[0]).parse::<Percentage>() {
        Ok(read) => vec![json!(read.thousandths()), Value::Null],
        Err(Invalid::NotANumber) => vec![Value::Null, json!("not_a_number")],
        Err(Invalid::OutOfRange) => vec![Value::Null, json!("out_of_range")],
        Err(Invalid::TooPrecise) => vec![Value::Null, json!("too_precise")],
        Err(other) => vec![Value::Null, json!(other.to_string())],
    });
}

#[test]
fn every_golden_context_gets_the_golden_answer() {
    for (name, at_least) in [("evaluation.json", 8_000), ("salts.json", 1_500)] {
        let file = read(name);
        let flags: Vec<Flag> = file["snapshot"]["flags"].as_array().unwrap().iter().map(flag).collect();
        hold(&file, 4, at_least, |columns| {
            let flag = flags.iter().find(|flag| flag.key.as_str() == text(&columns[0])).unwrap();
            let member = |at: usize| columns[at].as_str().unwrap_or_default();
            let answer = flag.evaluate(&Context::new().user(member(1)).group(member(2)).region(member(3)));
            vec![json!(answer.enabled()), json!(answer.source.name())]
        });
    }
}

/// The flag of an entry in a snapshot document, as far as it decides an answer.
fn flag(entry: &Value) -> Flag {
    let flag = &entry["flag"];
    let mut overrides = Overrides::default();
    for level in Level::ALL {
        for variant in [Variant::ON, Variant::OFF] {
            let ids = entry["overrides"][level.name()][variant.name()].as_array();
            for id in ids.into_iter().flatten() {
                let before = overrides.set(level, &SubjectId::parse(text(id)).unwrap(), variant);
                assert_eq!(before, None, "{id} stands twice");
            }
        }
    }
    let rollout = flag["rolloutPct"].as_number().map(|share| share.to_string().parse().unwrap());
    Flag {
        key: text(&flag["key"]).parse().unwrap(),
        description: None,
        global: Variant::from(flag["enabled"].as_bool().unwrap()),
        rollout,
        salt: Salt::parse(text(&flag["salt"])).unwrap(),
        overrides,
        revision: 1,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}
