//! `kill -9` in the middle of writes, over and over on one store: what was acknowledged is there, and the log and the state
//! agree.
//!
//! `FLAG_TEST_SEED` repeats the writes and the moments of a run, as far as the machine lets them be repeated.

use std::time::{Duration, SystemTime};

use flag_core::Change;
use flag_testkit::generate;
use flag_testkit::services::{Postgres, private_missing};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::task::JoinSet;

use crate::client::Client;
use crate::history::{History, Journal, Tally};
use crate::server::{Server, Settings};
use crate::write::{Outcome, Write};

/// How many rounds there are, and how many in a long run.
const ROUNDS: u64 = 100;
const LONG_ROUNDS: u64 = 1_000;
const WRITERS: u64 = 8;
/// How many different changes a writer draws in a round. It begins again when it has sent them all.
const DRAWN: usize = 50;
/// The latest moment of a round at which the server is killed.
const LONGEST: u64 = 150;
/// How often PostgreSQL is killed as well.
const EVERY_TENTH: u64 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sqlite_acknowledged_survives_every_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut crash = Crash::new(Settings::sqlite(directory.path()));
    for round in 1..=rounds() {
        crash.round(round, None).await;
    }
    crash.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_postgres_acknowledged_survives_every_kill() {
    if private_missing() {
        return;
    }
    let mut postgres = Postgres::start().unwrap();
    // The node would tell of every write that it refuses while PostgreSQL is down.
    let settings = Settings::postgres(&postgres.fresh_database().unwrap(), None);
    let mut crash = Crash::new(settings.with("LOG", "off"));
    for round in 1..=rounds() {
        let store = round.is_multiple_of(EVERY_TENTH).then_some(&mut postgres);
        crash.round(round, store).await;
    }
    crash.finish().await;
}

fn rounds() -> u64 {
    if std::env::var_os("FLAG_TEST_LONG").is_some() { LONG_ROUNDS } else { ROUNDS }
}

/// A server that is killed and started again, and everything that is known of its store.
struct Crash {
    settings: Settings,
    seed: u64,
    server: Server,
    history: History,
    tallies: Vec<Tally>,
}

impl Crash {
    fn new(settings: Settings) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let seed = std::env::var("FLAG_TEST_SEED").map_or(now, |seed| seed.parse().expect("a number"));
        println!("FLAG_TEST_SEED={seed}");
        let server = Server::start(&settings);
        Self { settings, seed, server, history: History::default(), tallies: Vec::new() }
    }

    /// Writes, kills, starts again, and looks. A `store` that is given is killed first.
    async fn round(&mut self, round: u64, store: Option<&mut Postgres>) {
        println!("round {round}");
        let mut draws = draws(self.seed, round, 0);
        let moment = Duration::from_millis((0..=LONGEST).new_tree(&mut draws).unwrap().current());
        let mut writers = JoinSet::new();
        for writer in 1..=WRITERS {
            let changes = changes(self.seed, round, writer);
            writers.spawn(write_on(self.server.url.clone(), format!("{round}/{writer}"), changes));
        }
        tokio::time::sleep(moment).await;
        match store {
            None => self.server.kill(),
            Some(postgres) => {
                postgres.kill().unwrap();
                self.server.kill();
                postgres.start_again().unwrap();
            }
        }
        let journal = writers.join_all().await.concat();
        self.server = Server::start(&self.settings);
        let client = Client::new(vec![self.server.url.clone()]);
        client.ready(Duration::from_secs(10)).await;
        self.tallies.push(self.history.read_on(&client, journal).await);
        self.history.agrees_with(&client).await;
    }

    /// Looks at the whole log once more, and at whether the rounds did what they are for.
    async fn finish(self) {
        let client = Client::new(vec![self.server.url.clone()]);
        let log = client.log().await;
        assert!(log.starts_with(&self.history.lines), "what was in the log once stays as it was");
        let all = |count: fn(&Tally) -> usize| self.tallies.iter().map(count).sum::<usize>();
        let interrupted = self.tallies.iter().filter(|tally| tally.unknown > 0).count();
        println!(
            "{} lines: {} acknowledged ({} idle), {} refused, {} unknown, {} of them there; {interrupted} rounds interrupted writes",
            self.history.revision(),
            all(|tally| tally.acknowledged),
            all(|tally| tally.idle),
            all(|tally| tally.refused),
            all(|tally| tally.unknown),
            all(|tally| tally.found),
        );
        assert!(interrupted * 2 > self.tallies.len(), "most kills interrupt a write");
        // How many writes fit into a round is a matter of the disk; without any there was nothing to lose.
        assert!(all(|tally| tally.acknowledged) > self.tallies.len(), "most rounds get to writing");
    }
}

/// Writes until the server is gone.
async fn write_on(node: String, name: String, changes: Vec<Change>) -> Journal {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
    let mut journal = Journal::new();
    for (number, change) in changes.iter().cycle().enumerate() {
        let write = Write::new(format!("{name}/{number}"), change.clone());
        let outcome = write.send(&http, &node).await;
        journal.push((write, outcome));
        // Not one request more: the port may already be that of another server.
        if outcome == Outcome::Silence {
            break;
        }
    }
    journal
}

fn changes(seed: u64, round: u64, writer: u64) -> Vec<Change> {
    let mut draws = draws(seed, round, writer);
    let strategy = generate::changes();
    (0..DRAWN).map(|_| strategy.new_tree(&mut draws).unwrap().current()).collect()
}

fn draws(seed: u64, round: u64, writer: u64) -> TestRunner {
    let mut bytes = [0; 32];
    for (place, number) in [seed, round, writer].into_iter().enumerate() {
        bytes[place * 8..][..8].copy_from_slice(&number.to_le_bytes());
    }
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}
