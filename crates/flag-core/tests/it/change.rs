//! The reducer: what each change does, when it does not hold, and that earlier snapshots stay as they were.

use flag_core::{
    Applied, Author, Change, Context, Entry, FlagKey, Level, Rejection, Snapshot, Source, SubjectId,
    Timestamp, Variant,
};

fn key(text: &str) -> FlagKey {
    text.parse().unwrap()
}

fn subject(text: &str) -> SubjectId {
    SubjectId::parse(text).unwrap()
}

fn created(text: &str) -> Change {
    Change::flag_created(key(text), Variant::OFF)
}

fn pinned(flag: &str, id: &str) -> Change {
    Change::OverrideSet { key: key(flag), level: Level::User, subject: subject(id), variant: Variant::ON }
}

fn after(changes: impl IntoIterator<Item = Change>) -> Snapshot {
    changes.into_iter().fold(Snapshot::default(), |s, change| s.with(&Entry::next(&s, change)).unwrap())
}

#[test]
fn a_change_that_does_not_hold_is_rejected_and_says_why() {
    let snapshot = after([created("a")]);
    let rows = [
        (created("a"), Rejection::FlagExists(key("a"))),
        (Change::FlagDeleted { key: key("b") }, Rejection::FlagNotFound(key("b"))),
        (Change::GlobalSet { key: key("b"), variant: Variant::ON }, Rejection::FlagNotFound(key("b"))),
        (Change::RolloutSet { key: key("b"), rollout: None }, Rejection::FlagNotFound(key("b"))),
        (pinned("b", "u"), Rejection::FlagNotFound(key("b"))),
        (
            Change::OverrideRemoved { key: key("a"), level: Level::User, subject: subject("u") },
            Rejection::OverrideNotFound { key: key("a"), level: Level::User, subject: subject("u") },
        ),
    ];
    for (change, rejection) in rows {
        assert_eq!(snapshot.apply(&Entry::next(&snapshot, change)).unwrap_err(), rejection);
    }
}

#[test]
fn a_change_that_asks_for_what_is_changes_nothing() {
    let snapshot = after([created("a"), pinned("a", "u")]);
    for change in [
        pinned("a", "u"),
        Change::GlobalSet { key: key("a"), variant: Variant::OFF },
        Change::RolloutSet { key: key("a"), rollout: None },
    ] {
        assert!(matches!(snapshot.apply(&Entry::next(&snapshot, change)), Ok(Applied::Unchanged)));
    }
}

#[test]
fn entries_are_taken_in_their_order_only() {
    let snapshot = after([created("a")]);
    for revision in [0, 1, 3] {
        let entry = Entry { revision, ..Entry::next(&snapshot, created("b")) };
        assert_eq!(
            snapshot.apply(&entry).unwrap_err(),
            Rejection::OutOfOrder { expected: 2, found: revision }
        );
    }
}

#[test]
fn a_flag_carries_the_revision_and_the_time_of_its_last_change() {
    let at = |revision, milliseconds, change| Entry {
        revision,
        at: Timestamp(milliseconds),
        author: Author::default(),
        change,
    };
    let mut snapshot = Snapshot::default();
    for entry in [at(1, 10, created("a")), at(2, 20, created("b")), at(3, 30, pinned("a", "u"))] {
        snapshot = snapshot.with(&entry).unwrap();
    }
    let times = |text| snapshot.flag(text).map(|flag| (flag.revision, flag.created_at.0, flag.updated_at.0));
    assert_eq!(times("a"), Some((3, 10, 30)));
    assert_eq!(times("b"), Some((2, 20, 20)));
}

#[test]
fn a_flag_that_is_created_again_starts_clean() {
    let snapshot =
        after([created("a"), pinned("a", "u"), Change::FlagDeleted { key: key("a") }, created("a")]);
    let answer = snapshot.evaluate("a", &Context::new().user("u")).unwrap();
    assert_eq!((answer.enabled(), answer.source), (false, Source::GlobalDefault));
    assert_eq!(snapshot.len(), 1);
}

#[test]
fn an_earlier_snapshot_stays_as_it_was() {
    let many = (0..500).map(|number| created(&format!("flag-{number}")));
    let before = after(many);
    let mut now = before.clone();
    for number in 0..500 {
        let flag = format!("flag-{number}");
        now = now.with(&Entry::next(&now, pinned(&flag, "u"))).unwrap();
        now = now.with(&Entry::next(&now, Change::FlagDeleted { key: key(&flag) })).unwrap();
    }
    assert!(now.is_empty());
    assert_eq!(before.len(), 500);
    assert_eq!(before.flags().filter(|flag| flag.overrides.is_empty()).count(), 500);
}

#[test]
fn a_log_is_replayed_only_from_where_it_was_written() {
    let lines = |changes: Vec<Change>| -> Vec<Entry> {
        let entry = |(revision, change)| Entry { revision, ..Entry::next(&Snapshot::default(), change) };
        (1..).zip(changes).map(entry).collect()
    };
    let key: FlagKey = "a".parse().unwrap();
    let made = Change::flag_created(key.clone(), Variant::OFF);
    let on = Change::GlobalSet { key: key.clone(), variant: Variant::ON };
    let log = lines(vec![made.clone(), on.clone()]);
    let after = Snapshot::default().replay(&log).unwrap();
    assert_eq!((after.version().revision, after.flag("a").unwrap().global), (2, Variant::ON));
    assert_eq!(Snapshot::default().replay(&log[1..]), Err(Rejection::OutOfOrder { expected: 1, found: 2 }));
    assert_eq!(Snapshot::default().replay(&lines(vec![made, on.clone(), on])), Err(Rejection::NoEffect(3)));
}
