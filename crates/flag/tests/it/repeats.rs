//! `Idempotency-Key`: whoever lost an answer asks again, on any node, and the change is made once.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::{Answer, Client};
use crate::server::Server;
use crate::tables::Tables;

/// How often the node is killed while a write is under way.
const KILLS: u64 = 24;
/// How many keys an environment keeps.
const BOUND: u32 = 100_000;

async fn one(server: &Server) -> Client {
    let client = Client::new(vec![server.url.clone()]);
    client.ready(Duration::from_secs(10)).await;
    client
}

async fn send(client: &Client, key: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
    client.send(method, path, body, &[("idempotency-key", key)]).await
}

async fn create(client: &Client, key: &str, flag: &str) -> Answer {
    send(client, key, Method::POST, "/features", Some(json!({"key": flag, "enabled": false}))).await
}

/// What of an answer is the same whenever it is given.
fn lasting(answer: &Answer) -> (u16, String, Vec<String>) {
    let names = ["flag-revision", "etag", "location", "content-type", "cache-control"];
    (answer.status, answer.text.clone(), names.iter().map(|name| answer.header(name).to_owned()).collect())
}

fn was_replayed(answer: &Answer) -> bool {
    match answer.header("idempotent-replayed") {
        "" => false,
        "true" => true,
        other => panic!("Idempotent-Replayed: {other}"),
    }
}

