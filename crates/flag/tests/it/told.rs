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
