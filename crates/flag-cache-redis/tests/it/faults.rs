//! Redis that is gone, silent, empty or back: nobody waits long, and nobody has to restart.

use std::time::{Duration, Instant};

use flag_cache_redis::{ConfigError, RedisSource, start_feed};
use flag_core::{Epoch, Version};
use flag_engine::{ChangeFeed, FlagSource};
use flag_testkit::services::{Redis, private_missing};
use tokio::time::{sleep, timeout};

use crate::steps::{
    Listening, PATIENCE, Probe, commit, created, environment, everything, fresh_prefix, until,
};

/// Longer than Redis may hold up a start, on a machine that is busy with other tests.
const BOUND: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_emptied_or_restarted_is_filled_again() {
    if private_missing() {
        return;
    }
    let mut server = Redis::start().unwrap();
    let (url, prefix, nodes) = (server.url(), fresh_prefix(), Listening::new());
    let source = nodes.behind(&url, &prefix);
    let probe = Probe::new(&url, &prefix);
    let shared = commit(&nodes.store, [created("a")]).await;
    source.offer(&environment(), &shared);
    probe.shares(shared.version()).await;
    server.flush().unwrap();
    probe.shares(shared.version()).await;
    for end in [Redis::stop, Redis::kill] {
        end(&mut server).unwrap();
        until(|| source.cache() == Some(("redis", false))).await;
        assert_eq!(everything(&source).await.unwrap(), *shared);
        server.start_again().unwrap();
        probe.shares(shared.version()).await;
        until(|| source.cache() == Some(("redis", true))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_silent_holds_up_a_start_only_briefly() {
    if private_missing() {
        return;
    }
    let server = Redis::start().unwrap();
    let (url, prefix, nodes) = (server.url(), fresh_prefix(), Listening::new());
    let source = nodes.behind(&url, &prefix);
    let newest = commit(&nodes.store, [created("a")]).await;
    until(|| source.cache() == Some(("redis", true))).await;
    server.freeze().unwrap();
    let started = Instant::now();
    assert_eq!(everything(&source).await.unwrap(), *newest);
    assert!(started.elapsed() < BOUND, "took {:?}", started.elapsed());
    until(|| source.cache() == Some(("redis", false))).await;
    server.thaw().unwrap();
    source.offer(&environment(), &newest);
    Probe::new(&url, &prefix).shares(newest.version()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_tells_that_it_was_interrupted_and_hears_again() {
    if private_missing() {
        return;
    }
    let mut server = Redis::start().unwrap();
    let prefix = fresh_prefix();
    let feed = || start_feed(&server.url(), &prefix).unwrap();
    let (listener, speaker) = (feed(), feed());
    let mut hints = listener.hints();
    until(|| listener.is_up() && speaker.is_up()).await;
    for (revision, round) in (1..).zip(["stop", "kill", "freeze"]) {
        let before = hints.borrow().interruptions;
        match round {
            "stop" => server.stop().unwrap(),
            "kill" => server.kill().unwrap(),
            _ => server.freeze().unwrap(),
        }
        until(|| !listener.is_up() && !speaker.is_up()).await;
        let returned = if round == "freeze" { server.thaw() } else { server.start_again() };
        returned.unwrap();
        until(|| listener.is_up() && speaker.is_up()).await;
        let version = Version { epoch: Epoch(7), revision };
        speaker.announce(&environment(), version);
        let heard = timeout(PATIENCE, hints.wait_for(|hint| hint.version == version)).await;
        assert!(heard.expect("heard in time").unwrap().interruptions > before, "{round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_nothing_disturbs_is_not_interrupted() {
    let feed = start_feed(&Redis::shared(), &fresh_prefix()).unwrap();
    until(|| feed.is_up()).await;
    // Longer than several heartbeats take.
    sleep(Duration::from_secs(8)).await;
    assert_eq!((feed.is_up(), feed.hints().borrow().interruptions), (true, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_whose_subscription_is_cut_hears_again() {
    if private_missing() {
        return;
    }
    let server = Redis::start().unwrap();
    let prefix = fresh_prefix();
    let feed = start_feed(&server.url(), &prefix).unwrap();
    until(|| feed.is_up()).await;
    let mut hints = feed.hints();
    let before = hints.borrow().interruptions;
    let probe = Probe::new(&server.url(), &prefix);
    assert_eq!(probe.ask::<u64>(&["CLIENT", "KILL", "TYPE", "pubsub"]).await, 1);
    timeout(PATIENCE, hints.wait_for(|hint| hint.interruptions > before)).await.expect("in time").unwrap();
    for word in ["", "nonsense", "default 7 x"] {
        let _heard: u64 = probe.ask(&["PUBLISH", &format!("{prefix}:changes"), word]).await;
    }
    let _heard: u64 = probe.ask(&["PUBLISH", &format!("{prefix}:changes"), "default 7 3"]).await;
    let expected = Version { epoch: Epoch(7), revision: 3 };
    timeout(PATIENCE, hints.wait_for(|hint| hint.version == expected)).await.expect("in time").unwrap();
}

#[tokio::test]
async fn a_url_that_cannot_be_used_is_refused_without_showing_its_password() {
    for url in ["", "hush", "http://:hush@host", "redis://:hush@host:port", "rediss://:hush@host"] {
        let error = start_feed(url, &fresh_prefix()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
        assert_eq!(matches!(error, ConfigError::Tls), url.starts_with("rediss"));
        let nodes = Listening::new();
        assert!(RedisSource::start(url, fresh_prefix(), std::sync::Arc::new(nodes)).is_err());
    }
}
