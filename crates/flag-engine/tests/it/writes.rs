//! Writing on one node: what is answered, what is live, what is in the log.

use std::collections::BTreeSet;

use flag_core::{Context, Level, Rejection, Variant};
use flag_engine::{ApplyError, HistoryPage, Precondition, Request};
use flag_testkit::memory::MemoryStore;

use crate::steps::{apply, created, deaf, deleted, live, pinned, ready, request, revision, switched};

#[tokio::test(start_paused = true)]
async fn a_write_is_seen_by_the_next_read_on_the_same_node() {
    let engine = ready(deaf(&MemoryStore::new())).await;
    for number in 1..=50 {
        let flag = format!("flag-{number}");
        let committed = apply(&engine, created(&flag)).await.unwrap();
        assert_eq!(committed.snapshot.version().revision, number);
        assert_eq!(revision(&engine), number);
        assert!(live(&engine).evaluate(&flag, &Context::new()).is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_does_not_hold_is_rejected_and_not_written() {
    let store = MemoryStore::new();
    let engine = ready(deaf(&store)).await;
    let key = |text: &str| text.parse().unwrap();
    apply(&engine, created("a")).await.unwrap();
    for (change, rejection) in [
        (created("a"), Rejection::FlagExists(key("a"))),
        (deleted("b"), Rejection::FlagNotFound(key("b"))),
        (pinned("b", "u"), Rejection::FlagNotFound(key("b"))),
    ] {
        assert_eq!(apply(&engine, change).await.unwrap_err(), ApplyError::Rejected(rejection));
    }
    assert_eq!(store.log().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_changes_nothing_does_not_move_the_revision() {
    let store = MemoryStore::new();
    let engine = ready(deaf(&store)).await;
    for change in [created("a"), pinned("a", "u")] {
        apply(&engine, change).await.unwrap();
    }
    let before = live(&engine);
    for change in [switched("a", Variant::OFF), pinned("a", "u")] {
        let committed = apply(&engine, change).await.unwrap();
        assert_eq!(committed.snapshot, *before);
    }
    assert_eq!(live(&engine), before);
    assert_eq!(store.log().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_condition_does_not_hold_is_not_made() {
    let engine = ready(deaf(&MemoryStore::new())).await;
    for change in [created("a"), created("b"), switched("a", Variant::ON)] {
        apply(&engine, change).await.unwrap();
    }
    let failed = |found| Some(ApplyError::PreconditionFailed { found });
    for (variant, condition, expected) in [
        (Variant::OFF, Precondition::RevisionIn(vec![1]), failed(Some(3))),
        (Variant::OFF, Precondition::RevisionIn(vec![]), failed(Some(3))),
        // A write that would change nothing is judged as well.
        (Variant::ON, Precondition::RevisionIn(vec![2]), failed(Some(3))),
        (Variant::OFF, Precondition::RevisionIn(vec![1, 3]), None),
        (Variant::ON, Precondition::RevisionIn(vec![3]), failed(Some(4))),
        (Variant::ON, Precondition::Exists, None),
        (Variant::OFF, Precondition::Absent, failed(Some(5))),
        (Variant::OFF, Precondition::RevisionNotIn(vec![1, 5]), failed(Some(5))),
        (Variant::OFF, Precondition::RevisionNotIn(vec![1, 3]), None),
    ] {
        let found = engine.apply(request(switched("a", variant), Some(condition.clone()))).await;
        assert_eq!(found.err(), expected, "{condition:?}");
    }
    let absent = engine.apply(request(created("c"), Some(Precondition::Exists))).await;
    assert_eq!(absent.err(), failed(None));
    let also_absent = engine.apply(request(created("d"), Some(Precondition::Absent))).await;
    assert_eq!(also_absent.err(), None);
    let both = [Precondition::Exists, Precondition::RevisionNotIn(vec![7])];
    let both = Request { conditions: both.to_vec(), ..request(deleted("d"), None) };
    assert_eq!(engine.apply(both).await.err(), failed(Some(7)));
    let unknown = engine.apply(request(deleted("c"), Some(Precondition::Exists))).await;
    assert_eq!(unknown.err(), Some(Rejection::FlagNotFound("c".parse().unwrap()).into()));
    assert_eq!(revision(&engine), 7);
}

#[tokio::test(start_paused = true)]
async fn writes_that_wait_together_are_committed_together_each_with_its_own_outcome() {
    let store = MemoryStore::new();
    let engine = ready(deaf(&store)).await;
    // The first is taken alone or with the others; those behind it wait together.
    let (first, second, third, fourth, fifth) = tokio::join!(
        apply(&engine, created("a")),
        apply(&engine, pinned("a", "u")),
        apply(&engine, created("a")),
        apply(&engine, deleted("a")),
        apply(&engine, created("a")),
    );
    let at = |outcome: &Result<flag_engine::Committed, ApplyError>| {
        let snapshot = &outcome.as_ref().unwrap().snapshot;
        let pins = snapshot.flag("a").map(|flag| flag.overrides.len(Level::User));
        (snapshot.version().revision, pins)
    };
    assert_eq!([at(&first), at(&second)], [(1, Some(0)), (2, Some(1))]);
    assert_eq!(third.unwrap_err(), Rejection::FlagExists("a".parse().unwrap()).into());
    assert_eq!([at(&fourth), at(&fifth)], [(3, None), (4, Some(0))]);
    let status = engine.status();
    assert_eq!(status.changes, 4);
    assert!(status.batches < 4, "{status:?}");
    assert_eq!(store.log().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_caller_went_away_is_made_or_not_but_the_next_one_is() {
    let store = MemoryStore::new();
    let engine = ready(deaf(&store)).await;
    for number in 0..20 {
        let flag = format!("flag-{number}");
        let given_up =
            async { tokio::time::timeout(std::time::Duration::ZERO, apply(&engine, created(&flag))).await };
        let _ = given_up.await;
    }
    apply(&engine, created("last")).await.unwrap();
    let keys: BTreeSet<String> = store.log().iter().map(|entry| entry.change.key().to_string()).collect();
    assert_eq!(keys.len(), store.log().len());
    assert_eq!(live(&engine).len(), keys.len());
}

#[tokio::test(start_paused = true)]
async fn the_history_is_read_through_the_engine() {
    let engine = ready(deaf(&MemoryStore::new())).await;
    for change in [created("a"), created("b"), switched("a", Variant::ON)] {
        apply(&engine, change).await.unwrap();
    }
    let flag = "a".parse().unwrap();
    let page = HistoryPage { before: None, flag: Some(&flag), limit: 10 };
    let entries = engine.history(page).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.revision).collect::<Vec<_>>(), [3, 1]);
}
