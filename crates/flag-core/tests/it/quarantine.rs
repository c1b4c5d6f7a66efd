//! Flags that cannot be read: they are missing and not gone, and nobody else notices.

use flag_core::{
    Applied, Change, Context, Entry, Epoch, FlagKey, Level, Quarantine, Rejection, Snapshot, SubjectId,
    Variant, Version,
};

fn key(text: &str) -> FlagKey {
    text.parse().unwrap()
}

fn created(text: &str) -> Change {
    Change::flag_created(key(text), Variant::ON)
}

fn switched(text: &str) -> Change {
    Change::GlobalSet { key: key(text), variant: Variant::OFF }
}

fn deleted(text: &str) -> Change {
    Change::FlagDeleted { key: key(text) }
}

fn quarantine(keys: &[&str]) -> Quarantine {
    let mut quarantine = Quarantine::default();
    keys.iter().for_each(|text| quarantine.add(&key(text), "it is torn"));
    quarantine
}

/// The flags `a`, `b` and `c`.
fn whole() -> Snapshot {
    ["a", "b", "c"]
        .into_iter()
        .fold(Snapshot::default(), |s, flag| s.with(&Entry::next(&s, created(flag))).unwrap())
}

/// The lines of the log that `changes` would be after `snapshot`.
fn lines(snapshot: &Snapshot, changes: impl IntoIterator<Item = Change>) -> Vec<Entry> {
    let after = snapshot.version().revision + 1;
    changes
        .into_iter()
        .zip(after..)
        .map(|(change, revision)| Entry { revision, ..Entry::next(snapshot, change) })
        .collect()
}

fn missing(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.quarantine().into_iter().flat_map(Quarantine::keys).map(FlagKey::as_str).collect()
}

#[test]
fn a_quarantine_keeps_the_first_cause_and_counts_what_has_no_name() {
    let mut found = quarantine(&["b", "a"]);
    found.add(&key("a"), "another cause");
    assert_eq!((found.len(), found.nameless(), found.is_empty()), (2, 0, false));
    assert!(found.keys().map(FlagKey::as_str).eq(["a", "b"]));
    assert_eq!((found.cause(&key("a")), found.cause(&key("c"))), (Some("it is torn"), None));
    assert!(found.holds(&key("b")) && !found.holds(&key("c")));
    found.add_nameless();
    assert_eq!((found.len(), found.nameless()), (2, 1));
    let mut nameless = Quarantine::default();
    assert!(nameless.is_empty());
    nameless.add_nameless();
    assert!(!nameless.is_empty());
}

#[test]
fn quarantines_are_equal_if_the_same_is_missing_for_whatever_cause() {
    let mut other = Quarantine::default();
    other.add(&key("a"), "another cause");
    assert_eq!(quarantine(&["a"]), other);
    assert_ne!(quarantine(&["b"]), other);
    other.add_nameless();
    assert_ne!(quarantine(&["a"]), other);
}

#[test]
fn a_flag_that_cannot_be_read_is_missing_and_the_others_answer() {
    let partial = whole().without(quarantine(&["b", "x"]));
    assert_eq!((partial.len(), missing(&partial)), (2, vec!["b", "x"]));
    for (flag, is_there) in [("a", true), ("b", false), ("c", true), ("x", false)] {
        assert_eq!(partial.evaluate(flag, &Context::new()).is_some(), is_there, "{flag}");
        assert_eq!(partial.is_quarantined(&key(flag)), !is_there, "{flag}");
    }
    assert_ne!(partial, whole());
    assert_ne!(Snapshot::new(partial.version(), partial.flags().cloned()), partial);
    assert!(whole().quarantine().is_none() && whole().without(Quarantine::default()).quarantine().is_none());
}

