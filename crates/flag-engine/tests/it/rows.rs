//! What rows mean: each that cannot be read costs its flag and no other, and says why.

use flag_core::{Epoch, FlagKey, Level, Quarantine, Snapshot, Variant, Version};
use flag_engine::document::Unreadable;
use flag_engine::{Column, LoadedRows};

const VERSION: Version = Version { epoch: Epoch(7), revision: 9 };

fn document(key: &str) -> String {
    serde_json::json!({
        "key": key, "description": null, "enabled": true, "rolloutPct": null, "salt": key, "revision": 1,
        "createdAt": "2026-01-31T12:00:00.000Z", "updatedAt": "2026-01-31T12:00:00.000Z",
    })
    .to_string()
}

fn none<'a>() -> Column<'a> {
    Err(Unreadable("it is Null and no text".to_owned()))
}

/// The flags `a`, `b` and `c` with an override each, and whatever `more` adds.
fn loaded(more: impl Fn(&mut LoadedRows)) -> Snapshot {
    let mut rows = LoadedRows::default();
    for key in ["a", "b", "c"] {
        rows.flag(Ok(key), Ok(&document(key)));
    }
    // Not flag by flag, so that each has to be looked up.
    for (level, variant) in [("user", "on"), ("group", "off")] {
        for key in ["c", "a", "b"] {
            rows.pin(Ok(key), Ok(level), Ok("u"), Ok(variant));
        }
    }
    more(&mut rows);
    rows.finish(VERSION)
}

fn causes(snapshot: &Snapshot) -> Vec<String> {
    let quarantine = snapshot.quarantine().into_iter();
    quarantine
        .flat_map(|quarantine| {
            quarantine.keys().map(move |key| format!("{key}: {}", quarantine.cause(key).unwrap()))
        })
        .collect()
}

#[test]
fn rows_that_can_be_read_make_up_the_whole_snapshot() {
    let snapshot = loaded(|_| {});
    assert_eq!((snapshot.version(), snapshot.len(), snapshot.quarantine()), (VERSION, 3, None));
    for flag in snapshot.flags() {
        assert_eq!(flag.overrides.get(Level::User, "u"), Some(Variant::ON));
        assert_eq!(flag.overrides.get(Level::Group, "u"), Some(Variant::OFF));
        assert_eq!(flag.overrides.len(Level::Region), 0);
    }
    assert_eq!(LoadedRows::default().finish(VERSION), Snapshot::new(VERSION, []));
}

#[test]
fn an_override_that_cannot_be_read_costs_its_flag_and_no_other() {
    let (long, empty) = ("x".repeat(10_000_000), "");
    for (level, subject, variant, expected) in [
        (Ok("planet"), Ok("v"), Ok("on"), "`level` is unknown"),
        (none(), Ok("v"), Ok("on"), "it is Null and no text"),
        (Ok("user"), none(), Ok("on"), "it is Null and no text"),
        (Ok("user"), Ok(empty), Ok("on"), "`subject` must not be empty"),
        (Ok("user"), Ok(long.as_str()), Ok("on"), "`subject` must be at most 512 bytes of UTF-8 long"),
        (Ok("user"), Ok("v"), Ok("maybe"), "`variant` is unknown"),
        (Ok("user"), Ok("v"), none(), "it is Null and no text"),
        (Ok("user"), Ok("u"), Ok("on"), "`subject` is pinned twice"),
    ] {
        let snapshot = loaded(|rows| {
            rows.pin(Ok("b"), level.clone(), subject.clone(), variant.clone());
            rows.pin(Ok("b"), Ok("user"), Ok("w"), Ok("on"));
            rows.pin(Ok("c"), Ok("user"), Ok("w"), Ok("on"));
        });
        assert_eq!(causes(&snapshot), [format!("b: an override: {expected}")]);
        assert_eq!(snapshot.len(), 2);
        assert_eq!(snapshot.flag("c").unwrap().overrides.len(Level::User), 2);
    }
}

#[test]
fn a_flag_row_is_held_to_the_name_that_it_is_filed_under() {
    for (key, text, expected, nameless) in [
        (Ok("d"), document("e"), vec!["d: its document is that of e", "e: its document is filed under d"], 0),
        // The name that it claims has a row of its own: nothing else is missing, but something is there that is nobody's.
        (Ok("d"), document("a"), vec!["d: its document is that of a"], 1),
        (
            Ok("not a key"),
            document("d"),
            vec![
                "d: its row has no key: `key` may hold only the characters A-Z a-z 0-9 . _ -, and ' ' is none of them",
            ],
            0,
        ),
        (none(), document("d"), vec!["d: its row has no key: it is Null and no text"], 0),
        (none(), document("a"), vec![], 1),
        (Ok("not a key"), "{".to_owned(), vec![], 1),
        (Ok("a"), document("a"), vec!["a: it stands there twice"], 0),
    ] {
        let snapshot = loaded(|rows| rows.flag(key.clone(), Ok(&text)));
        assert_eq!(causes(&snapshot), expected, "{key:?} {text}");
        assert_eq!(snapshot.quarantine().map_or(0, Quarantine::nameless), nameless, "{key:?} {text}");
    }
}

#[test]
fn a_flag_was_changed_when_its_environment_says_or_before() {
    for (revision, expected) in [
        ("0", vec!["d: `revision` is 0, and must be from 1 to 9"]),
        ("9", vec![]),
        ("10", vec!["d: `revision` is 10, and must be from 1 to 9"]),
    ] {
        let text = document("d").replace("\"revision\":1", &format!("\"revision\":{revision}"));
        let snapshot = loaded(|rows| rows.flag(Ok("d"), Ok(&text)));
        assert_eq!(causes(&snapshot), expected, "{revision}");
        assert_eq!(snapshot.len(), 4 - expected.len());
    }
}

#[test]
fn an_override_of_a_flag_that_has_no_row_keeps_its_name_from_being_taken() {
    let snapshot = loaded(|rows| {
        rows.pin(Ok("lost"), Ok("user"), Ok("u"), Ok("on"));
        rows.pin(Ok("lost"), Ok("user"), Ok("v"), Ok("on"));
        rows.pin(none(), Ok("user"), Ok("v"), Ok("on"));
        rows.pin(Ok("not a key"), Ok("user"), Ok("v"), Ok("on"));
    });
    assert_eq!(causes(&snapshot), ["lost: it has overrides and no row of its own"]);
    assert!(snapshot.is_quarantined(&"lost".parse::<FlagKey>().unwrap()));
    assert_eq!((snapshot.len(), snapshot.quarantine().unwrap().nameless()), (3, 2));
}

#[test]
fn a_cause_is_short_however_long_the_row_is() {
    for text in ["9".repeat(10_000_000), format!("{{\"{}\":1}}", "ü".repeat(1_000_000))] {
        let snapshot = loaded(|rows| rows.flag(Ok("d"), Ok(&text)));
        let causes = causes(&snapshot);
        assert!(causes.len() == 1 && causes[0].chars().count() <= 204, "{causes:?}");
    }
}
