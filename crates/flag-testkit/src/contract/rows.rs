//! What batches leave behind: the state is what the reducer says, whatever the batch did on its way there.

use flag_core::{Change, FlagKey, Level, Percentage, SubjectId, Variant};
use flag_engine::HistoryPage;

use super::steps::{
    Store, assert_stands_at, commit, created, deleted, environment, key, log, pinned, released, whole,
};
use crate::generate;

fn pinned_everywhere(flag: &str) -> [Change; 4] {
    [
        created(flag),
        pinned(flag, Level::User, "same"),
        pinned(flag, Level::Group, "same"),
        pinned(flag, Level::Region, "same"),
    ]
}

pub(super) async fn a_deleted_flag_takes_its_overrides_along_and_leaves_its_history(store: Store) {
    let empty = whole(&store).await;
    let both = commit(&store, &empty, pinned_everywhere("a").into_iter().chain(pinned_everywhere("b"))).await;
    let one = commit(&store, &both, [deleted("a")]).await;
    assert_stands_at(&store, &one).await;
    let page = HistoryPage { before: None, flag: Some(&key("a")), limit: 100 };
    assert_eq!(store.history(&environment(), page).await.unwrap().len(), 5);
    assert_eq!(log(&store).await.len(), 9);
}

pub(super) async fn a_flag_that_is_created_again_in_another_batch_starts_clean(store: Store) {
    let empty = whole(&store).await;
    let first = commit(&store, &empty, pinned_everywhere("a")).await;
    let gone = commit(&store, &first, [deleted("a")]).await;
    let again = commit(&store, &gone, [created("a")]).await;
    assert!(again.flag("a").unwrap().overrides.is_empty());
    assert_stands_at(&store, &again).await;
}

pub(super) async fn a_flag_that_is_created_again_in_the_same_batch_starts_clean(store: Store) {
    let empty = whole(&store).await;
    let first = commit(&store, &empty, pinned_everywhere("a")).await;
    let again = commit(&store, &first, [deleted("a"), created("a")]).await;
    assert!(again.flag("a").unwrap().overrides.is_empty());
    assert_stands_at(&store, &again).await;

    let changes = [deleted("a"), created("a"), pinned("a", Level::User, "new")];
    let pinned_anew = commit(&store, &again, changes).await;
    assert_stands_at(&store, &pinned_anew).await;

    let fleeting = [created("b"), pinned("b", Level::User, "u"), deleted("b")];
    let unmoved = commit(&store, &pinned_anew, fleeting).await;
    assert_stands_at(&store, &unmoved).await;
}

pub(super) async fn what_is_pinned_and_released_in_one_batch_ends_as_it_was_last(store: Store) {
    let empty = whole(&store).await;
    let base = commit(&store, &empty, [created("a"), pinned("a", Level::User, "old")]).await;
    let off = Change::OverrideSet {
        key: key("a"),
        level: Level::User,
        subject: SubjectId::parse("twice").unwrap(),
        variant: Variant::OFF,
    };
    let changes = [
        released("a", Level::User, "old"),
        pinned("a", Level::User, "old"),
        pinned("a", Level::User, "fleeting"),
        released("a", Level::User, "fleeting"),
        pinned("a", Level::User, "twice"),
        off,
    ];
    let after = commit(&store, &base, changes).await;
    let overrides = &after.flag("a").unwrap().overrides;
    assert_eq!(overrides.len(Level::User), 2);
    assert_eq!(overrides.get(Level::User, "twice"), Some(Variant::OFF));
    assert_stands_at(&store, &after).await;
    let cleared = commit(&store, &after, ["old", "twice"].map(|id| released("a", Level::User, id))).await;
    assert!(cleared.flag("a").unwrap().overrides.is_empty());
    assert_stands_at(&store, &cleared).await;
}

pub(super) async fn every_kind_of_subject_survives(store: Store) {
    let mut snapshot = commit(&store, &whole(&store).await, [created("a")]).await;
    let odd = generate::odd_subjects();
    for level in Level::ALL {
        snapshot = commit(&store, &snapshot, odd.iter().map(|id| pinned("a", level, id.as_str()))).await;
        assert_eq!(snapshot.flag("a").unwrap().overrides.len(level), odd.len());
    }
    assert_stands_at(&store, &snapshot).await;
    // Each is found again by its own bytes, and by nobody else's.
    for id in &odd {
        snapshot = commit(&store, &snapshot, [released("a", Level::Group, id.as_str())]).await;
    }
    assert_eq!(snapshot.flag("a").unwrap().overrides.len(Level::Group), 0);
    assert_stands_at(&store, &snapshot).await;
}

pub(super) async fn every_part_of_a_flag_survives(store: Store) {
    let description = |text: &str| flag_core::Description::parse(text).unwrap();
    let descriptions = [
        None,
        Some(description("")),
        Some(description("\"quoted\" \\ 'single' 😀 \u{2028} two\nlines\r\n\tand a tab")),
        Some(description(&"ü".repeat(1_000))),
    ];
    let rollouts = [None, Some(0), Some(1), Some(33_333), Some(50_000), Some(99_999), Some(100_000)];
    let mut changes = Vec::new();
    for (row, text) in descriptions.into_iter().enumerate() {
        for (column, thousandths) in rollouts.into_iter().enumerate() {
            changes.push(Change::FlagCreated {
                key: key(&format!("flag-{row}-{column}")),
                description: text.clone(),
                global: Variant::from(column % 2 == 0),
                rollout: thousandths.map(|number| Percentage::from_thousandths(number).unwrap()),
            });
        }
    }
    let after = commit(&store, &whole(&store).await, changes).await;
    assert_eq!(after.len(), 28);
    assert_stands_at(&store, &after).await;
}

pub(super) async fn keys_are_compared_byte_by_byte(store: Store) {
    let longest = "k".repeat(FlagKey::LIMIT);
    let nearly = "k".repeat(FlagKey::LIMIT - 1);
    let keys = ["a", "A", "a_b", "a.b", "a-b", "aXb", "a_", "0", "00", "1e3", &longest, &nearly];
    let all = keys.iter().flat_map(|flag| pinned_everywhere(flag));
    let mut snapshot = commit(&store, &whole(&store).await, all).await;
    assert_eq!(snapshot.len(), keys.len());
    assert_stands_at(&store, &snapshot).await;
    for flag in ["a_b", "A", "0"] {
        snapshot = commit(&store, &snapshot, [deleted(flag)]).await;
        assert_stands_at(&store, &snapshot).await;
    }
}
