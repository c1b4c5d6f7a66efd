//! How often each question goes to the server and back, which over a long line is what it costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use flag_engine::{
    FlagSource, FlagStore, HistoryPage, IdempotencyKey, NodeId, NodeIdentity, NodeReport, Receipt,
};
use flag_testkit::planned::Planned;
use flag_testkit::services::{Postgres, private_missing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::database::{commit, created, environment, store, whole};

/// For how long the line holds back what the server says: whatever is sent without waiting for it arrives before.
const HOLD: Duration = Duration::from_millis(100);

/// A line to a server that counts journeys: how often something was sent after an answer.
#[derive(Clone, Default)]
struct Line(Arc<AtomicUsize>);

impl Line {
    /// Carries connections to the server at `to`, and says on which port it takes them.
    async fn open(&self, to: u16) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let line = self.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                line.carry(client, server);
            }
        });
        port
    }

    fn carry(&self, client: TcpStream, server: TcpStream) {
        let (count, is_answered) = (Arc::clone(&self.0), Arc::new(AtomicBool::new(true)));
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let is_asked = Arc::clone(&is_answered);
        tokio::spawn(async move {
            let mut bytes = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = from_client.read(&mut bytes).await {
                if is_asked.swap(false, Ordering::SeqCst) {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                to_server.write_all(&bytes[..length]).await.unwrap();
            }
        });
        tokio::spawn(async move {
            let mut bytes = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = from_server.read(&mut bytes).await {
                tokio::time::sleep(HOLD).await;
                is_answered.store(true, Ordering::SeqCst);
                if to_client.write_all(&bytes[..length]).await.is_err() {
                    return;
                }
            }
        });
    }

    /// How many journeys `work` takes. A connection is asked whether it lives if it was idle for long, and a busy machine
    /// may send late what belongs together: the fewest of several times count.
    async fn journeys<T>(&self, mut work: impl AsyncFnMut() -> T) -> usize {
        let mut fewest = usize::MAX;
        for _ in 0..4 {
            let before = self.0.load(Ordering::SeqCst);
            work().await;
            fewest = fewest.min(self.0.load(Ordering::SeqCst) - before);
        }
        fewest
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_one_journey_and_a_write_is_two() {
    if private_missing() {
        return;
    }
    let server = Postgres::start().unwrap();
    let line = Line::default();
    let port = line.open(server.port()).await;
    let far = store(&server.url().replace(&format!(":{}/", server.port()), &format!(":{port}/"))).await;
    let near = store(&server.url()).await;
    let (environment, old) = (environment(), whole(&near).await.unwrap().version());
    let new = commit(&near, [created("a")]).await.version();

    let unchanged = line.journeys(async || far.fetch(&environment, Some(new)).await.unwrap()).await;
    let changes = line.journeys(async || far.fetch(&environment, Some(old)).await.unwrap()).await;
    let page = HistoryPage { before: None, flag: None, limit: 10 };
    let history = line.journeys(async || far.history(&environment, page).await.unwrap()).await;
    let key = IdempotencyKey::parse(b"key").unwrap();
    let keys = [key.clone()];
    let receipts = line.journeys(async || far.receipts(&environment, &keys).await.unwrap()).await;
    let node = NodeIdentity { id: NodeId(1), name: "one".parse().unwrap() };
    let report = NodeReport { node, version: new, digest: None };
    let heartbeat = line.journeys(async || far.report(&environment, &report).await.unwrap()).await;
    let nodes = line.journeys(async || far.nodes(&environment).await.unwrap()).await;
    let questions = [unchanged, changes, history, receipts, heartbeat, nodes];
    assert_eq!(questions, [1; 6], "unchanged, changes, history, receipts, heartbeat, nodes");

    let mut number = 0;
    let written = line.journeys(async || {
        number += 1;
        let base = whole(&near).await.unwrap();
        let mut planned = Planned::new(&base, [created(&format!("flag-{number}"))]);
        let key = IdempotencyKey::parse(format!("key-{number}").as_bytes()).unwrap();
        planned.batch.receipts.push(Receipt { key, fingerprint: [7; 32], answer: Vec::new() });
        far.append(&environment, base.version(), &planned.batch).await.unwrap()
    });
    assert_eq!(written.await, 2);
    let planned = Planned::new(&whole(&near).await.unwrap(), [created("b")]);
    let lost = line.journeys(async || far.append(&environment, old, &planned.batch).await.unwrap());
    assert_eq!(lost.await, 2);
}
