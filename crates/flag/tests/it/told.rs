//! What a node tells whoever runs it: the text where it says where it listens, its log, its meters.

use serde_json::json;

use crate::client::Client;
use crate::server::{Server, Settings};
use crate::tables::Tables;

/// A node whose PostgreSQL is nowhere, and that has kept nothing to start from.
fn without_flags() -> Server {
    Server::start(&Settings::postgres("postgres://127.0.0.1:1/flags", None).with("LOG", "info"))
}

fn client(server: &Server) -> Client {
    Client::new(vec![server.url.clone()])
}

#[tokio::test]
async fn the_age_of_a_confirmation_that_there_never_was_exceeds_every_bound() {
    let server = without_flags();
    let meters = client(&server).get("/metrics").await.expect(200).text;
    assert!(meters.contains("\nflag_store_confirmed_age_seconds +Inf\n"), "{meters}");
}

#[test]
fn the_log_tells_where_a_node_listens_and_from_which_file_it_has_its_settings() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(".env"), "NODE_NAME=from-a-file\n").unwrap();
    let settings = Settings::sqlite(directory.path()).with("LOG", "info");
    let bare = Server::start(&settings);
    let address = bare.url.trim_start_matches("http://");
    bare.line(&["\"message\":\"listening\"", &format!("\"address\":\"{address}\"")]);
    assert!(!bare.line(&["\"message\":\"starting\""]).contains("env_file"));
    drop(bare);
    let settings = Settings { directory: Some(directory.path().to_owned()), ..settings };
    let path = directory.path().canonicalize().unwrap().join(".env");
    let server = Server::start(&settings);
    server.line(&["\"message\":\"starting\"", &format!("\"env_file\":\"{}\"", path.display())]);
}

#[tokio::test]
async fn what_a_node_refuses_for_a_reason_is_no_error_and_named_by_its_code() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&Settings::sqlite(directory.path()).with("LOG", "info"));
    let client = client(&server);
    client.post("/features", json!({"key": "f", "enabled": true})).await.expect(201);
    client.get("/readyz?max_stale=0").await.expect(503);
    let ahead = [("flag-min-revision", "1000")];
    client.send(reqwest::Method::GET, "/features", None, &ahead).await.expect(503);
    client.get("/features/nothing").await.expect(404);
    for (route, status, code) in [
        ("/readyz", 503, "not_ready"),
        ("/features", 503, "behind"),
        ("/features/{key}", 404, "flag_not_found"),
    ] {
        let words =
            [("route", format!("{route:?}")), ("status", status.to_string()), ("code", format!("{code:?}"))];
        let words = words.map(|(name, value)| format!("\"{name}\":{value}"));
        let line = server.line(&words.each_ref().map(String::as_str));
        assert!(line.contains("\"level\":\"INFO\""), "{line}");
    }
    assert!(!server.said().contains("ERROR"), "{}", server.said());
}

#[tokio::test]
async fn a_write_that_its_store_cannot_take_is_a_warning() {
    let server = without_flags();
    client(&server).post("/features", json!({"key": "f", "enabled": true})).await.expect(503);
    let line = server.line(&["\"status\":503", "\"code\":\"store_unavailable\""]);
    assert!(line.contains("\"level\":\"WARN\""), "{line}");
}

#[test]
fn a_node_without_flags_says_so_where_it_says_where_it_listens() {
    let server = without_flags();
    server.line(&["There are no flags yet", "503", "until the store answers"]);
    server.line(&["The store does not answer", "refused"]);
    server.line(&["\"level\":\"WARN\"", "there are no flags to answer from yet"]);
    assert!(!server.said().contains("the last snapshot"), "{}", server.said());
}

#[tokio::test]
async fn a_new_epoch_is_a_warning_with_both_versions() {
    let tables = Tables::sqlite();
    let server = Server::start(&tables.settings().with("LOG", "info"));
    client(&server).post("/features", json!({"key": "f", "enabled": true})).await.expect(201);
    let loaded = server.line(&["loaded a snapshot"]);
    let loaded: serde_json::Value = serde_json::from_str(&loaded).unwrap();
    let (old, new) = (loaded["epoch"].as_str().unwrap(), "0123456789abcdef0123456789abcdef");
    tables.run(&format!("UPDATE environments SET epoch = '{new}'")).await;
    let line = server.line(&["\"level\":\"WARN\"", "the history has a new epoch"]);
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let found = ["old_epoch", "old_revision", "epoch", "revision"].map(|name| line[name].clone());
    assert_eq!(found, [json!(old), json!(1), json!(new), json!(1)]);
}

#[test]
fn a_node_that_is_told_to_stop_says_how_long_it_still_takes_requests() {
    for (signal, words) in
        [("TERM", "taking requests for 2 more seconds"), ("INT", "finishing the requests that are under way")]
    {
        let directory = tempfile::tempdir().unwrap();
        let mut server = Server::start(&Settings::sqlite(directory.path()).with("LOG", "info"));
        server.signal(signal);
        server.line(&["\"message\":\"stopping", words]);
        assert_eq!(server.ended(), Some(0));
    }
}