#[test]
fn of_a_flag_that_cannot_be_read_all_that_can_be_done_is_to_delete_it() {
    let partial = whole().without(quarantine(&["b", "d"]));
    let subject = SubjectId::parse("u").unwrap();
    let pin = Change::OverrideSet { key: key("b"), level: Level::User, subject, variant: Variant::ON };
    for change in [created("b"), switched("b"), pin, created("d")] {
        let expected = Rejection::FlagUnreadable(change.key().clone());
        assert_eq!(partial.apply(&Entry::next(&partial, change)).unwrap_err(), expected);
    }
    let Applied::Changed(after) = partial.apply(&Entry::next(&partial, deleted("b"))).unwrap() else {
        panic!("a deletion changes something");
    };
    assert_eq!((missing(&after), after.len(), after.version().revision), (vec!["d"], 2, 4));
    let after = after.with(&Entry::next(&after, deleted("d"))).unwrap();
    assert!(after.quarantine().is_none());
    let gone = after.apply(&Entry::next(&after, deleted("b"))).unwrap_err();
    assert_eq!(gone, Rejection::FlagNotFound(key("b")));
    assert!(after.with(&Entry::next(&after, created("b"))).unwrap().flag("b").is_some());
}

#[test]
fn a_log_goes_on_over_a_flag_that_cannot_be_read() {
    let partial = whole().without(quarantine(&["b", "c"]));
    for (changes, expected, flags) in [
        (vec![switched("b"), switched("a")], vec!["b", "c"], vec!["a"]),
        (vec![deleted("b"), switched("a")], vec!["c"], vec!["a"]),
        (vec![deleted("b"), created("b"), switched("b")], vec!["c"], vec!["a", "b"]),
        (vec![created("b"), switched("b")], vec!["c"], vec!["a", "b"]),
    ] {
        let lines = lines(&partial, changes);
        let after = partial.replay(&lines).unwrap();
        assert_eq!(after.version().revision, 3 + lines.len() as u64);
        assert_eq!(missing(&after), expected, "{lines:?}");
        let mut found: Vec<&str> = after.flags().map(|flag| flag.key.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, flags, "{lines:?}");
    }
    let entry = Entry { revision: 9, ..Entry::next(&partial, switched("b")) };
    let expected = Rejection::OutOfOrder { expected: 4, found: 9 };
    assert_eq!(partial.replay(&[entry]), Err(expected), "also here no line may be missing");
}

#[test]
fn what_is_missing_is_taken_from_a_snapshot_of_the_same_version_and_of_no_other() {
    let partial = whole().without(quarantine(&["a", "b"]));
    assert_eq!(partial.mended_by(&whole()), whole());
    let still = partial.mended_by(&whole().without(quarantine(&["b", "c"])));
    assert_eq!((missing(&still), still.len()), (vec!["b"], 2), "what is here stays here");
    assert_eq!(partial.mended_by(&whole().without(quarantine(&["a", "b"]))), partial);
    let without_a =
        Snapshot::new(whole().version(), whole().flags().filter(|flag| flag.key != key("a")).cloned());
    assert_eq!(partial.mended_by(&without_a), without_a, "what is gone there is gone");
    for version in
        [Version { revision: 2, ..whole().version() }, Version { epoch: Epoch(9), ..whole().version() }]
    {
        let other = Snapshot::new(version, whole().flags().cloned());
        assert_eq!(partial.mended_by(&other), partial, "{version:?}");
    }
    let switched = whole().with(&lines(&whole(), [switched("c")])[0]).unwrap();
    let other = Snapshot::new(whole().version(), switched.flags().cloned());
    assert_eq!(partial.mended_by(&other).flag("c").unwrap().global, Variant::ON);
    assert_eq!(whole().mended_by(&other), whole());
}

#[test]
fn what_has_no_name_is_missing_as_long_as_it_is_there() {
    let mut nameless = Quarantine::default();
    nameless.add_nameless();
    let partial = whole().without(nameless.clone());
    assert_eq!(partial.mended_by(&whole()), whole());
    assert_eq!(partial.mended_by(&partial.clone()), partial);
    nameless.add_nameless();
    let worse = whole().without(nameless);
    assert_eq!(partial.mended_by(&worse), worse);
}
