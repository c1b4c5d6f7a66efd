//! The laws of the core: what holds of every flag, every snapshot and everybody who asks. Each test is named by its law.

mod answers;
mod changes;
mod differences;
mod pins;
mod rollouts;

use flag_core::testing::Asker;
use flag_core::{Change, Entry, Evaluation, Flag, Snapshot, Version};

/// A snapshot of this flag alone.
fn alone(flag: &Flag) -> Snapshot {
    Snapshot::new(Version::default(), [flag.clone()])
}

/// What `asker` gets of `flag`: the same whether the flag or a snapshot is asked.
#[track_caller]
fn answer(flag: &Flag, asker: &Asker) -> Evaluation {
    let answer = flag.evaluate(&asker.context());
    assert_eq!(alone(flag).evaluate(flag.key.as_str(), &asker.context()), Some(answer));
    answer
}

/// What `asker` gets of every flag of `snapshot`, by key.
fn answers(snapshot: &Snapshot, asker: &Asker) -> Vec<(String, Evaluation)> {
    let context = asker.context();
    let mut answers: Vec<_> =
        snapshot.evaluate_all(&context).map(|(flag, answer)| (flag.key.to_string(), answer)).collect();
    answers.sort_by(|one, other| one.0.cmp(&other.0));
    answers
}

/// The snapshots that those of `changes` bring about which hold and change something, with the lines of their log.
fn history(changes: Vec<Change>) -> (Snapshot, Vec<Entry>) {
    let mut log = Vec::new();
    let mut snapshot = Snapshot::default();
    for change in changes {
        let entry = Entry::next(&snapshot, change);
        if let Ok(after) = snapshot.replay(std::slice::from_ref(&entry)) {
            snapshot = after;
            log.push(entry);
        }
    }
    (snapshot, log)
}
