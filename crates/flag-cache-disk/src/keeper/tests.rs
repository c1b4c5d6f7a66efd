//! What the keeper saves, and when.

use flag_core::Epoch;

use super::*;

/// Longer than anything here may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);

fn environment() -> EnvironmentName {
    EnvironmentName::parse("default").unwrap()
}

fn at(revision: u64) -> Arc<Snapshot> {
    Arc::new(Snapshot::new(flag_core::Version { epoch: Epoch(1), revision }, []))
}

fn keeper(directory: &std::path::Path) -> Keeper {
    Keeper::start(directory.to_owned(), StoreId::named("db/flags")).unwrap()
}

/// The revision that is on the disk.
fn kept(directory: &std::path::Path) -> Option<u64> {
    let mut generations = Generations::new(directory.to_owned(), environment(), StoreId::named("db/flags"));
    generations.read().0.map(|snapshot| snapshot.version().revision)
}

fn until(mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "in time");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn of_what_becomes_live_the_newest_is_saved_and_not_each() {
    let directory = tempfile::tempdir().unwrap();
    let keeper = keeper(directory.path());
    keeper.offer(&environment(), &at(1));
    until(|| kept(directory.path()) == Some(1));
    let started = Instant::now();
    let mut seen = BTreeSet::new();
    for revision in 2..=500 {
        keeper.offer(&environment(), &at(revision));
        thread::sleep(Duration::from_millis(1));
        seen.extend(kept(directory.path()));
    }
    until(|| kept(directory.path()) == Some(500));
    let most = started.elapsed().as_secs() + 3;
    assert!(seen.len() as u64 <= most, "{seen:?} in {:?}", started.elapsed());
}

#[test]
fn at_the_end_what_is_not_saved_yet_is_saved() {
    let directory = tempfile::tempdir().unwrap();
    let keeper = keeper(directory.path());
    keeper.offer(&environment(), &at(1));
    until(|| kept(directory.path()) == Some(1));
    // Within the rest after the first.
    keeper.offer(&environment(), &at(2));
    keeper.finish();
    assert_eq!(kept(directory.path()), Some(2));
    // The end comes once, and nothing is saved after it.
    keeper.offer(&environment(), &at(3));
    keeper.finish();
    assert_eq!(kept(directory.path()), Some(2));
}

#[test]
fn a_keeper_that_is_dropped_leaves_the_disk_alone() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("gone");
    let keeper = keeper(&directory);
    keeper.offer(&environment(), &at(1));
    until(|| kept(&directory) == Some(1));
    keeper.offer(&environment(), &at(2));
    let kept_by_thread = Arc::downgrade(&keeper.kept);
    drop(keeper);
    until(|| kept_by_thread.upgrade().is_none());
    assert_eq!(kept(&directory), Some(1));
}

#[test]
fn a_disk_that_takes_nothing_is_told_of_and_tried_again() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    std::fs::write(&directory, "no directory").unwrap();
    let keeper = keeper(&directory);
    assert!(keeper.bootstrap().is_up);
    keeper.offer(&environment(), &at(1));
    until(|| !keeper.bootstrap().is_up);
    keeper.offer(&environment(), &at(2));
    std::fs::remove_file(&directory).unwrap();
    until(|| keeper.bootstrap().is_up);
    assert_eq!(kept(&directory), Some(2));
}

#[test]
fn a_save_that_takes_too_long_shows_as_a_disk_that_is_down_while_it_lasts() {
    let directory = tempfile::tempdir().unwrap();
    let keeper = keeper(directory.path());
    for (seconds, is_up) in [(0, true), (29, true), (31, false)] {
        keeper.kept.work().saving = Instant::now().checked_sub(Duration::from_secs(seconds));
        assert_eq!(keeper.bootstrap().is_up, is_up, "{seconds}");
    }
    keeper.offer(&environment(), &at(1));
    until(|| kept(directory.path()) == Some(1) && keeper.bootstrap().is_up);
}

#[test]
fn what_lies_in_the_place_of_the_lock_and_is_no_file_is_neither_waited_for_nor_followed() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = directory.path().join("elsewhere");
    std::os::unix::fs::symlink(&elsewhere, directory.path().join("snapshots.lock")).unwrap();
    let keeper = keeper(directory.path());
    keeper.offer(&environment(), &at(1));
    until(|| !keeper.bootstrap().is_up);
    assert!(!elsewhere.exists());
    assert_eq!(kept(directory.path()), None);
}
