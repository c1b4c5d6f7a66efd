//! Batches as the engine makes them, for tests that talk to a store without an engine.

use flag_core::{Applied, Author, Change, Entry, Snapshot, Timestamp};
use flag_engine::Batch;

/// A batch, and what the environment is once it is committed.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What to append.
    pub batch: Batch,
    /// The environment afterwards.
    pub after: Snapshot,
}

impl Planned {
    /// What becomes of `base` by `changes`; those that do not hold, or change nothing, are left out.
    ///
    /// Entry number n is made at n seconds after an instant in 2025, by an author who is named after it.
    pub fn new(base: &Snapshot, changes: impl IntoIterator<Item = Change>) -> Self {
        let mut planned = Self { batch: Batch::default(), after: base.clone() };
        for change in changes {
            let revision = planned.after.version().revision + 1;
            let at = Timestamp(1_750_000_000_000 + i64::try_from(revision).unwrap() * 1_000);
            let author = Author::parse(&format!("author of {revision}")).unwrap();
            let entry = Entry { revision, at, author, change };
            if let Ok(Applied::Changed(after)) = planned.after.apply(&entry) {
                planned.batch.rows.record(&entry.change, &after);
                planned.batch.entries.push(entry);
                planned.after = after;
            }
        }
        planned
    }
}
