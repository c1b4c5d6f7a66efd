//! Rows that were broken in SQL, each in another way: only the flags that they belong to degrade, everything else goes on,
//! and what is repaired comes back by itself.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::client::Client;
use crate::server::Server;
use crate::tables::Tables;

/// How long a node may take to take back what was repaired: it looks every three seconds.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// What is done to the rows of the flag `{key}`, on both databases.
const ANYWHERE: [&str; 30] = [
    "UPDATE flags SET document = NULL WHERE key = '{key}'",
    "UPDATE flags SET document = 'null' WHERE key = '{key}'",
    "UPDATE flags SET document = '[]' WHERE key = '{key}'",
    "UPDATE flags SET document = '\"text\"' WHERE key = '{key}'",
    "UPDATE flags SET document = '7' WHERE key = '{key}'",
    "UPDATE flags SET document = '{}' WHERE key = '{key}'",
    "SET enabled = \"yes\"",
    "SET enabled = null",
    "SET rolloutPct = 101",
    "SET rolloutPct = 33.3333",
    "SET rolloutPct = -1",
    "SET rolloutPct = \"half\"",
    "SET salt = \"\"",
    "SET salt = null",
    "SET revision = -1",
    "SET revision = 1.5",
    "SET revision = 1e30",
    "SET createdAt = \"today\"",
    "SET updatedAt = null",
    "SET description = 7",
    "SET rules = []",
    // Its overrides keep its name.
    "DELETE FROM flags WHERE key = '{key}'",
    "UPDATE flags SET environment = NULL WHERE key = '{key}'",
    // Its document keeps its name.
    "UPDATE flags SET key = NULL WHERE key = '{key}'",
    "UPDATE flags SET key = 'not a key: {key}' WHERE key = '{key}'",
    "UPDATE overrides SET level = 'planet' WHERE flag = '{key}'",
    "UPDATE overrides SET level = NULL WHERE flag = '{key}'",
    "UPDATE overrides SET subject = '' WHERE flag = '{key}'",
    "UPDATE overrides SET subject = NULL WHERE flag = '{key}'",
    "UPDATE overrides SET variant = 'maybe' WHERE flag = '{key}'",
];
const SQLITE: [&str; 8] = [
    "UPDATE flags SET document = '{' WHERE key = '{key}'",
    "UPDATE flags SET document = 7.5 WHERE key = '{key}'",
    "UPDATE flags SET document = CAST(document AS BLOB) WHERE key = '{key}'",
    "UPDATE flags SET document = CAST(zeroblob(10000000) AS TEXT) WHERE key = '{key}'",
    "UPDATE flags SET document = CAST(x'ff' AS TEXT) WHERE key = '{key}'",
    "UPDATE overrides SET level = 7 WHERE flag = '{key}'",
    "UPDATE overrides SET subject = CAST(zeroblob(10000000) AS TEXT) WHERE flag = '{key}'",
    "UPDATE overrides SET variant = x'6f6e' WHERE flag = '{key}'",
];
const POSTGRES: [&str; 3] = [
    "UPDATE flags SET document = to_jsonb(repeat('x', 10000000)) WHERE key = '{key}'",
    "UPDATE overrides SET subject = repeat('x', 2000) WHERE flag = '{key}'",
    "UPDATE overrides SET variant = NULL WHERE flag = '{key}'",
];

/// What is done to the rows of one flag, as a statement.
fn statement(tables: &Tables, what: &str, key: &str) -> String {
    let Some((member, value)) = what.strip_prefix("SET ").and_then(|set| set.split_once(" = ")) else {
        return what.replace("{key}", key);
    };
    if tables.is_postgres() {
        format!("UPDATE flags SET document = document || '{{\"{member}\": {value}}}' WHERE key = '{key}'")
    } else {
        format!(
            "UPDATE flags SET document = json_set(document, '$.{member}', json('{value}')) WHERE key = '{key}'"
        )
    }
}

/// What three users get of a flag.
async fn answers(client: &Client, key: &str) -> Vec<(bool, String)> {
    let mut answers = Vec::new();
    for user in ["pinned", "ann", "bob"] {
        answers.push(client.evaluate(key, json!({ "userId": user })).await);
    }
    answers
}

async fn one(server: &Server) -> Client {
    let client = Client::new(vec![server.url.clone()]);
    client.ready(Duration::from_secs(10)).await;
    client
}

