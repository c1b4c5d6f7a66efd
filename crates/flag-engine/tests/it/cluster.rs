//! Nodes that tell the store where they stand, and what each can then say of all.

use std::sync::Arc;
use std::time::Duration;

use flag_core::{Epoch, Version};
use flag_engine::{
    Convergence, ConvergenceError, Digest, Engine, FlagStore, NodeId, NodeIdentity, NodeReport, ProcessFeed,
};
use flag_testkit::memory::{FailMode, MemoryStore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::steps::{apply, created, deaf, engine, environment, live, ready};

async fn converged(engine: &Engine, revision: u64, wait: u64) -> Convergence {
    engine.convergence(Some(revision), Duration::from_secs(wait)).await.unwrap()
}

/// Reports as a node would that stands at `version`, with a digest of these bytes.
async fn pretend(store: &MemoryStore, id: u128, version: Version, digest: u8) {
    let node = NodeIdentity { id: NodeId(id), name: "other".parse().unwrap() };
    let digest = Some(Digest::from_bytes([digest; 32]));
    store.report(&environment(), &NodeReport { node, version, digest }).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nodes_that_hear_each_other_converge_and_say_so_at_once() {
    let (store, feed) = (MemoryStore::new(), ProcessFeed::default());
    let nodes = [engine(&store, &feed), engine(&store, &feed), engine(&store, &feed)];
    for (number, node) in nodes.iter().enumerate() {
        timeout(Duration::from_secs(5), node.subscribe().wait_for(Option::is_some)).await.unwrap().unwrap();
        sleep(Duration::from_millis(100)).await;
        let revision = apply(node, created(&format!("f{number}"))).await.unwrap().snapshot.version().revision;
        let started = Instant::now();
        let found = converged(&nodes[0], revision, 10).await;
        assert!(found.converged && !found.disagreement, "{found:?}");
        assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    }
    sleep(Duration::from_secs(5)).await;
    let found = converged(&nodes[1], 3, 0).await;
    assert_eq!((found.nodes.len(), found.revision), (3, 3));
    let expected = Digest::of(&live(&nodes[2]));
    for progress in &found.nodes {
        assert_eq!((progress.reached, progress.node.digest), (true, Some(expected)), "{found:?}");
    }
    let cluster = nodes[2].status().cluster.unwrap();
    assert_eq!((cluster.nodes, cluster.behind, cluster.disagreement), (3, 0, false));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_falls_silent_stands_where_it_stood_until_it_is_forgotten() {
    let store = MemoryStore::new();
    let one = ready(deaf(&store)).await;
    pretend(&store, u128::MAX, live(&one).version(), 1).await;
    apply(&one, created("a")).await.unwrap();
    let started = Instant::now();
    let found = converged(&one, 1, 5).await;
    assert!(started.elapsed() >= Duration::from_secs(5));
    assert!(!found.converged, "{found:?}");
    let reached: Vec<bool> = found.nodes.iter().map(|progress| progress.reached).collect();
    assert_eq!(reached, [true, false]);
    assert_eq!(one.status().cluster.unwrap().behind, 1);
    assert_eq!(one.status().cluster.unwrap().silent, 0);
    let found = converged(&one, 1, 30).await;
    assert!(!found.converged && found.nodes[1].node.is_silent(), "{found:?}");
    let cluster = one.status().cluster.unwrap();
    assert_eq!((cluster.nodes, cluster.behind, cluster.silent), (1, 1, 1));
    // It may still answer, and what it had reached it has not lost.
    assert!(converged(&one, 0, 0).await.converged);
    sleep(Duration::from_secs(600).saturating_sub(started.elapsed())).await;
    let found = converged(&one, 1, 5).await;
    assert!(found.converged && found.nodes.len() == 1, "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_in_another_epoch_has_reached_no_revision_of_this_one() {
    let store = MemoryStore::new();
    let one = ready(deaf(&store)).await;
    pretend(&store, u128::MAX, Version { epoch: Epoch(u128::MAX), revision: 9 }, 1).await;
    let found = converged(&one, 0, 0).await;
    assert_eq!((found.converged, found.disagreement, found.nodes[1].reached), (false, false, false));
}

#[tokio::test(start_paused = true)]
async fn nodes_that_hold_different_flags_at_one_version_are_shown_to_disagree() {
    let store = MemoryStore::new();
    let one = ready(deaf(&store)).await;
    let version = live(&one).version();
    for (id, version, expected) in [
        (8, Version { revision: version.revision + 1, ..version }, false),
        (9, version, true),
        // Also two others, at a version where this node is not.
        (9, Version { revision: version.revision + 1, ..version }, true),
    ] {
        pretend(&store, id << 64, version, u8::try_from(id).unwrap()).await;
        sleep(Duration::from_millis(2_100)).await;
        pretend(&store, id << 64, version, u8::try_from(id).unwrap()).await;
        assert_eq!(converged(&one, 0, 0).await.disagreement, expected, "{id}");
        assert_eq!(one.status().cluster.unwrap().disagreement, expected, "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_closed_is_gone_at_once_and_goes_on_answering() {
    let (store, feed) = (MemoryStore::new(), ProcessFeed::default());
    let (one, other) = (ready(engine(&store, &feed)).await, ready(engine(&store, &feed)).await);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(converged(&one, 0, 0).await.nodes.len(), 2);
    other.close().await;
    other.close().await;
    assert_eq!(store.nodes(&environment()).await.unwrap().len(), 1);
    apply(&other, created("a")).await.unwrap();
    sleep(Duration::from_secs(3)).await;
    let found = converged(&one, 1, 0).await;
    assert!(found.converged && found.nodes.len() == 1, "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn however_fast_changes_come_a_node_reports_some_ten_times_a_second() {
    let store = MemoryStore::new();
    let one = ready(deaf(&store)).await;
    apply(&one, created("a")).await.unwrap();
    let started = Instant::now();
    let mut reports = std::collections::BTreeSet::new();
    for number in 0..2_000 {
        apply(&one, created(&format!("f{number}"))).await.unwrap();
        sleep(Duration::from_millis(1)).await;
        reports.extend(store.nodes(&environment()).await.unwrap().first().map(|node| node.version.revision));
    }
    let seconds = started.elapsed().as_secs_f64();
    let most = 11.0 * seconds + 2.0;
    let count = f64::from(u32::try_from(reports.len()).unwrap());
    assert!((5.0 * seconds..=most).contains(&count), "{count} in {seconds} s");
}

#[tokio::test(start_paused = true)]
async fn without_the_store_nobody_can_say_and_nobody_waits_for_ever() {
    let store = MemoryStore::new();
    let one = Arc::new(ready(deaf(&store)).await);
    sleep(Duration::from_secs(1)).await;
    for mode in [FailMode::Unavailable, FailMode::Hang] {
        store.set_failing(mode);
        let started = Instant::now();
        let mut asking = JoinSet::new();
        for _ in 0..80 {
            let one = Arc::clone(&one);
            asking.spawn(async move { one.convergence(None, Duration::from_secs(30)).await });
        }
        let outcomes = asking.join_all().await;
        let turned_away =
            outcomes.iter().filter(|outcome| matches!(outcome, Err(ConvergenceError::Overloaded))).count();
        assert!(outcomes.iter().all(Result::is_err));
        assert_eq!(turned_away, 80 - 64, "{mode:?}");
        let expected = Duration::from_secs(30)..Duration::from_secs(34);
        assert!(expected.contains(&started.elapsed()), "{mode:?}: {:?}", started.elapsed());
        let started = Instant::now();
        one.convergence(None, Duration::ZERO).await.unwrap_err();
        assert!(started.elapsed() <= Duration::from_secs(3), "{mode:?}: {:?}", started.elapsed());
        // What it last heard is soon too old to say anything.
        sleep(Duration::from_secs(11)).await;
        assert_eq!(one.status().cluster, None);
    }
    // Who waits is told as soon as somebody can say.
    let waiting = tokio::spawn({
        let one = Arc::clone(&one);
        async move { converged(&one, 0, 30).await }
    });
    sleep(Duration::from_secs(5)).await;
    store.set_failing(FailMode::Works);
    let started = Instant::now();
    assert!(waiting.await.unwrap().converged);
    assert!(started.elapsed() <= Duration::from_secs(4), "{:?}", started.elapsed());
    sleep(Duration::from_secs(5)).await;
    assert!(one.status().cluster.is_some());
}

#[tokio::test(start_paused = true)]
async fn whoever_only_looks_finds_a_place_while_many_wait() {
    let store = MemoryStore::new();
    let one = Arc::new(ready(deaf(&store)).await);
    let mut waiting = JoinSet::new();
    for _ in 0..64 {
        let one = Arc::clone(&one);
        waiting.spawn(async move { one.convergence(Some(9), Duration::from_secs(30)).await });
    }
    sleep(Duration::from_secs(1)).await;
    let turned_away = one.convergence(Some(9), Duration::from_secs(1)).await;
    assert!(matches!(turned_away, Err(ConvergenceError::Overloaded)), "{turned_away:?}");
    assert!(!converged(&one, 9, 0).await.converged);
    waiting.shutdown().await;
}
