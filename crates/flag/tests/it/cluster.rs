//! Nodes that say how far they have come: reading one's write on another node, waiting until a change has landed everywhere,
//! and seeing which node is behind.

use std::time::{Duration, Instant};

use flag_testkit::services::{Postgres, Redis, private_missing};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::client::{Answer, Client};
use crate::fleet::fresh_prefix;
use crate::server::{Server, Settings};

fn client(server: &Server) -> Client {
    Client::new(vec![server.url.clone()])
}

/// A database with nodes on it, none of which hears the others.
fn deaf(nodes: usize) -> (String, Vec<Server>) {
    let url = Postgres::shared().fresh_database();
    let redis = Redis::shared();
    let settings = |_| Settings::postgres(&url, Some(&redis)).with("REDIS_PREFIX", &fresh_prefix());
    let nodes = (0..nodes).map(|node| Server::start(&settings(node))).collect();
    (url, nodes)
}

async fn at_least(client: &Client, method: Method, path: &str, revision: &str) -> Answer {
    let body = (method == Method::POST).then(|| json!({"userId": "u"}));
    client.send(method, path, body, &[("flag-min-revision", revision)]).await
}

async fn convergence(client: &Client, query: &str) -> Value {
    client.get(&format!("/environments/default/convergence{query}")).await.expect(200).json()
}