async fn create(client: &Client, key: &str) {
    client.post("/features", json!({"key": key, "enabled": false, "rolloutPct": 50})).await.expect(201);
    let pin = json!({"userId": "pinned", "enabled": true});
    client.post(&format!("/features/{key}/user-override"), pin).await.expect(200);
}

async fn assert_unreadable(client: &Client, key: &str, what: &str) {
    let flag = format!("/features/{key}");
    let answers = [
        client.post(&format!("{flag}/evaluate"), json!({"userId": "ann"})).await,
        client.get(&flag).await,
        client.get(&format!("{flag}/overrides")).await,
        client.patch(&format!("{flag}/global"), json!({"enabled": true})).await,
        client.patch(&format!("{flag}/rollout"), json!({"rolloutPct": null})).await,
        client.post(&format!("{flag}/user-override"), json!({"userId": "ann", "enabled": true})).await,
        client.delete(&format!("{flag}/user-override/pinned")).await,
        client.post("/features", json!({"key": key, "enabled": true})).await,
    ];
    for answer in answers {
        assert_eq!((answer.status, answer.code().as_str()), (503, "flag_unreadable"), "{what}: {answer:?}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(
            detail,
            format!("what the store holds of flag {key} cannot be read; an operator has to look")
        );
    }
}

/// Waits until the node says nothing of a quarantine.
async fn is_whole(client: &Client) {
    let started = Instant::now();
    loop {
        let report = client.get("/readyz").await.text;
        if !report.contains("quarantine") {
            return;
        }
        assert!(started.elapsed() < BACK_WITHIN, "{report}");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn every_broken_row_costs_its_flag_and_no_other(tables: Tables) {
    let own: &[&str] = if tables.is_postgres() { &POSTGRES } else { &SQLITE };
    let broken: Vec<(String, &str)> = ANYWHERE
        .iter()
        .chain(own)
        .enumerate()
        .map(|(number, what)| (format!("b{number:02}"), *what))
        .collect();
    let healthy = ["h0", "h1", "h2"];
    let intact_server = Server::start(&tables.settings());
    let intact = one(&intact_server).await;
    for key in broken.iter().map(|(key, _)| key.as_str()).chain(healthy) {
        create(&intact, key).await;
    }
    tables.loosen().await;
    for (key, what) in &broken {
        tables.run(&statement(&tables, what, key)).await;
    }

    let server = Server::start(&tables.settings());
    let client = one(&server).await;
    for (key, what) in &broken {
        assert_unreadable(&client, key, what).await;
    }
    for key in healthy {
        assert_eq!(answers(&client, key).await, answers(&intact, key).await);
        client.patch(&format!("/features/{key}/global"), json!({"enabled": true})).await.expect(200);
    }
    let page = client.get("/features?limit=500").await.expect(200).json();
    let keys: Vec<&str> = broken.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!((page["total"].as_u64(), &page["unreadable"]), (Some(3), &json!(keys)));
    let report = client.get("/readyz").await.expect(200).text;
    let line = format!("quarantine: {} flags: {} …\n", keys.len(), keys[..10].join(" "));
    assert!(report.contains(&line) && report.contains("store: up\n"), "{report}");
    let meter = format!("flag_quarantined {}\n", keys.len());
    assert!(client.get("/metrics").await.text.contains(&meter));

    // The node that could read them before goes on with them, and what it writes the other takes back.
    intact.read_from(client.get("/healthz").await.revision());
    for key in &keys {
        assert_eq!(answers(&intact, key).await.len(), 3);
    }
    assert!(!intact.get("/readyz").await.text.contains("quarantine"));
    let (written, deleted) = (keys[8], keys[20]);
    intact.patch(&format!("/features/{written}/rollout"), json!({"rolloutPct": 60})).await.expect(200);
    let started = Instant::now();
    while client.get(&format!("/features/{written}")).await.status != 200 {
        assert!(started.elapsed() < BACK_WITHIN, "what was written anew is not taken back");
        sleep(Duration::from_millis(100)).await;
    }
    client.read_from(intact.get("/healthz").await.revision());
    assert_eq!(answers(&client, written).await, answers(&intact, written).await);

    client.delete(&format!("/features/{deleted}")).await.expect(204);
    assert_eq!(client.get(&format!("/features/{deleted}")).await.expect(404).code(), "flag_not_found");
    create(&client, deleted).await;

    let others = format!("key NOT LIKE 'h%' AND key NOT IN ('{written}', '{deleted}')");
    let repair = format!(
        "DELETE FROM flags WHERE environment IS NULL OR key IS NULL OR ({others});
         DELETE FROM overrides WHERE level IS NULL OR ({});
         INSERT INTO flags SELECT * FROM kept_flags WHERE {others};
         INSERT INTO overrides SELECT * FROM kept_overrides WHERE {}",
        others.replace("key", "flag"),
        others.replace("key", "flag"),
    );
    tables.run(&repair).await;
    is_whole(&client).await;
    intact.read_from(client.get("/healthz").await.revision());
    for key in keys.iter().copied().chain(healthy) {
        let path = format!("/features/{key}");
        assert_eq!(client.get(&path).await.expect(200).text, intact.get(&path).await.text);
        assert_eq!(answers(&client, key).await, answers(&intact, key).await);
    }
    client.patch(&format!("/features/{}/global", keys[0]), json!({"enabled": true})).await.expect(200);
    assert_eq!(client.get("/features").await.json().get("unreadable"), None::<&Value>);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broken_row_of_sqlite_costs_its_flag_and_no_other() {
    every_broken_row_costs_its_flag_and_no_other(Tables::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broken_row_of_postgres_costs_its_flag_and_no_other() {
    every_broken_row_costs_its_flag_and_no_other(Tables::postgres()).await;
}

/// A row that does not tell its flag: nothing can be said of the flag that may have lost it, but it is seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_does_not_tell_its_flag_is_counted() {
    for tables in [Tables::sqlite(), Tables::postgres()] {
        let first = Server::start(&tables.settings());
        create(&one(&first).await, "a").await;
        tables.loosen().await;
        tables.run("UPDATE overrides SET flag = NULL").await;
        let token = "t".repeat(32);
        let server = Server::start(&tables.settings().with("FLAG_ADMIN_TOKEN", &token));
        let client = one(&server).await;
        let report = client.get("/readyz").await.expect(200).text;
        assert!(report.contains("quarantine: 0 flags, and 1 rows of no flag\n"), "{report}");
        // Names of flags are told to those who may come in, and to nobody else.
        tables.run("UPDATE overrides SET flag = 'a', level = 'planet'").await;
        drop(server);
        let server = Server::start(&tables.settings().with("FLAG_ADMIN_TOKEN", &token));
        let client = one(&server).await;
        let report = client.get("/readyz").await.expect(200).text;
        assert!(report.contains("quarantine: 1 flags\n"), "{report}");
        let bearer = format!("Bearer {token}");
        let report =
            client.send(reqwest::Method::GET, "/readyz", None, &[("authorization", &bearer)]).await.text;
        assert!(report.contains("quarantine: 1 flags: a\n"), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_needs_a_line_of_the_log_which_cannot_be_read_loads_everything() {
    let meddled =
        ["UPDATE changes SET entry = 'null' WHERE revision = 3", "DELETE FROM changes WHERE revision = 4"];
    for tables in [Tables::sqlite(), Tables::postgres()] {
        let servers = [Server::start(&tables.settings()), Server::start(&tables.settings())];
        let (writer, late) = (one(&servers[0]).await, one(&servers[1]).await);
        create(&writer, "a").await;
        tables.loosen().await;
        for (number, sql) in meddled.iter().enumerate() {
            late.read_from(writer.get("/healthz").await.revision());
            late.get("/features/a").await.expect(200);
            servers[1].signal("STOP");
            let enabled = json!({"enabled": number == 0});
            patch(&writer, "/features/a/global", &enabled).await;
            tables.run(sql).await;
            servers[1].signal("CONT");
            late.read_from(writer.get("/healthz").await.revision());
            let (late, writer) = (late.get("/features/a").await, writer.get("/features/a").await);
            assert_eq!(late.expect(200).text, writer.expect(200).text, "{sql}");
        }
    }
}

/// Patches until it is done: where the disk is busy, a write may take longer than its node waits. What is set already is not
/// changed again.
async fn patch(client: &Client, path: &str, body: &Value) {
    for _ in 0..10 {
        let answer = client.patch(path, body.clone()).await;
        if answer.status != 503 {
            answer.expect(200);
            return;
        }
    }
    panic!("the store takes no writes");
}
