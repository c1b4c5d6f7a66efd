//! What a store tells of nodes: what they last reported, until they withdraw or are forgotten.

use std::time::Duration;

use flag_core::{Epoch, Version};
use flag_engine::{
    Digest, EnvironmentName, NODE_MEMORY, NodeId, NodeIdentity, NodeReport, SeenNode, StoreError,
};
use tokio::task::JoinSet;

use super::steps::{Store, assert_stands_at, commit, created, environment, whole};

fn report(id: u128, name: &str, version: Version, digest: Option<Digest>) -> NodeReport {
    NodeReport { node: NodeIdentity { id: NodeId(id), name: name.parse().unwrap() }, version, digest }
}

fn at(revision: u64) -> Version {
    Version { epoch: Epoch(7), revision }
}

async fn tell(store: &Store, report: &NodeReport) {
    store.report(&environment(), report).await.unwrap();
}

async fn seen(store: &Store) -> Vec<SeenNode> {
    let nodes = store.nodes(&environment()).await.unwrap();
    assert!(nodes.is_sorted_by_key(|node| node.id), "{nodes:?}");
    assert!(nodes.iter().all(|node| node.age <= NODE_MEMORY), "{nodes:?}");
    nodes
}

/// The store tells exactly of these, whatever their age.
async fn assert_seen(store: &Store, expected: &[NodeReport]) {
    let expected: Vec<SeenNode> = expected
        .iter()
        .map(|report| SeenNode {
            id: report.node.id,
            name: report.node.name.as_str().to_owned(),
            version: report.version,
            digest: report.digest,
            age: Duration::ZERO,
        })
        .collect();
    let found = seen(store).await.into_iter().map(|node| SeenNode { age: Duration::ZERO, ..node });
    assert_eq!(found.collect::<Vec<_>>(), expected);
}

pub(super) async fn a_node_is_seen_as_it_last_reported(store: Store) {
    assert_seen(&store, &[]).await;
    let digest = Some(Digest::from_bytes([1; 32]));
    let other = report(9, "other", at(3), None);
    for newest in [
        report(5, "one", at(3), None),
        report(5, "one", at(3), digest),
        report(5, "renamed", at(4), None),
        report(5, "one", Version { epoch: Epoch(8), revision: 1 }, digest),
    ] {
        tell(&store, &newest).await;
        tell(&store, &other).await;
        assert_seen(&store, &[newest, other.clone()]).await;
    }
    // Ages are told apart from the reports.
    tokio::time::sleep(Duration::from_millis(300)).await;
    tell(&store, &other).await;
    let ages: Vec<Duration> = seen(&store).await.iter().map(|node| node.age).collect();
    assert!(ages[0] >= Duration::from_millis(300) && ages[1] < ages[0], "{ages:?}");
}

pub(super) async fn many_nodes_that_report_at_once_are_all_seen(store: Store) {
    let reports: Vec<NodeReport> =
        (1..=20_u64).map(|id| report(id.into(), &format!("node-{id}"), at(id), None)).collect();
    for _ in 0..3 {
        let mut telling = JoinSet::new();
        for report in reports.clone() {
            let store = Store::clone(&store);
            // A store that is busy may refuse; the node tells it again.
            telling.spawn(async move {
                while store.report(&environment(), &report).await.is_err() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            });
        }
        telling.join_all().await;
    }
    assert_seen(&store, &reports).await;
}

pub(super) async fn a_node_that_withdraws_is_gone_at_once(store: Store) {
    let (one, other) = (report(1, "same", at(1), None), report(2, "same", at(1), None));
    for report in [&one, &other] {
        tell(&store, report).await;
    }
    for _ in 0..2 {
        store.withdraw(&environment(), one.node.id).await.unwrap();
        assert_seen(&store, std::slice::from_ref(&other)).await;
    }
    tell(&store, &one).await;
    assert_seen(&store, &[one, other]).await;
}

pub(super) async fn every_version_and_name_survives(store: Store) {
    let longest = "ü".repeat(128);
    let reports = [
        report(0, "'; --", at(0), None),
        report(1, &longest, at(i64::MAX.unsigned_abs()), Some(Digest::from_bytes([0xff; 32]))),
        report(1 << 127, "10.0.0.1:3000", Version { epoch: Epoch(u128::MAX), revision: 1 }, None),
        report(
            u128::MAX,
            "😀",
            Version { epoch: Epoch(1 << 127), revision: 1 },
            Some(Digest::from_bytes([0; 32])),
        ),
    ];
    for report in &reports {
        tell(&store, report).await;
    }
    assert_seen(&store, &reports).await;
}

pub(super) async fn reports_leave_flags_and_log_alone(store: Store) {
    let empty = whole(&store).await;
    let one = commit(&store, &empty, [created("a")]).await;
    tell(&store, &report(1, "one", one.version(), Some(Digest::of(&one)))).await;
    assert_stands_at(&store, &one).await;
    let two = commit(&store, &one, [created("b")]).await;
    assert_stands_at(&store, &two).await;
    assert_eq!(seen(&store).await[0].version, one.version());
}

pub(super) async fn the_nodes_of_an_environment_that_does_not_exist_are_none_or_an_error(store: Store) {
    tell(&store, &report(1, "one", at(1), None)).await;
    let nowhere = EnvironmentName::parse("nowhere").unwrap();
    match store.nodes(&nowhere).await {
        Ok(nodes) => assert_eq!(nodes, []),
        Err(error) => assert!(matches!(error, StoreError::Corrupt { .. }), "{error}"),
    }
}