/// The names of the nodes that have not come to the revision that was asked for.
fn behind(convergence: &Value) -> Vec<&str> {
    let nodes = convergence["nodes"].as_array().expect("nodes");
    let behind = nodes.iter().filter(|node| node["reached"] == false);
    behind.map(|node| node["name"].as_str().expect("a name")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_names_its_revision_reads_its_write_on_a_node_that_has_not_heard_of_it() {
    let (_, nodes) = deaf(2);
    let (writer, reader) = (client(&nodes[0]), client(&nodes[1]));
    writer.post("/features", json!({"key": "f", "enabled": false})).await.expect(201);
    for round in 0..10 {
        for (method, path, member) in [
            (Method::GET, "/features/f", Some("enabled")),
            (Method::POST, "/features/f/evaluate", Some("enabled")),
            (Method::GET, "/features?limit=1", None),
            (Method::GET, "/features/f/overrides", None),
            (Method::GET, "/environments/default/changes?limit=1", None),
        ] {
            let before = writer.get("/features/f").await.expect(200).json()["enabled"] == true;
            let written = writer.patch("/features/f/global", json!({"enabled": !before})).await.expect(200);
            let revision = written.revision();
            let answer = at_least(&reader, method, path, &revision.to_string()).await.expect(200);
            assert!(answer.revision() >= revision, "{path} in round {round}: {answer:?}");
            if let Some(member) = member {
                assert_eq!(answer.json()[member], !before, "{path} in round {round}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_names_a_revision_that_nobody_has_written_is_told_when_to_try_again() {
    let (_, nodes) = deaf(1);
    let client = client(&nodes[0]);
    client.post("/features", json!({"key": "f", "enabled": false})).await.expect(201);
    let started = Instant::now();
    let answer = at_least(&client, Method::POST, "/features/f/evaluate", "2").await.expect(503);
    assert_eq!((answer.code().as_str(), answer.header("retry-after")), ("behind", "1"));
    assert!((Duration::from_secs(2)..Duration::from_secs(4)).contains(&started.elapsed()));
    assert_eq!(at_least(&client, Method::GET, "/features/f", "1").await.expect(200).revision(), 1);
    let meters = client.get("/metrics").await.expect(200).text;
    assert!(meters.contains("flag_bound_hits_total{bound=\"read_deadline\"} 1"), "{meters}");
}

#[tokio::test(flavor = "multi_thread")]
async fn digests_are_equal_at_equal_revisions_whoever_writes() {
    let (_, nodes) = deaf(3);
    let clients: Vec<Client> = nodes.iter().map(client).collect();
    for round in 0..30_usize {
        let writer = &clients[round % 3];
        let key = format!("f{}", round % 7);
        let (enabled, percentage) = (round % 2 == 0, (round * 7919 % 100_000) as f64 / 1_000.0);
        let written = match round {
            0..7 => writer.post("/features", json!({"key": key, "enabled": enabled})).await.expect(201),
            _ if round % 5 == 0 => writer.delete(&format!("/features/{key}")).await,
            _ if round % 5 == 1 => {
                let body = json!({"rolloutPct": percentage});
                writer.patch(&format!("/features/{key}/rollout"), body).await
            }
            _ => {
                let body = json!({"userId": format!("user{round}"), "enabled": enabled});
                writer.post(&format!("/features/{key}/user-override"), body).await
            }
        };
        let query = format!("?revision={}&wait=20", written.revision());
        let found = convergence(&clients[(round + 1) % 3], &query).await;
        assert_eq!((&found["converged"], &found["disagreement"]), (&json!(true), &json!(false)), "{found}");
        assert_eq!(found["nodes"].as_array().map(Vec::len), Some(3), "{found}");
    }
    // Heard of by everybody when nothing has happened for a while.
    sleep(Duration::from_secs(3)).await;
    let found = convergence(&clients[0], "").await;
    let digests: Vec<&str> = found["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["digest"].as_str().expect("a digest"))
        .collect();
    assert!(digests[0].len() == 64 && digests.iter().all(|digest| *digest == digests[0]), "{found}");
    let ready = clients[2].get("/readyz").await.expect(200).text;
    let epoch = found["epoch"].as_str().unwrap();
    for word in [digests[0], &format!("epoch: {epoch}"), "age: "] {
        assert!(ready.contains(word), "{word} in {ready}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hangs_is_behind_until_it_comes_back_or_another_of_its_name_takes_its_place() {
    let (url, mut nodes) = deaf(3);
    let asked = client(&nodes[0]);
    all_there(&asked, 3).await;
    nodes[2].signal("STOP");
    let frozen = nodes[2].url.trim_start_matches("http://").to_owned();
    asked.post("/features", json!({"key": "f", "enabled": true})).await.expect(201);
    let found = convergence(&asked, "?revision=1&wait=3").await;
    assert_eq!((&found["converged"], behind(&found)), (&json!(false), vec![&*frozen]), "{found}");
    let meters = asked.get("/metrics").await.expect(200).text;
    assert!(meters.contains("flag_nodes 3\n") && meters.contains("flag_nodes_behind 1\n"), "{meters}");
    // However long it has been silent: it may be cut off and answer from what it had.
    let found = convergence(&asked, "?revision=1&wait=12").await;
    assert_eq!((&found["converged"], behind(&found)), (&json!(false), vec![&*frozen]), "{found}");
    let silent: Vec<&Value> = found["nodes"].as_array().unwrap().iter().map(|node| &node["silent"]).collect();
    assert_eq!(silent.iter().filter(|silent| **silent == true).count(), 1, "{found}");
    // What it had reached before, it has not lost.
    assert_eq!(convergence(&asked, "?revision=0").await["converged"], true);
    let started = Instant::now();
    loop {
        let meters = asked.get("/metrics").await.expect(200).text;
        if meters.contains("flag_nodes 2\n") && meters.contains("flag_nodes_silent 1\n") {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{meters}");
        sleep(Duration::from_millis(50)).await;
    }
    nodes[2].signal("CONT");
    all_there(&asked, 3).await;
    nodes[2].signal("KILL");
    nodes[2].ended();
    asked.delete("/features/f").await.expect(204);
    let found = convergence(&asked, "?revision=2&wait=1").await;
    assert_eq!((&found["converged"], behind(&found)), (&json!(false), vec![&*frozen]), "{found}");
    let settings = Settings::postgres(&url, None).with("NODE_NAME", &frozen);
    nodes.push(Server::start(&settings));
    all_there(&asked, 3).await;
}

/// Waits until so many nodes are known, none of them behind.
async fn all_there(asked: &Client, nodes: usize) {
    let started = Instant::now();
    loop {
        let found = convergence(asked, "?wait=10").await;
        if found["nodes"].as_array().map(Vec::len) == Some(nodes) && found["converged"] == true {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(25), "{found}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_stopped_in_order_is_no_longer_waited_for() {
    let (_, mut nodes) = deaf(2);
    let asked = client(&nodes[0]);
    asked.post("/features", json!({"key": "f", "enabled": true})).await.expect(201);
    all_there(&asked, 2).await;
    nodes[1].signal("TERM");
    assert_eq!(nodes[1].ended(), Some(0));
    let found = convergence(&asked, "").await;
    assert_eq!(found["nodes"].as_array().map(Vec::len), Some(1), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_hold_different_flags_at_one_revision_are_told_aloud() {
    let (url, mut nodes) = deaf(1);
    let asked = client(&nodes[0]);
    asked.post("/features", json!({"key": "f", "enabled": true})).await.expect(201);
    asked.post("/features/f/user-override", json!({"userId": "u", "enabled": true})).await.expect(200);
    let (database, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    // Behind the back of the log, as no program may.
    assert_eq!(database.execute("UPDATE overrides SET variant = 'off'", &[]).await.unwrap(), 1);
    let settings = Settings::postgres(&url, None).with("NODE_NAME", "the other");
    nodes.push(Server::start(&settings));
    let started = Instant::now();
    loop {
        let found = convergence(&asked, "?wait=5").await;
        let meters = asked.get("/metrics").await.expect(200).text;
        if found["disagreement"] == true && meters.contains("flag_nodes_disagree 1\n") {
            assert!(found.to_string().contains("\"the other\""), "{found}");
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(15), "{found}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn staleness_flips_the_probe_that_asks_for_it_and_no_other() {
    if private_missing() {
        return;
    }
    let mut postgres = Postgres::start().unwrap();
    let server = Server::start(&Settings::postgres(&postgres.url(), None));
    let client = client(&server);
    client.post("/features", json!({"key": "f", "enabled": true})).await.expect(201);
    client.get("/readyz?max_stale=5").await.expect(200);
    postgres.stop().unwrap();
    let started = Instant::now();
    loop {
        client.get("/readyz").await.expect(200);
        client.get("/readyz?max_stale=3600").await.expect(200);
        let answer = client.get("/readyz?max_stale=2").await;
        if answer.status == 503 {
            assert!(answer.text.starts_with("not ready: confirmed 2."), "{}", answer.text);
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{}", answer.text);
        sleep(Duration::from_millis(20)).await;
    }
    let answer = client.get("/environments/default/convergence").await.expect(503);
    assert_eq!((answer.code().as_str(), answer.header("retry-after")), ("store_unavailable", "1"));
    postgres.start_again().unwrap();
    let started = Instant::now();
    while client.get("/readyz?max_stale=2").await.status != 200 {
        assert!(started.elapsed() < Duration::from_secs(10), "does not heal");
        sleep(Duration::from_millis(20)).await;
    }
}
