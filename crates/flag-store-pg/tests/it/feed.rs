//! The feed: heard by everybody who listens, and honest about what it may have missed.

use std::time::Duration;

use flag_core::{Epoch, Version};
use flag_engine::{ChangeFeed, Hint, Hints};
use flag_store_pg::start_feed;
use flag_testkit::services::{Postgres, private_missing};
use tokio::time::{sleep, timeout};

use crate::database::{connect, environment};

const PATIENCE: Duration = Duration::from_secs(20);

fn version(revision: u64) -> Version {
    Version { epoch: Epoch(7), revision }
}

async fn heard(hints: &mut Hints, expected: impl FnMut(&Hint) -> bool) -> Hint {
    *timeout(PATIENCE, hints.wait_for(expected)).await.expect("heard in time").unwrap()
}

async fn until(mut holds: impl FnMut() -> bool) {
    timeout(PATIENCE, async {
        while !holds() {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_of_any_other_connection_is_heard_and_nonsense_is_not() {
    let url = Postgres::shared().fresh_database();
    let feed = start_feed(&url).unwrap();
    let mut hints = feed.hints();
    until(|| feed.is_up()).await;
    let client = connect(&url).await;
    for payload in ["", "nonsense", "default 7 x"] {
        client.execute("SELECT pg_notify('flag_changes', $1)", &[&payload]).await.unwrap();
    }
    client.batch_execute("NOTIFY flag_changes, 'default 00000000000000000000000000000007 3'").await.unwrap();
    assert_eq!(heard(&mut hints, |hint| hint.version != Version::default()).await.version, version(3));
    // A late word about the past hides nothing.
    client
        .batch_execute("NOTIFY flag_changes, 'default 7 2'; NOTIFY flag_changes, 'default 7 5'")
        .await
        .unwrap();
    assert_eq!(heard(&mut hints, |hint| hint.version != version(3)).await.version, version(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_tells_that_it_was_interrupted_and_hears_again() {
    if private_missing() {
        return;
    }
    let mut server = Postgres::start().unwrap();
    let (listener, speaker) = (start_feed(&server.url()).unwrap(), start_feed(&server.url()).unwrap());
    let mut hints = listener.hints();
    let first = heard(&mut hints, |hint| hint.interruptions > 0).await.interruptions;
    until(|| listener.is_up() && speaker.is_up()).await;
    server.stop().unwrap();
    until(|| !listener.is_up() && !speaker.is_up()).await;
    server.start_again().unwrap();
    heard(&mut hints, |hint| hint.interruptions > first).await;
    until(|| listener.is_up() && speaker.is_up()).await;
    speaker.announce(&environment(), version(9));
    heard(&mut hints, |hint| hint.version == version(9)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_is_noticed_by_its_silence() {
    if private_missing() {
        return;
    }
    let server = Postgres::start().unwrap();
    let feed = start_feed(&server.url()).unwrap();
    until(|| feed.is_up()).await;
    let before = feed.hints().borrow().interruptions;
    server.freeze().unwrap();
    until(|| !feed.is_up()).await;
    server.thaw().unwrap();
    until(|| feed.is_up()).await;
    assert!(feed.hints().borrow().interruptions > before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_nothing_disturbs_is_not_interrupted() {
    let feed = start_feed(&Postgres::shared().fresh_database()).unwrap();
    until(|| feed.is_up()).await;
    // Longer than several heartbeats take.
    sleep(Duration::from_secs(8)).await;
    assert_eq!((feed.is_up(), feed.hints().borrow().interruptions), (true, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_is_dropped_leaves_no_connection() {
    let url = Postgres::shared().fresh_database();
    let feed = start_feed(&url).unwrap();
    until(|| feed.is_up()).await;
    drop(feed);
    let client = connect(&url).await;
    let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'flag'";
    timeout(PATIENCE, async {
        while client.query_one(count, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("its connection ends");
}
