//! What is kept of writes that may be repeated: with the batch or not at all, and each key once.

use std::sync::Arc;

use flag_core::{Revision, Snapshot, Version};
use flag_engine::{Appended, Batch, IdempotencyKey, Receipt, Receipts};
use tokio::task::JoinSet;

use super::steps::{Store, assert_stands_at, created, environment, whole};
use crate::planned::Planned;

fn receipt(key: &str, answer: &[u8]) -> Receipt {
    let fingerprint = std::array::from_fn(|place| key.as_bytes()[place % key.len()]);
    Receipt { key: IdempotencyKey::parse(key.as_bytes()).unwrap(), fingerprint, answer: answer.to_vec() }
}

async fn found(store: &Store, keys: &[&str]) -> Receipts {
    let keys: Vec<_> = keys.iter().map(|key| IdempotencyKey::parse(key.as_bytes()).unwrap()).collect();
    let mut found = store.receipts(&environment(), &keys).await.unwrap();
    found.known.sort_by(|a, b| a.key.cmp(&b.key));
    found
}

async fn append(store: &Store, version: Version, batch: &Batch) -> Appended {
    store.append(&environment(), version, batch).await.unwrap()
}

fn flags_with(base: &Snapshot, flags: &[&str], receipts: Vec<Receipt>) -> (Batch, Snapshot) {
    let Planned { batch, after } = Planned::new(base, flags.iter().map(|flag| created(flag)));
    (Batch { receipts, ..batch }, after)
}

pub(super) async fn a_receipt_is_found_by_its_key_and_by_no_other(store: Store) {
    assert_eq!(found(&store, &["a"]).await, Receipts::default());
    let longest = "~".repeat(IdempotencyKey::LIMIT);
    let every_byte: Vec<u8> = (0..=255).collect();
    let kept = vec![receipt("A", b""), receipt("\"a'\\%_\"", &every_byte), receipt(&longest, &[7; 100_000])];
    let (batch, after) = flags_with(&whole(&store).await, &["a"], kept.clone());
    assert_eq!(append(&store, whole(&store).await.version(), &batch).await, Appended::Committed);
    assert_stands_at(&store, &after).await;
    let all = found(&store, &["\"a'\\%_\"", &longest, "a", "A", "~"]).await;
    assert_eq!(all.kept, 3);
    assert!(
        kept.iter().all(|receipt| all.known.contains(receipt)) && all.known.len() == 3,
        "{:?}",
        all.known.len()
    );
    assert_eq!(found(&store, &["a"]).await, Receipts { known: vec![], kept: 3 });
    assert_eq!(found(&store, &["A"]).await.known, [receipt("A", b"")]);
}

pub(super) async fn receipts_alone_are_written_and_move_no_revision(store: Store) {
    let empty = whole(&store).await;
    let batch = Batch { receipts: vec![receipt("k", b"answer")], ..Batch::default() };
    assert_eq!(append(&store, empty.version(), &batch).await, Appended::Committed);
    assert_stands_at(&store, &empty).await;
    assert_eq!(found(&store, &["k"]).await, Receipts { known: batch.receipts, kept: 1 });
}

pub(super) async fn a_receipt_that_is_there_already_is_a_conflict_and_nothing_is_written(store: Store) {
    let empty = whole(&store).await;
    let (first, after) = flags_with(&empty, &["a"], vec![receipt("k", b"first")]);
    assert_eq!(append(&store, empty.version(), &first).await, Appended::Committed);
    let (second, _) = flags_with(&after, &["b", "c"], vec![receipt("new", b""), receipt("k", b"second")]);
    assert_eq!(append(&store, after.version(), &second).await, Appended::Conflict);
    let alone = Batch { receipts: vec![receipt("k", b"third")], ..Batch::default() };
    assert_eq!(append(&store, after.version(), &alone).await, Appended::Conflict);
    assert_stands_at(&store, &after).await;
    assert_eq!(found(&store, &["k", "new"]).await, Receipts { known: vec![receipt("k", b"first")], kept: 1 });
}

pub(super) async fn a_batch_that_comes_too_late_leaves_no_receipt(store: Store) {
    let empty = whole(&store).await;
    let (first, after) = flags_with(&empty, &["a"], vec![]);
    assert_eq!(append(&store, empty.version(), &first).await, Appended::Committed);
    let (late, _) = flags_with(&empty, &["b"], vec![receipt("k", b"")]);
    let alone = Batch { receipts: vec![receipt("k", b"")], ..Batch::default() };
    for (revision, batch) in [(0 as Revision, &late), (0, &alone), (2, &alone)] {
        let version = Version { revision, ..after.version() };
        assert_eq!(append(&store, version, batch).await, Appended::Conflict);
    }
    assert_stands_at(&store, &after).await;
    assert_eq!(found(&store, &["k"]).await, Receipts::default());
}

pub(super) async fn of_batches_with_one_receipt_exactly_one_is_committed(store: Store) {
    let empty = whole(&store).await;
    let mut writers = JoinSet::new();
    for number in 0..8_u8 {
        let (store, version) = (Arc::clone(&store), empty.version());
        writers.spawn(async move {
            // They change nothing, so that only the receipt can stand in their way.
            let batch = Batch { receipts: vec![receipt("k", &[number])], ..Batch::default() };
            append(&store, version, &batch).await
        });
    }
    let outcomes = writers.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Appended::Committed).count(), 1, "{outcomes:?}");
    assert_eq!(found(&store, &["k"]).await.kept, 1);
}
