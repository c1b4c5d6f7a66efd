//! Nodes that keep their flags on their own disk: they start from there while every store is gone, say so, and go on without a
//! disk that takes nothing.

use std::path::Path;
use std::time::{Duration, Instant};

use flag_testkit::services::{Postgres, Redis, private_missing};
use serde_json::json;
use tokio::time::sleep;

use crate::client::Client;
use crate::fleet::fresh_prefix;
use crate::server::{Server, Settings};

/// How long a node may take from the start of its process until it answers.
const READY_WITHIN: Duration = Duration::from_secs(1);
/// Longer than anything else here may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

fn client(server: &Server) -> Client {
    Client::new(vec![server.url.clone()])
}

/// Settings of a node that keeps its flags in `directory`.
fn keeping(settings: &Settings, directory: &Path) -> Settings {
    settings.clone().with("DATA_DIR", &directory.display().to_string())
}

/// Creates a flag that is on for one group, and gives the revision.
async fn prepare(server: &Server) -> u64 {
    let client = client(server);
    client.post("/features", json!({"key": "steady", "enabled": false})).await.expect(201);
    let pin = json!({"groupId": "beta", "enabled": true});
    client.post("/features/steady/group-override", pin).await.expect(200).revision()
}

async fn answers_rightly(server: &Server) {
    for (context, expected) in [
        (json!({"groupId": "beta"}), (true, "GROUP_OVERRIDE")),
        (json!({"groupId": "other"}), (false, "GLOBAL_DEFAULT")),
    ] {
        let (enabled, source) = client(server).evaluate("steady", context).await;
        assert_eq!((enabled, source.as_str()), expected);
    }
}

