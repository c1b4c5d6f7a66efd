//! The log as far as it has been read, folded twice: by the core's reducer and by the model. What writers were told is held
//! against it, and so is what servers show.

use std::collections::BTreeMap;

use flag_core::{Applied, Entry, Snapshot};
use flag_engine::document::{ChangeDocument, EntryDocument};
use serde_json::{Value, json};

use crate::client::Client;
use crate::model::{Model, Shown, shown_by_server, shown_by_snapshot};
use crate::write::{Outcome, Write};

/// What writers asked for and were told, in any order.
pub type Journal = Vec<(Write, Outcome)>;

/// A log that begins with the first change.
#[derive(Default)]
pub struct History {
    pub lines: Vec<Value>,
    snapshot: Snapshot,
    model: Model,
    /// Writes whose outcome was unknown and that are not in the log yet. A commit that is on its way when its node dies
    /// arrives a moment later.
    unsettled: Journal,
}

/// How many writes of a journal came to what.
#[derive(Clone, Copy, Default, Debug)]
pub struct Tally {
    pub acknowledged: usize,
    pub refused: usize,
    pub unknown: usize,
    /// Of the acknowledged, those that changed nothing because everything was as they asked.
    pub idle: usize,
    /// Of the unknown, those that are in the log.
    pub found: usize,
}

impl History {
    pub fn revision(&self) -> u64 {
        self.lines.len() as u64
    }

    /// Reads what is new in the log, and holds it against what the writers of it were told:
    /// - revisions are dense;
    /// - what was acknowledged is there exactly once, at the revision that was told, and is what was asked for; or everything
    ///   was as it asked at that revision already, and it is not there;
    /// - what was refused is not there, and what is unknown is there once or not at all;
    /// - nothing else is there.
    pub async fn read_on(&mut self, client: &Client, journal: Journal) -> Tally {
        let lines = client.log_after(self.revision()).await;
        let mut tally = Tally::default();
        let mut authors: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for line in &lines {
            let entry = entry(line);
            authors.entry(entry.author.as_str().to_owned()).or_default().push(entry);
        }
        let mut idle: BTreeMap<u64, Vec<&Write>> = BTreeMap::new();
        let unsettled = std::mem::take(&mut self.unsettled);
        for (write, outcome) in unsettled.iter().chain(&journal) {
            let entries = authors.remove(&write.author).unwrap_or_default();
            let is_right = match (outcome, entries.as_slice()) {
                (Outcome::Acknowledged(told), [entry]) => *told == entry.revision,
                (Outcome::Acknowledged(told), []) => {
                    idle.entry(*told).or_default().push(write);
                    tally.idle += 1;
                    true
                }
                (Outcome::Unknown | Outcome::Silence, [_] | []) | (Outcome::Refused(_), []) => true,
                _ => false,
            };
            assert!(is_right, "{write:?} was told {outcome:?}, and the log holds {entries:#?}");
            assert!(entries.iter().all(|entry| entry.change == write.change), "{write:?}: {entries:#?}");
            match outcome {
                Outcome::Acknowledged(_) => tally.acknowledged += 1,
                Outcome::Refused(_) => tally.refused += 1,
                Outcome::Unknown | Outcome::Silence if entries.is_empty() => {
                    self.unsettled.push((write.clone(), *outcome));
                }
                Outcome::Unknown | Outcome::Silence => tally.found += 1,
            }
        }
        tally.unknown = tally.found + self.unsettled.len() - unsettled.len();
        assert!(authors.is_empty(), "nobody asked for {authors:#?}");
        self.are_so(idle.remove(&self.revision()));
        for line in lines {
            self.fold(line);
            self.are_so(idle.remove(&self.revision()));
        }
        assert!(idle.is_empty(), "acknowledged at revisions that are not in the log: {idle:#?}");
        tally
    }

    fn fold(&mut self, line: Value) {
        let entry = entry(&line);
        assert_eq!(entry.revision, self.revision() + 1, "revisions are dense");
        match self.snapshot.apply(&entry) {
            Ok(Applied::Changed(next)) => self.snapshot = next,
            other => panic!("{line} does not follow: {other:?}"),
        }
        self.model.fold(&line);
        self.lines.push(line);
    }

    fn are_so(&self, writes: Option<Vec<&Write>>) {
        for write in writes.unwrap_or_default() {
            let change = json!(ChangeDocument::new(&write.change).expect("every change has a document"));
            assert!(
                self.model.is_so(&change),
                "{write:?} was acknowledged at revision {}, is not in the log, and was not so before",
                self.revision()
            );
        }
    }

    /// Holds what the server shows against both ways to read the log, as far as the log has come by now.
    pub async fn agrees_with(&mut self, client: &Client) {
        for _ in 0..100 {
            client.read_from(self.revision());
            let shown = shown_by_server(client).await;
            if client.get("/features").await.revision() == self.revision() {
                return self.agrees(&shown);
            }
            self.read_on(client, Journal::new()).await;
        }
        panic!("the log does not come to an end");
    }

    fn agrees(&self, shown: &Shown) {
        let expected = self.model.shown();
        assert_eq!(shown_by_snapshot(&self.snapshot), expected, "the core reads the log as the model does");
        assert_eq!(shown.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (key, flag) in expected {
            assert_eq!(shown[&key], flag, "the server shows what the log leads to");
        }
    }
}

fn entry(line: &Value) -> Entry {
    let document: EntryDocument = serde_json::from_value(line.clone()).expect("a line of the log");
    document.into_entry().expect("a line of the log")
}
