//! Several nodes on one store: they converge, and decide together as one would.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use flag_core::{Change, Rejection, Revision, Variant};
use flag_engine::{ApplyError, ProcessFeed};
use flag_testkit::memory::MemoryStore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::steps::{apply, created, deaf, deleted, engine, live, pinned, reaches, ready, revision, switched};

#[tokio::test(start_paused = true)]
async fn nodes_that_hear_each_other_converge_without_waiting() {
    let (store, feed) = (MemoryStore::new(), ProcessFeed::default());
    let (one, other) = (ready(engine(&store, &feed)).await, ready(engine(&store, &feed)).await);
    let start = Instant::now();
    for (writer, reader, flag) in [(&one, &other, "a"), (&other, &one, "b"), (&one, &other, "c")] {
        let version = apply(writer, created(flag)).await.unwrap().snapshot.version();
        reaches(reader, |live| live == Some(version)).await;
        assert_eq!(live(reader), live(writer));
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn with_every_hint_lost_nodes_converge_within_a_second() {
    let store = MemoryStore::new();
    let (writer, reader) = (ready(deaf(&store)).await, ready(deaf(&store)).await);
    for flag in ["a", "b", "c"] {
        let start = Instant::now();
        let version = apply(&writer, created(flag)).await.unwrap().snapshot.version();
        reaches(&reader, |live| live == Some(version)).await;
        assert!(start.elapsed() <= Duration::from_millis(1_001), "took {:?}", start.elapsed());
        assert_eq!(live(&reader), live(&writer));
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_far_behind_catches_up_too() {
    let store = MemoryStore::new();
    let (writer, reader) = (ready(deaf(&store)).await, deaf(&store));
    apply(&writer, created("a")).await.unwrap();
    let reader = ready(reader).await;
    for number in 0..1_200_u32 {
        apply(&writer, switched("a", Variant::from(number.is_multiple_of(2)))).await.unwrap();
    }
    reaches(&reader, |version| version.is_some_and(|version| version.revision == 1_201)).await;
    assert_eq!(live(&reader), live(&writer));
}

#[tokio::test(start_paused = true)]
async fn what_a_stale_node_would_answer_is_decided_anew() {
    let not_found = |flag: &str| ApplyError::from(Rejection::FlagNotFound(flag.parse().unwrap()));
    for (elsewhere, here, expected) in [
        // To the stale node, these two would change nothing.
        (vec![deleted("off")], switched("off", Variant::OFF), Err(not_found("off"))),
        (vec![deleted("off"), created("off")], pinned("off", "u"), Ok(())),
        // These would be rejected by it.
        (vec![created("new")], switched("new", Variant::ON), Ok(())),
        (vec![deleted("off")], created("off"), Ok(())),
        // These it would accept.
        (vec![deleted("off")], switched("off", Variant::ON), Err(not_found("off"))),
        (vec![created("new")], created("new"), Err(Rejection::FlagExists("new".parse().unwrap()).into())),
    ] {
        let store = MemoryStore::new();
        let (stale, other) = (ready(deaf(&store)).await, ready(deaf(&store)).await);
        for change in [created("off"), pinned("off", "u")] {
            apply(&stale, change).await.unwrap();
        }
        for change in elsewhere {
            apply(&other, change).await.unwrap();
        }
        let before = store.log().len();
        assert_eq!(revision(&stale), 2, "the node is stale");
        let outcome = apply(&stale, here.clone()).await;
        assert_eq!(outcome.as_ref().map(|_| ()).map_err(Clone::clone), expected, "{here:?}");
        assert_eq!(store.log().len() - before, usize::from(expected.is_ok()), "{here:?}");
        assert_eq!(revision(&stale), store.log().len() as Revision);
        assert!(stale.status().conflicts > 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nothing_changed_shows_the_newest_snapshot() {
    let store = MemoryStore::new();
    let (stale, other) = (ready(deaf(&store)).await, ready(deaf(&store)).await);
    apply(&other, created("a")).await.unwrap();
    apply(&stale, switched("a", Variant::OFF)).await.unwrap();
    apply(&other, switched("a", Variant::ON)).await.unwrap();
    // What the stale node knows says OFF; what is there says ON: nothing is to be done, at revision 2.
    let committed = apply(&stale, switched("a", Variant::ON)).await.unwrap();
    assert_eq!(committed.snapshot.version().revision, 2);
    assert_eq!(store.log().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_on_two_nodes_get_dense_revisions_each_once() {
    const WRITERS: usize = 64;
    const WRITES: u32 = 6;
    let (store, feed) = (MemoryStore::new(), ProcessFeed::default());
    let nodes = [Arc::new(ready(engine(&store, &feed)).await), Arc::new(ready(engine(&store, &feed)).await)];
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let node = Arc::clone(&nodes[writer % 2]);
        writers.spawn(async move {
            let own = format!("flag-{writer}");
            let mut told = Vec::new();
            // Everybody wants this one; it is made once.
            let shared = apply(&node, created("shared")).await;
            told.extend(
                shared.ok().map(|committed| (committed.snapshot.version().revision, created("shared"))),
            );
            let toggles = (0..WRITES).map(|number| switched(&own, Variant::from(number.is_multiple_of(2))));
            for change in std::iter::once(created(&own)).chain(toggles) {
                let committed = apply(&node, change.clone()).await.unwrap();
                let Change::GlobalSet { variant, .. } = change else {
                    told.push((committed.snapshot.version().revision, change));
                    continue;
                };
                assert_eq!(committed.snapshot.flag(&own).unwrap().global, variant);
                assert!(revision(&node) >= committed.snapshot.version().revision);
                told.push((committed.snapshot.version().revision, change));
            }
            told
        });
    }
    let told: Vec<(Revision, Change)> = writers.join_all().await.into_iter().flatten().collect();
    let log = store.log();
    assert_eq!(log.len(), 1 + WRITERS * (1 + WRITES as usize));
    assert!(log.iter().map(|entry| entry.revision).eq(1..=log.len() as Revision));
    // What the writers were told is what the log says: nothing is lost, nothing is there twice.
    let revisions: BTreeSet<Revision> = told.iter().map(|(revision, _)| *revision).collect();
    assert_eq!((told.len(), revisions.len()), (log.len(), log.len()));
    for (revision, change) in told {
        assert_eq!(log[usize::try_from(revision).unwrap() - 1].change, change);
    }
    for node in &nodes {
        reaches(node, |version| version.is_some_and(|version| version.revision == log.len() as Revision))
            .await;
    }
    assert_eq!(live(&nodes[0]), live(&nodes[1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_follows_the_versions_sees_them_only_rise() {
    let (store, feed) = (MemoryStore::new(), ProcessFeed::default());
    let (one, other) = (ready(engine(&store, &feed)).await, ready(engine(&store, &feed)).await);
    let mut versions = one.subscribe();
    let following = tokio::spawn(async move {
        let mut last = 0;
        while last < 200 {
            versions.changed().await.unwrap();
            let revision = versions.borrow_and_update().unwrap().revision;
            assert!(revision > last, "{revision} after {last}");
            last = revision;
        }
    });
    for number in 0..100 {
        let (here, there) = (format!("here-{number}"), format!("there-{number}"));
        let (here, there) = tokio::join!(apply(&one, created(&here)), apply(&other, created(&there)));
        assert!(here.is_ok() && there.is_ok());
    }
    tokio::time::timeout(Duration::from_secs(30), following).await.unwrap().unwrap();
}
