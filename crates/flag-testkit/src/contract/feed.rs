//! Feeds: what one node announces, the others hear soon, and whoever announces does not wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use flag_core::{Epoch, Version};
use flag_engine::{ChangeFeed, EnvironmentName, Hints};
use tokio::time::{sleep, timeout};

type Pair = (Arc<dyn ChangeFeed>, Arc<dyn ChangeFeed>);

/// How long a hint may take; a real one takes milliseconds, a machine that is busy with other tests may stop for seconds.
const PATIENCE: Duration = Duration::from_secs(10);

fn environment() -> EnvironmentName {
    EnvironmentName::parse("default").unwrap()
}

fn version(revision: u64) -> Version {
    Version { epoch: Epoch(0xfeed_0000_0000_0000_0000_0000_0000_0001), revision }
}

/// Waits until `hints` has heard `expected`, whatever it hears before.
async fn assert_hears(hints: &mut Hints, expected: Version) {
    let heard =
        timeout(PATIENCE, hints.wait_for(|hint| hint.version == expected)).await.map(|hint| *hint.unwrap());
    assert!(heard.is_ok(), "waited for {expected:?}, last heard {:?}", *hints.borrow());
}

/// Waits until both expect to hear something.
async fn joined(pair: &Pair) {
    let start = Instant::now();
    while !(pair.0.is_up() && pair.1.is_up()) {
        assert!(start.elapsed() < PATIENCE, "a feed does not come up");
        sleep(Duration::from_millis(5)).await;
    }
}

pub(super) async fn a_feed_has_a_name_and_comes_up(pair: Pair) {
    joined(&pair).await;
    assert!(!pair.0.name().is_empty());
    assert_eq!(pair.0.name(), pair.1.name());
}

pub(super) async fn what_one_announces_the_other_hears(pair: Pair) {
    joined(&pair).await;
    let (mut first, mut second) = (pair.0.hints(), pair.1.hints());
    for revision in [1, 3, 5] {
        pair.0.announce(&environment(), version(revision));
        assert_hears(&mut second, version(revision)).await;
        pair.1.announce(&environment(), version(revision + 1));
        assert_hears(&mut first, version(revision + 1)).await;
    }
    // Every bit of a version arrives.
    let largest = Version { epoch: Epoch(u128::MAX), revision: i64::MAX.unsigned_abs() };
    pair.0.announce(&environment(), largest);
    assert_hears(&mut second, largest).await;
}

pub(super) async fn of_many_announcements_the_last_is_heard(pair: Pair) {
    joined(&pair).await;
    let mut hints = pair.1.hints();
    for revision in 1..=1_000 {
        pair.0.announce(&environment(), version(revision));
    }
    assert_hears(&mut hints, version(1_000)).await;
    // And again after a pause, when whatever gathers announcements has come to rest.
    sleep(Duration::from_millis(50)).await;
    pair.0.announce(&environment(), version(1_001));
    assert_hears(&mut hints, version(1_001)).await;
}

pub(super) async fn a_new_epoch_is_heard(pair: Pair) {
    joined(&pair).await;
    let mut hints = pair.1.hints();
    pair.0.announce(&environment(), version(9));
    assert_hears(&mut hints, version(9)).await;
    // A restored backup stands at an earlier revision.
    let restored = Version { epoch: Epoch(2), revision: 4 };
    pair.0.announce(&environment(), restored);
    assert_hears(&mut hints, restored).await;
}

pub(super) async fn who_comes_late_hears_what_comes_next(pair: Pair) {
    joined(&pair).await;
    let mut early = pair.1.hints();
    pair.0.announce(&environment(), version(1));
    assert_hears(&mut early, version(1)).await;
    let mut late = pair.1.hints();
    pair.0.announce(&environment(), version(2));
    assert_hears(&mut late, version(2)).await;
    assert_hears(&mut early, version(2)).await;
}

pub(super) async fn announcing_lets_nobody_wait(pair: Pair) {
    joined(&pair).await;
    let start = Instant::now();
    for revision in 1..=10_000 {
        pair.0.announce(&environment(), version(revision));
    }
    let taken = start.elapsed();
    assert!(taken < Duration::from_secs(1), "ten thousand announcements took {taken:?}");
}

pub(super) async fn a_feed_that_hears_itself_is_not_confused(pair: Pair) {
    joined(&pair).await;
    let (mut own, mut other) = (pair.0.hints(), pair.1.hints());
    pair.0.announce(&environment(), version(7));
    assert_hears(&mut other, version(7)).await;
    // Whether it hears its own announcement is its own affair; what it hears next must be right.
    pair.1.announce(&environment(), version(8));
    assert_hears(&mut own, version(8)).await;
}
