//! The law: whatever is asked in whatever order, the store and the one in memory give the same answers.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use flag_core::{Change, Entry, FlagKey, Revision, Snapshot, Version};
use flag_engine::{Appended, Fetched, HistoryPage, StoreError};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::steps::{Store, environment, log, shown, whole};
use crate::generate;
use crate::memory::MemoryStore;
use crate::planned::Planned;

/// A failing sequence is made smaller at most this often: each attempt costs a new store.
const MOST_SIMPLIFICATIONS: u32 = 100;

/// One thing to do to both stores.
#[derive(Clone, Debug)]
enum Command {
    /// Append what holds of these, as one batch.
    Append(Vec<Change>),
    /// The same, decided and expected this many revisions ago.
    AppendLate(Revision, Vec<Change>),
    /// Fetch with what was the newest version this many revisions ago.
    Fetch(Revision),
    /// Read a page of the log.
    History(Option<Revision>, Option<FlagKey>, u16),
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    let page = (prop::option::of(0..40u64), prop::option::of(generate::keys()), 0..20u16);
    let command = prop_oneof![
        6 => generate::change_sequences(8).prop_map(Command::Append),
        1 => (0..4u64, generate::change_sequences(3)).prop_map(|(ago, changes)| Command::AppendLate(ago, changes)),
        2 => (0..20u64).prop_map(Command::Fetch),
        1 => page.prop_map(|(before, flag, limit)| Command::History(before, flag, limit)),
    ];
    vec(command, 1..16)
}

pub(super) async fn the_store_behaves_as_the_one_in_memory<F, Fut>(make: &F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = Store>,
{
    let seed = number("CONTRACT_SEED").unwrap_or_else(|| RandomState::new().hash_one("seed"));
    let cases = number("CONTRACT_CASES").unwrap_or(24);
    // Shown by the test harness if anything below fails.
    println!("CONTRACT_SEED={seed} CONTRACT_CASES={cases}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for _ in 0..cases {
        let mut tree = commands().new_tree(&mut runner).unwrap();
        let Err(mut why) = holds(make().await, tree.current()).await else { continue };
        let mut smallest = tree.current();
        let mut more = tree.simplify();
        for _ in 0..MOST_SIMPLIFICATIONS {
            if !more {
                break;
            }
            more = match holds(make().await, tree.current()).await {
                Ok(()) => tree.complicate(),
                Err(reason) => {
                    (why, smallest) = (reason, tree.current());
                    tree.simplify()
                }
            };
        }
        panic!("{why}\nafter {smallest:#?}\nCONTRACT_SEED={seed} CONTRACT_CASES={cases} repeats it");
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// Does the commands to `store` and to one in memory, and compares them after each.
async fn holds(store: Store, commands: Vec<Command>) -> Result<(), String> {
    let model = MemoryStore::new();
    let mut both = Both { model_store: Arc::new(model), past: vec![whole(&store).await], store };
    for command in commands {
        both.run(&command).await.map_err(|why| format!("{command:?}: {why}"))?;
        both.compare().await?;
    }
    Ok(())
}

struct Both {
    store: Store,
    model_store: Store,
    /// What the store was after each commit, oldest first.
    past: Vec<Snapshot>,
}

impl Both {
    async fn run(&mut self, command: &Command) -> Result<(), String> {
        match command {
            Command::Append(changes) => self.append(0, changes).await,
            Command::AppendLate(ago, changes) => self.append(*ago, changes).await,
            Command::Fetch(ago) => self.fetch(*ago).await,
            Command::History(before, flag, limit) => {
                let page = HistoryPage { before: *before, flag: flag.as_ref(), limit: *limit };
                let found = self.store.history(&environment(), page).await;
                let expected = self.model_store.history(&environment(), page).await;
                same("a page of the log", &found.map_err(shown_error)?, &expected.map_err(shown_error)?)
            }
        }
    }

    async fn append(&mut self, ago: Revision, changes: &[Change]) -> Result<(), String> {
        let base = self.before(ago);
        let planned = Planned::new(&base, changes.iter().cloned());
        let found =
            self.store.append(&environment(), base.version(), &planned.batch).await.map_err(shown_error)?;
        let twin = Version { epoch: whole(&self.model_store).await.version().epoch, ..base.version() };
        let expected =
            self.model_store.append(&environment(), twin, &planned.batch).await.map_err(shown_error)?;
        if found == Appended::Committed && base.version() != planned.after.version() {
            self.past.push(planned.after);
        }
        same("the outcome", &found, &expected)
    }

    async fn fetch(&self, ago: Revision) -> Result<(), String> {
        let (have, newest) = (self.before(ago), self.before(0));
        let found = match self.store.fetch(&environment(), Some(have.version())).await.map_err(shown_error)? {
            Fetched::Unchanged => have,
            Fetched::Snapshot(snapshot) => snapshot,
            Fetched::Changes(entries) => fold(have, &entries)?,
            Fetched::Stale { why, .. } => return Err(shown_error(why)),
        };
        same("what was fetched", &shown(&found), &shown(&newest))
    }

    /// What the store was when it stood this many revisions ago, or at the commit before that.
    fn before(&self, ago: Revision) -> Snapshot {
        let newest = self.past.last().unwrap().version().revision;
        let upto = newest.saturating_sub(ago);
        self.past.iter().rfind(|snapshot| snapshot.version().revision <= upto).unwrap().clone()
    }

    /// State and log of both are the same, and the log leads to the state.
    async fn compare(&self) -> Result<(), String> {
        let (found, model) = (whole(&self.store).await, whole(&self.model_store).await);
        let version = found.version();
        let expected =
            Snapshot::new(Version { epoch: version.epoch, ..model.version() }, model.flags().cloned());
        if found != expected {
            return Err(format!("the state is {}, not {}", shown(&found), shown(&expected)));
        }
        let entries = log(&self.store).await;
        same("the log", &entries, &log(&self.model_store).await)?;
        let folded = fold(Snapshot::new(Version { revision: 0, ..version }, []), &entries)?;
        if folded == found { Ok(()) } else { Err(format!("log and state disagree: {}", shown(&folded))) }
    }
}

fn fold(start: Snapshot, entries: &[Entry]) -> Result<Snapshot, String> {
    entries
        .iter()
        .try_fold(start, |snapshot, entry| snapshot.with(entry))
        .map_err(|rejection| rejection.to_string())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what} is {found:?}, not {expected:?}")) }
}

#[expect(clippy::needless_pass_by_value, reason = "fits `map_err`")]
fn shown_error(error: StoreError) -> String {
    format!("{error:?}")
}
