//! The digest: the same however a snapshot came about, another one as soon as anything differs.

use std::time::Duration;

use flag_core::{
    Description, Entry, Epoch, Flag, Level, Percentage, Salt, Snapshot, SubjectId, Timestamp, Variant,
    Version,
};
use flag_engine::document::{SnapshotDocument, read_snapshot};
use flag_engine::{Digest, Engine, ProcessFeed, RowSum};
use flag_testkit::generate;
use flag_testkit::memory::MemoryStore;
use proptest::prelude::*;
use tokio::time::timeout;

use crate::steps::{apply, created, deaf, engine, live, pinned, reaches, ready, switched};

/// What `docs/digest.md` shows, with its digest.
const PAGE: &str = include_str!("../../../../docs/digest.md");

/// Every snapshot that differs from `flag` alone, at version (1, 7), in one thing.
fn neighbours(flag: &Flag) -> Vec<Snapshot> {
    let version = Version { epoch: Epoch(1), revision: 7 };
    let text = |text| Some(Description::parse(text).unwrap());
    let mut flags: Vec<Flag> = vec![
        flag.clone(),
        Flag { key: "other".parse().unwrap(), ..flag.clone() },
        Flag { description: text(""), ..flag.clone() },
        Flag { description: text("d"), ..flag.clone() },
        Flag { global: Variant::ON, ..flag.clone() },
        Flag { rollout: Some(Percentage::NONE), ..flag.clone() },
        Flag { rollout: Some(Percentage::from_thousandths(1).unwrap()), ..flag.clone() },
        Flag { salt: Salt::parse("other").unwrap(), ..flag.clone() },
        Flag { revision: flag.revision + 1, ..flag.clone() },
        Flag { created_at: Timestamp(flag.created_at.0 - 1), ..flag.clone() },
        Flag { updated_at: Timestamp(flag.updated_at.0 + 1), ..flag.clone() },
    ];
    for level in Level::ALL {
        for (subject, variant) in [("u", Variant::ON), ("u", Variant::OFF), ("v", Variant::ON)] {
            let mut pinned = flag.clone();
            pinned.overrides.set(level, &SubjectId::parse(subject).unwrap(), variant);
            flags.push(pinned);
        }
    }
    let mut snapshots: Vec<Snapshot> = flags.into_iter().map(|flag| Snapshot::new(version, [flag])).collect();
    for version in [Version { epoch: Epoch(2), ..version }, Version { revision: 8, ..version }] {
        snapshots.push(Snapshot::new(version, [flag.clone()]));
    }
    snapshots.push(Snapshot::new(version, []));
    snapshots
}

#[test]
fn a_digest_differs_as_soon_as_anything_does() {
    let flag = Flag {
        key: "f".parse().unwrap(),
        description: None,
        global: Variant::OFF,
        rollout: None,
        salt: Salt::parse("f").unwrap(),
        overrides: flag_core::Overrides::default(),
        revision: 5,
        created_at: Timestamp(1_750_000_000_000),
        updated_at: Timestamp(1_750_000_000_000),
    };
    let mut digests: Vec<String> =
        neighbours(&flag).iter().map(|near| Digest::of(near).to_string()).collect();
    let count = digests.len();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), count);
}

#[test]
fn the_example_of_the_page_has_the_digest_that_the_page_says() {
    let document = PAGE.split("```json").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let snapshot = read_snapshot(document.as_bytes()).unwrap();
    assert!(PAGE.contains(&format!("`{}`", Digest::of(&snapshot))), "{}", Digest::of(&snapshot));
}

proptest! {
    #[test]
    fn a_sum_kept_change_by_change_is_the_sum_of_the_whole(changes in generate::change_sequences(60)) {
        let mut snapshot = Snapshot::default();
        let mut sum = RowSum::of(&snapshot);
        for change in changes {
            let next = snapshot.with(&Entry::next(&snapshot, change)).unwrap_or_else(|_| snapshot.clone());
            sum = sum.moved(&snapshot, &next);
            snapshot = next;
            prop_assert_eq!(sum, RowSum::of(&snapshot));
        }
    }

    #[test]
    fn a_sum_leads_from_any_snapshot_to_any_other(one in generate::snapshots(), other in generate::snapshots()) {
        prop_assert_eq!(RowSum::of(&one).moved(&one, &other), RowSum::of(&other));
        prop_assert_eq!(RowSum::of(&one) == RowSum::of(&other), one.flags().count() == other.flags().count()
            && one.flags().all(|flag| other.flag(flag.key.as_str()) == Some(flag)));
    }

    #[test]
    fn a_digest_survives_a_document_and_the_order_of_flags(snapshot in generate::snapshots()) {
        let text = serde_json::to_string(&SnapshotDocument(&snapshot)).unwrap();
        prop_assert_eq!(Digest::of(&read_snapshot(text.as_bytes()).unwrap()), Digest::of(&snapshot));
        let mut flags: Vec<Flag> = snapshot.flags().cloned().collect();
        flags.reverse();
        prop_assert_eq!(Digest::of(&Snapshot::new(snapshot.version(), flags)), Digest::of(&snapshot));
    }
}

/// The digest of the live snapshot, once it has been computed.
async fn digested(engine: &Engine) -> Digest {
    let waiting = async {
        loop {
            let status = engine.status();
            if let Some(now) = status.digest.filter(|now| Some(now.version) == status.version) {
                return now.digest;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(60), waiting).await.unwrap()
}

#[tokio::test]
async fn a_node_keeps_the_digest_of_its_live_snapshot_however_it_got_it() {
    let (store, feed) = (MemoryStore::new(), ProcessFeed::default());
    let (writer, reader) = (ready(engine(&store, &feed)).await, ready(engine(&store, &feed)).await);
    assert_eq!(digested(&writer).await, Digest::of(&live(&writer)));
    for change in [created("a"), pinned("a", "u"), created("b"), switched("a", Variant::ON), pinned("b", "u")]
    {
        let version = apply(&writer, change).await.unwrap().snapshot.version();
        reaches(&reader, |live| live == Some(version)).await;
        assert_eq!(digested(&writer).await, Digest::of(&live(&writer)));
        assert_eq!(digested(&reader).await, digested(&writer).await);
    }
    let late = ready(deaf(&store)).await;
    assert_eq!(digested(&late).await, digested(&writer).await);
    store.restore_backup(3);
    let restored = live(&writer).version().epoch;
    reaches(&writer, |live| live.is_some_and(|live| live.epoch != restored)).await;
    assert_eq!(digested(&writer).await, Digest::of(&live(&writer)));
}
