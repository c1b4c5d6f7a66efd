//! What nodes share, and what a node makes of it.

use std::sync::Arc;
use std::time::Duration;

use flag_core::{Level, Version};
use flag_engine::document::SnapshotDocument;
use flag_engine::{Fetched, FlagSource, FlagStore, StoreError};
use flag_testkit::memory::{FailMode, MemoryStore};
use flag_testkit::services::Redis;
use tokio::time::sleep;

use crate::steps::{Listening, Probe, commit, created, environment, everything, fresh_prefix, pinned};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_asks_the_store_only_for_what_is_newer_than_the_shared_snapshot() {
    let (url, prefix, nodes) = (Redis::shared(), fresh_prefix(), Listening::new());
    let first = nodes.behind(&url, &prefix);
    let shared = commit(&nodes.store, [created("a"), pinned("a", "u"), created("b")]).await;
    first.offer(&environment(), &shared);
    Probe::new(&url, &prefix).shares(shared.version()).await;

    let second = nodes.behind(&url, &prefix);
    nodes.asked.lock().unwrap().clear();
    assert_eq!(everything(&second).await.unwrap(), *shared);
    let newest = commit(&nodes.store, [pinned("b", "u"), created("c")]).await;
    assert_eq!(everything(&second).await.unwrap(), *newest);
    assert_eq!(*nodes.asked.lock().unwrap(), [Some(shared.version()); 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_with_flags_of_its_own_looks_whether_better_ones_are_shared() {
    let (url, prefix, nodes) = (Redis::shared(), fresh_prefix(), Listening::new());
    let first = nodes.behind(&url, &prefix);
    let shared = commit(&nodes.store, [created("a"), created("b")]).await;
    first.offer(&environment(), &shared);
    Probe::new(&url, &prefix).shares(shared.version()).await;
    let Version { epoch, revision } = shared.version();
    let (older, same) = (Version { epoch, revision: revision - 1 }, shared.version());
    let other = Version { epoch: flag_core::Epoch(!epoch.0), revision: 99 };

    for (have, asked) in [(older, same), (same, same), (other, same)] {
        nodes.asked.lock().unwrap().clear();
        nodes.behind(&url, &prefix).fetch(&environment(), Some(have)).await.unwrap();
        assert_eq!(*nodes.asked.lock().unwrap(), [Some(asked)], "{have:?}");
    }
    // While nobody can say which history is the present one, that of the others is chosen, but only by whoever has nothing
    // live yet.
    nodes.store.set_failing(FailMode::Unavailable);
    let starting = nodes.behind(&url, &prefix);
    let fetched = starting.fetch(&environment(), Some(other)).await;
    assert!(matches!(fetched, Ok(Fetched::Stale { snapshot, .. }) if snapshot == *shared));
    assert!(starting.fetch(&environment(), Some(other)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_a_node_starts_from_the_shared_snapshot_and_knows_that_it_may_be_old() {
    let (url, prefix, nodes) = (Redis::shared(), fresh_prefix(), Listening::new());
    let first = nodes.behind(&url, &prefix);
    let shared = commit(&nodes.store, [created("a"), created("b")]).await;
    first.offer(&environment(), &shared);
    Probe::new(&url, &prefix).shares(shared.version()).await;
    nodes.store.set_failing(FailMode::Unavailable);

    let second = nodes.behind(&url, &prefix);
    let (stale, why) = everything(&second).await.unwrap_err();
    assert_eq!(stale.as_ref(), Some(&*shared));
    assert!(matches!(why, StoreError::Unavailable(_)));
    // Whoever has an older one is given it too; whoever has as much, or something else, is not.
    let Version { epoch, revision } = shared.version();
    for (have, is_given) in [
        (Version { epoch, revision: revision - 1 }, true),
        (Version { epoch, revision }, false),
        (Version { epoch, revision: revision + 1 }, false),
        (Version { epoch: flag_core::Epoch(!epoch.0), revision: 0 }, false),
    ] {
        let fetched = second.fetch(&environment(), Some(have)).await;
        match fetched {
            Ok(Fetched::Stale { snapshot, .. }) => assert!(is_given && snapshot == *shared, "{have:?}"),
            Err(StoreError::Unavailable(_)) => assert!(!is_given, "{have:?}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_history_replaces_what_is_shared_and_is_not_replaced_by_it() {
    let (url, prefix, nodes) = (Redis::shared(), fresh_prefix(), Listening::new());
    let probe = Probe::new(&url, &prefix);
    let (first, second) = (nodes.behind(&url, &prefix), nodes.behind(&url, &prefix));
    let before = commit(&nodes.store, [created("a"), created("b"), created("c")]).await;
    first.offer(&environment(), &before);
    second.offer(&environment(), &before);
    probe.shares(before.version()).await;
    // Until both have seen that it is shared.
    sleep(Duration::from_millis(2_500)).await;

    nodes.store.restore_backup(1);
    let after = Arc::new(everything(&nodes.store).await.unwrap());
    assert!(after.version().revision < before.version().revision);
    second.offer(&environment(), &after);
    probe.shares(after.version()).await;
    // The first node has not heard of it, and goes on looking after what it knows.
    sleep(Duration::from_millis(2_500)).await;
    probe.shares(after.version()).await;
    assert_eq!(everything(&first).await.unwrap(), *after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_lost_what_is_shared_is_not_believed() {
    let (url, prefix, nodes) = (Redis::shared(), fresh_prefix(), Listening::new());
    let source = nodes.behind(&url, &prefix);
    let shared = commit(&nodes.store, [created("a"), created("b"), created("c")]).await;
    source.offer(&environment(), &shared);
    Probe::new(&url, &prefix).shares(shared.version()).await;
    nodes.store.lose_after(1);
    let (stale, why) = everything(&nodes.behind(&url, &prefix)).await.unwrap_err();
    assert_eq!(stale.as_ref(), Some(&*shared));
    assert!(matches!(why, StoreError::Corrupt { .. }), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_written_anew_and_harms_nobody() {
    let (url, prefix, nodes) = (Redis::shared(), fresh_prefix(), Listening::new());
    let probe = Probe::new(&url, &prefix);
    let source = nodes.behind(&url, &prefix);
    let shared = commit(&nodes.store, [created("a"), pinned("a", "u")]).await;
    source.offer(&environment(), &shared);
    let head = probe.head();
    let another = serde_json::to_string(&SnapshotDocument(&flag_core::Snapshot::default())).unwrap();
    for damage in ["a piece that is no JSON", "no pieces", "another version", "a piece of another snapshot"] {
        probe.shares(shared.version()).await;
        let body: String = probe.ask(&["HGET", &head, "body"]).await;
        match damage {
            "no pieces" => probe.ask::<u8>(&["DEL", &body]).await.to_string(),
            "another version" => probe.ask::<u8>(&["HSET", &head, "revision", "77"]).await.to_string(),
            "a piece that is no JSON" => probe.ask(&["LSET", &body, "0", "{\"format\":1,"]).await,
            _ => probe.ask(&["LSET", &body, "0", &another]).await,
        };
        assert_eq!(everything(&source).await.unwrap(), *shared, "{damage}");
    }
    probe.shares(shared.version()).await;
    let entries: u64 = probe.ask(&["LLEN", &probe.ask::<String>(&["HGET", &head, "body"]).await]).await;
    assert_eq!(entries, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_many_pieces_arrives_whole() {
    let (url, prefix, store) = (Redis::shared(), fresh_prefix(), MemoryStore::new());
    let nodes = Listening { store: store.clone(), ..Listening::new() };
    let source = nodes.behind(&url, &prefix);
    let mut shared = commit(&store, [created("a")]).await;
    for round in 0..200 {
        let pins = (0..250).map(|number| pinned("a", &format!("{:0>64}", round * 250 + number)));
        let planned = flag_testkit::planned::Planned::new(&shared, pins);
        store.append(&environment(), shared.version(), &planned.batch).await.unwrap();
        shared = Arc::new(planned.after);
    }
    source.offer(&environment(), &shared);
    let probe = Probe::new(&url, &prefix);
    probe.shares(shared.version()).await;
    let pieces: u32 = probe.ask(&["HGET", &probe.head(), "pieces"]).await;
    assert!(pieces >= 3, "{pieces} pieces");
    store.set_failing(FailMode::Unavailable);
    let (stale, _) = everything(&nodes.behind(&url, &prefix)).await.unwrap_err();
    let stale = stale.expect("it is shared");
    assert_eq!(stale.flag("a").unwrap().overrides.len(Level::User), 50_000);
    assert!(stale == *shared);
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_that_share_a_server_do_not_see_one_another() {
    let (url, one, other) = (Redis::shared(), Listening::new(), Listening::new());
    let (prefix, foreign) = (fresh_prefix(), fresh_prefix());
    let shared = commit(&one.store, [created("a")]).await;
    let source = one.behind(&url, &prefix);
    source.offer(&environment(), &shared);
    Probe::new(&url, &prefix).shares(shared.version()).await;
    other.store.set_failing(FailMode::Unavailable);
    let (found, _) = everything(&other.behind(&url, &foreign)).await.unwrap_err();
    assert!(found.is_none());
}