/// Waits until `/readyz` says all of `words`.
async fn says(server: &Server, words: &[&str]) {
    let started = Instant::now();
    loop {
        let report = client(server).get("/readyz").await.text;
        if words.iter().all(|word| report.contains(word)) {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{words:?} in {report}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Starts a node three times, and gives the last and the shortest time until it was ready: a machine may be busy with something
/// else during one start, but hardly during three.
async fn start_three_times(settings: &Settings) -> (Server, Duration) {
    let mut fastest = Duration::MAX;
    let mut last = None;
    for _ in 0..3 {
        drop(last.take());
        let started = Instant::now();
        let server = Server::start(settings);
        client(&server).ready(PATIENCE).await;
        fastest = fastest.min(started.elapsed());
        last = Some(server);
    }
    (last.unwrap(), fastest)
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_store_gone_or_silent_a_node_starts_from_its_disk_within_a_second_and_heals() {
    if private_missing() {
        return;
    }
    let (mut postgres, mut redis) = (Postgres::start().unwrap(), Redis::start().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings::postgres(&postgres.url(), Some(&redis.url()));
    let settings = keeping(&settings.with("REDIS_PREFIX", &fresh_prefix()), directory.path());
    let mut first = Server::start(&settings);
    let mut revision = prepare(&first).await;
    says(&first, &["from store", "bootstrap: disk up"]).await;
    // At once after the last write: an end that is no accident keeps that as well.
    first.signal("TERM");
    assert_eq!(first.ended(), Some(0));

    for outage in ["gone", "silent"] {
        if outage == "gone" {
            postgres.stop().unwrap();
            redis.stop().unwrap();
        } else {
            // The system goes on accepting connections, which nobody ever answers.
            postgres.freeze().unwrap();
            redis.freeze().unwrap();
        }
        let (node, ready) = start_three_times(&settings).await;
        println!("{outage}: ready after {ready:?}");
        assert!(ready < READY_WITHIN, "{outage}: {ready:?}");
        answers_rightly(&node).await;
        says(&node, &["ready", "store: down", "cache: redis down", "from disk, confirmed never"]).await;
        let read = client(&node).get("/features/steady").await.expect(200);
        assert_eq!((read.revision(), read.json()["revision"].as_u64()), (revision, Some(2)));
        let refused = client(&node).patch("/features/steady/global", json!({"enabled": true})).await;
        assert_eq!(refused.expect(503).code(), "store_unavailable");
        answers_rightly(&node).await;

        if outage == "gone" {
            postgres.start_again().unwrap();
            redis.start_again().unwrap();
        } else {
            postgres.thaw().unwrap();
            redis.thaw().unwrap();
        }
        says(&node, &["ready", "store: up", "cache: redis up", "from store", "bootstrap: disk up"]).await;
        let added = client(&node).post("/features", json!({"key": outage, "enabled": true})).await;
        revision = added.expect(201).revision();
        let mut node = node;
        node.signal("TERM");
        assert_eq!(node.ended(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_killed_starts_from_what_it_had_a_moment_before() {
    if private_missing() {
        return;
    }
    let mut postgres = Postgres::start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let settings = keeping(&Settings::postgres(&postgres.url(), None), directory.path());
    let mut node = Server::start(&settings);
    prepare(&node).await;
    let revision = client(&node).post("/features", json!({"key": "last", "enabled": true})).await.revision();
    // It saves once a second at most.
    sleep(Duration::from_millis(2_500)).await;
    node.kill();
    postgres.stop().unwrap();
    let node = Server::start(&settings);
    client(&node).ready(PATIENCE).await;
    answers_rightly(&node).await;
    assert_eq!(client(&node).get("/features/last").await.expect(200).revision(), revision);
    says(&node, &["from disk"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_never_served_and_the_one_before_it_is() {
    if private_missing() {
        return;
    }
    let mut postgres = Postgres::start().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let settings = keeping(&Settings::postgres(&postgres.url(), None), directory.path());
    let newest = directory.path().join("default.snapshot");
    // The first process saves one generation, and the second another beside it.
    for key in ["first", "second"] {
        let mut node = Server::start(&settings);
        client(&node).post("/features", json!({"key": key, "enabled": true})).await.expect(201);
        node.signal("TERM");
        assert_eq!(node.ended(), Some(0));
    }
    postgres.stop().unwrap();
    let mut bytes = std::fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&newest, &bytes).unwrap();
    let node = Server::start(&settings);
    client(&node).ready(PATIENCE).await;
    client(&node).get("/features/first").await.expect(200);
    client(&node).get("/features/second").await.expect(404);
    let meters = client(&node).get("/metrics").await.expect(200).text;
    assert!(meters.contains("\nflag_bootstrap_refused_total 1\n"), "{meters}");
    drop(node);

    for entry in std::fs::read_dir(directory.path()).unwrap() {
        std::fs::write(entry.unwrap().path(), "damaged").unwrap();
    }
    let node = Server::start(&settings);
    let report = client(&node).get("/readyz").await.expect(503).text;
    assert!(report.starts_with("not ready"), "{report}");
    postgres.start_again().unwrap();
    says(&node, &["ready", "from store"]).await;
    client(&node).get("/features/second").await.expect(200);
    // It asked more than once meanwhile, but each file was looked at once.
    let meters = client(&node).get("/metrics").await.expect(200).text;
    assert!(meters.contains("\nflag_bootstrap_refused_total 2\n"), "{meters}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_and_a_directory_in_use_hold_up_nobody() {
    let parent = tempfile::tempdir().unwrap();
    let settings = Settings::postgres(&Postgres::shared().fresh_database(), None).with("LOG", "error");
    let blocked = parent.path().join("blocked");
    std::fs::write(&blocked, "no directory").unwrap();
    let node = Server::start(&keeping(&settings, &blocked));
    prepare(&node).await;
    says(&node, &["ready", "store: up", "bootstrap: disk down"]).await;
    let meters = client(&node).get("/metrics").await.expect(200).text;
    assert!(meters.contains("\nflag_bootstrap_up 0\n"), "{meters}");
    client(&node).post("/features", json!({"key": "meanwhile", "enabled": true})).await.expect(201);
    answers_rightly(&node).await;
    std::fs::remove_file(&blocked).unwrap();
    says(&node, &["ready", "bootstrap: disk up"]).await;

    // A second node in the directory of the first keeps nothing, and takes over once the first is gone.
    let second = Server::start(&keeping(&settings, &blocked));
    client(&second).post("/features", json!({"key": "second", "enabled": true})).await.expect(201);
    says(&second, &["ready", "bootstrap: disk down"]).await;
    answers_rightly(&second).await;
    drop(node);
    says(&second, &["ready", "bootstrap: disk up"]).await;
}