async fn every_write_is_answered_again_as_it_was(tables: &Tables) {
    let mut servers = vec![Server::start(&tables.settings()), Server::start(&tables.settings())];
    let client = one(&servers[0]).await;
    let rows: [(&str, Method, &str, Option<Value>, u16); 9] = [
        (
            "create",
            Method::POST,
            "/features",
            Some(json!({"key": "a", "enabled": false, "description": "ü"})),
            201,
        ),
        ("switch", Method::PATCH, "/features/a/global", Some(json!({"enabled": true})), 200),
        ("idle", Method::PATCH, "/features/a/global", Some(json!({"enabled": true})), 200),
        ("roll", Method::PATCH, "/features/a/rollout", Some(json!({"rolloutPct": 33.333})), 200),
        (
            "user",
            Method::POST,
            "/features/a/user-override",
            Some(json!({"userId": "u", "enabled": true})),
            200,
        ),
        (
            "group",
            Method::POST,
            "/features/a/group-override",
            Some(json!({"groupId": "g", "enabled": true})),
            200,
        ),
        (
            "region",
            Method::POST,
            "/environments/default/features/a/region-override",
            Some(json!({"region": "IN", "enabled": true})),
            200,
        ),
        ("release", Method::DELETE, "/features/a/user-override/u", None, 204),
        ("delete", Method::DELETE, "/features/a", None, 204),
    ];
    let mut first = Vec::new();
    for (key, method, path, body, status) in &rows {
        let answer = send(&client, key, method.clone(), path, body.clone()).await.expect(*status);
        assert!(!was_replayed(&answer), "{key}");
        first.push(lasting(&answer));
    }
    let log = client.log().await;
    assert_eq!(log.len(), 8);
    for moment in ["at once", "after a restart"] {
        for server in &servers {
            let client = one(server).await;
            for ((key, method, path, body, _), first) in rows.iter().zip(&first) {
                let again = send(&client, key, method.clone(), path, body.clone()).await;
                assert!(was_replayed(&again), "{key} {moment}");
                assert_eq!(lasting(&again), *first, "{key} {moment}");
            }
            assert_eq!(client.log().await, log);
        }
        servers.iter_mut().for_each(Server::kill);
        servers = vec![Server::start(&tables.settings()), Server::start(&tables.settings())];
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_write_is_answered_again_as_it_was_on_any_node_and_after_a_restart() {
    for tables in [Tables::sqlite(), Tables::postgres()] {
        every_write_is_answered_again_as_it_was(&tables).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_answer_was_lost_with_its_node_is_made_exactly_once() {
    for tables in [Tables::sqlite(), Tables::postgres()] {
        let survivor_server = Server::start(&tables.settings());
        let survivor = one(&survivor_server).await;
        let mut made_before = 0;
        for round in 0..KILLS {
            let mut server = Server::start(&tables.settings());
            one(&server).await;
            let (key, flag, url) = (format!("key-{round}"), format!("flag-{round}"), server.url.clone());
            let lost = tokio::spawn({
                let (key, body) = (key.clone(), json!({"key": flag, "enabled": false}));
                async move {
                    let http = reqwest::Client::new();
                    let request =
                        http.post(format!("{url}/features")).header("idempotency-key", key).json(&body);
                    let _ = request.send().await;
                }
            });
            sleep(Duration::from_millis(round)).await;
            server.kill();
            lost.await.unwrap();
            let again = create(&survivor, &key, &flag).await.expect(201);
            made_before += u32::from(was_replayed(&again));
            let log = survivor.log().await;
            let lines = log.iter().filter(|line| line["change"]["key"] == flag.as_str()).count();
            assert_eq!(lines, 1, "{flag}");
        }
        println!("{made_before} of {KILLS} had been made before their node was killed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_equal_writes_at_once_on_two_nodes_one_is_made_and_all_get_its_answer() {
    for tables in [Tables::sqlite(), Tables::postgres()] {
        let servers = [Server::start(&tables.settings()), Server::start(&tables.settings())];
        for server in &servers {
            one(server).await;
        }
        for round in 0..10 {
            let mut writers = JoinSet::new();
            for writer in 0..12 {
                let client = Client::new(vec![servers[writer % 2].url.clone()]);
                writers
                    .spawn(async move { create(&client, &format!("k{round}"), &format!("f{round}")).await });
            }
            let answers = writers.join_all().await;
            assert_eq!(answers.iter().filter(|answer| !was_replayed(answer)).count(), 1, "{answers:?}");
            assert!(answers.iter().all(|answer| lasting(answer) == lasting(&answers[0])), "{answers:?}");
        }
        assert_eq!(one(&servers[0]).await.log().await.len(), 10);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_a_short_visible_text_and_belongs_to_one_request() {
    let tables = Tables::sqlite();
    let server = Server::start(&tables.settings());
    let client = one(&server).await;
    for bad in ["", " ", "a b", "ü", &"k".repeat(129)] {
        let answer = create(&client, bad, "a").await.expect(400);
        let fault = json!([{"in": "header", "field": "Idempotency-Key", "message": "must be 1 to 128 visible ASCII characters"}]);
        assert_eq!((answer.code().as_str(), &answer.json()["errors"]), ("invalid_input", &fault), "{bad:?}");
    }
    let twice = [("idempotency-key", "k"), ("idempotency-key", "k")];
    let body = json!({"key": "a", "enabled": false});
    client.send(Method::POST, "/features", Some(body), &twice).await.expect(400);
    assert!(client.log().await.is_empty());

    let longest = "~".repeat(128);
    create(&client, &longest, "a").await.expect(201);
    let enabled = || Some(json!({"enabled": true}));
    for (method, path, body) in [
        (Method::POST, "/features", Some(json!({"key": "b", "enabled": false}))),
        (Method::POST, "/environments/default/features", Some(json!({"key": "a", "enabled": false}))),
        (Method::PATCH, "/features/a/global", enabled()),
        (Method::DELETE, "/features/a", None),
    ] {
        let answer = send(&client, &longest, method, path, body).await.expect(422);
        assert_eq!(answer.code(), "idempotency_key_reused");
    }
    assert_eq!(client.log().await.len(), 1);
    // What was refused is not kept: the same key may be tried again when it can succeed.
    assert_eq!(
        send(&client, "k", Method::PATCH, "/features/c/global", enabled()).await.expect(404).code(),
        "flag_not_found"
    );
    create(&client, "c", "c").await.expect(201);
    assert!(!was_replayed(
        &send(&client, "k", Method::PATCH, "/features/c/global", enabled()).await.expect(200)
    ));
    // A question is no write.
    let question =
        send(&client, &longest, Method::POST, "/features/a/evaluate", Some(json!({}))).await.expect(200);
    assert!(!was_replayed(&question));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_kept_for_a_day_and_only_so_many() {
    for tables in [Tables::sqlite(), Tables::postgres()] {
        let server = Server::start(&tables.settings());
        let client = one(&server).await;
        create(&client, "k", "a").await.expect(201);
        client.delete("/features/a").await.expect(204);
        let aged = |seconds: u32| {
            if tables.is_postgres() {
                format!("UPDATE receipts SET at = at - interval '{seconds} seconds'")
            } else {
                format!("UPDATE receipts SET at = at - {seconds}")
            }
        };
        tables.run(&aged(24 * 60 * 60 - 60)).await;
        assert!(was_replayed(&create(&client, "k", "a").await.expect(201)));
        tables.run(&aged(61)).await;
        assert!(!was_replayed(&create(&client, "k", "a").await.expect(201)));

        let fill = if tables.is_postgres() {
            format!(
                "INSERT INTO receipts SELECT 'default', 'n' || n, sha256(''), '' FROM generate_series(2, {BOUND}) n"
            )
        } else {
            format!(
                "WITH RECURSIVE numbers (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < {BOUND})
                 INSERT INTO receipts SELECT 'default', 'n' || n, zeroblob(32), x'', unixepoch() FROM numbers"
            )
        };
        tables.run(&fill).await;
        let answer = create(&client, "new", "b").await.expect(503);
        assert_eq!(
            (answer.code().as_str(), answer.header("retry-after")),
            ("idempotency_keys_exhausted", "60")
        );
        assert!(was_replayed(&create(&client, "k", "a").await.expect(201)), "none is forgotten early");
        client.post("/features", json!({"key": "c", "enabled": false})).await.expect(201);
        let meters = client.get("/metrics").await.text;
        assert!(
            meters.contains("flag_receipts_full_total 1\n") && meters.contains("flag_replays_total 2\n"),
            "{meters}"
        );

        // Those whose time is over make room at once, and are removed little by little.
        tables.run(&aged(24 * 60 * 60)).await;
        create(&client, "new", "b").await.expect(201);
        let left = tables.count("receipts").await;
        assert_eq!(left, BOUND + 1 - 512);
    }
}
