//! Many writers at once, on one node and on two: revisions are dense, each success is in the log exactly once, under the name
//! of who made it, and a writer loses only if it set a condition.

use std::sync::Arc;

use flag_core::{Change, Level, Percentage, SubjectId, Variant};
use flag_engine::document::PercentageDocument;
use serde_json::Value;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::fleet::Fleet;
use crate::history::{History, Journal};
use crate::write::{Outcome, Write};

const WRITERS: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_on_two_nodes_lose_nothing() {
    run(&Fleet::postgres_nodes(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_on_sqlite_lose_nothing() {
    run(&Fleet::sqlite()).await;
}

async fn run(fleet: &Fleet) {
    let mut crowd = Crowd::of(fleet);
    crowd.without_a_condition_all_succeed_on_one_flag().await;
    crowd.without_a_condition_all_succeed_on_many_flags().await;
    crowd.of_those_who_create_one_flag_one_succeeds().await;
    crowd.of_those_who_saw_the_same_tag_one_succeeds().await;
    crowd.nobody_overwrites_what_they_have_not_seen().await;
}

/// Writers, each of which speaks to one of the nodes.
struct Crowd {
    http: reqwest::Client,
    nodes: Vec<String>,
    history: History,
}

impl Crowd {
    fn of(fleet: &Fleet) -> Self {
        let nodes = fleet.nodes.iter().map(|node| node.url.clone()).collect();
        Self { http: reqwest::Client::new(), nodes, history: History::default() }
    }

    async fn without_a_condition_all_succeed_on_one_flag(&mut self) {
        self.alone(created("one")).await;
        let journal = self.together(|writer| {
            let pin = |variant| Change::OverrideSet {
                key: key("one"),
                level: Level::User,
                subject: subject(writer),
                variant,
            };
            let release =
                Change::OverrideRemoved { key: key("one"), level: Level::User, subject: subject(writer) };
            let rollout = |step| rolled("one", 10 * writer + step);
            vec![rollout(1), pin(Variant::ON), rollout(2), pin(Variant::OFF), rollout(3), release]
        });
        let journal = journal.await;
        assert_eq!(successes(&journal, None), 6 * WRITERS);
        self.settle(journal).await;
    }

    async fn without_a_condition_all_succeed_on_many_flags(&mut self) {
        let journal = self.together(|writer| vec![created(&format!("many-{writer}"))]).await;
        assert_eq!(successes(&journal, None), WRITERS);
        self.settle(journal).await;
        let journal = self.together(|writer| {
            let flag = |step: usize| format!("many-{}", (writer + step) % WRITERS);
            let pin = |step| Change::OverrideSet {
                key: key(&flag(step)),
                level: Level::Group,
                subject: subject(writer),
                variant: Variant::ON,
            };
            (1..=6).map(pin).chain([rolled(&flag(7), writer)]).collect()
        });
        let journal = journal.await;
        assert_eq!(successes(&journal, None), 7 * WRITERS);
        self.settle(journal).await;
    }

    async fn of_those_who_create_one_flag_one_succeeds(&mut self) {
        for round in 0..5 {
            let journal = self.together(|_| vec![created(&format!("new-{round}"))]).await;
            assert_eq!(successes(&journal, Some(409)), 1);
            self.settle(journal).await;
        }
    }

    async fn of_those_who_saw_the_same_tag_one_succeeds(&mut self) {
        self.alone(created("tag")).await;
        for round in 0..10 {
            let tag = self.tag_of("tag").await;
            let write = |writer| rolled("tag", round * WRITERS + writer);
            let journal = self.together_if(Some(&tag), |writer| vec![write(writer)]).await;
            assert_eq!(successes(&journal, Some(412)), 1);
            self.settle(journal).await;
        }
    }

    /// Everybody adds one to the same number, by reading it and writing it back on the condition that it stayed so.
    async fn nobody_overwrites_what_they_have_not_seen(&mut self) {
        self.alone(created("sum")).await;
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (http, node, round) = (self.http.clone(), self.node(writer), self.history.revision());
            writers.spawn(async move {
                let client = Client::new(vec![node.clone()]);
                client.read_from(round);
                let mut journal = Journal::new();
                for attempt in 0..100 * WRITERS {
                    let flag = client.get("/features/sum").await.expect(200);
                    let name = format!("{round}/{writer}/{attempt}");
                    let write = Write::new(name, rolled("sum", thousandths(&flag.json()) + 1));
                    let write = write.only_if(flag.header("etag"));
                    let outcome = write.send(&http, &node).await;
                    journal.push((write, outcome));
                    match outcome {
                        Outcome::Acknowledged(_) => return journal,
                        Outcome::Refused(412) => {}
                        other => panic!("{other:?}"),
                    }
                }
                panic!("writer {writer} never succeeds");
            });
        }
        let journal = writers.join_all().await.concat();
        self.settle(journal).await;
        let sum = self.client(0).get("/features/sum").await.expect(200).json();
        assert_eq!(thousandths(&sum), WRITERS);
    }

    /// Lets every writer make its changes one after another, all writers at once.
    async fn together(&self, changes: impl Fn(usize) -> Vec<Change>) -> Journal {
        self.together_if(None, changes).await
    }

    async fn together_if(&self, tag: Option<&str>, changes: impl Fn(usize) -> Vec<Change>) -> Journal {
        let start = Arc::new(Barrier::new(WRITERS));
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let round = self.history.revision();
            let writes: Vec<Write> = changes(writer)
                .into_iter()
                .enumerate()
                .map(|(number, change)| Write::new(format!("{round}/{writer}/{number}"), change))
                .map(|write| tag.iter().fold(write, |write, tag| write.only_if(tag)))
                .collect();
            let (http, node, start) = (self.http.clone(), self.node(writer), Arc::clone(&start));
            writers.spawn(async move {
                start.wait().await;
                let mut journal = Journal::new();
                for write in writes {
                    let outcome = write.send(&http, &node).await;
                    journal.push((write, outcome));
                }
                journal
            });
        }
        writers.join_all().await.concat()
    }

    async fn alone(&mut self, change: Change) {
        let write = Write::new(format!("alone at {}", self.history.revision()), change);
        let outcome = write.send(&self.http, &self.nodes[0]).await;
        self.settle(vec![(write, outcome)]).await;
    }

    /// Holds the journal against the log, and the log against every node.
    async fn settle(&mut self, journal: Journal) {
        let tally = self.history.read_on(&self.client(0), journal).await;
        assert_eq!(
            (tally.unknown, tally.idle),
            (0, 0),
            "every outcome is known, and every write changes something"
        );
        for node in 0..self.nodes.len() {
            self.history.agrees_with(&self.client(node)).await;
        }
    }

    async fn tag_of(&self, key: &str) -> String {
        let flag = self.client(0).get(&format!("/features/{key}")).await.expect(200);
        flag.header("etag").to_owned()
    }

    /// A client of one node, which reads it once it has come as far as the log has been read.
    fn client(&self, node: usize) -> Client {
        let client = Client::new(vec![self.nodes[node].clone()]);
        client.read_from(self.history.revision());
        client
    }

    fn node(&self, writer: usize) -> String {
        self.nodes[writer % self.nodes.len()].clone()
    }
}

/// How many writes were acknowledged. All others were refused with this status.
#[track_caller]
fn successes(journal: &Journal, refusal: Option<u16>) -> usize {
    let is_success = |outcome: &Outcome| matches!(outcome, Outcome::Acknowledged(_));
    let others = journal.iter().filter(|(_, outcome)| !is_success(outcome));
    for (write, outcome) in others {
        assert_eq!(Some(*outcome), refusal.map(Outcome::Refused), "{write:?}");
    }
    journal.iter().filter(|(_, outcome)| is_success(outcome)).count()
}

fn key(text: &str) -> flag_core::FlagKey {
    text.parse().unwrap()
}

fn subject(writer: usize) -> SubjectId {
    SubjectId::parse(&format!("writer {writer}")).unwrap()
}

fn created(flag: &str) -> Change {
    Change::flag_created(key(flag), Variant::OFF)
}

/// The rollout of a printed flag, in thousandths of a per cent.
fn thousandths(flag: &Value) -> usize {
    let share: Option<PercentageDocument> = serde_json::from_value(flag["rolloutPct"].clone()).unwrap();
    share.map_or(0, |share| share.0.thousandths().try_into().unwrap())
}

fn rolled(flag: &str, thousandths: usize) -> Change {
    let share = Percentage::from_thousandths(thousandths.try_into().unwrap()).unwrap();
    Change::RolloutSet { key: key(flag), rollout: Some(share) }
}
