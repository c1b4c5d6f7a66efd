//! What a node tells whoever runs it: the text where it says where it listens, its log, its meters.

use crate::client::Client;
use crate::server::{Server, Settings};

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
