//! Bytes as a snapshot document: what is read survives being written and read again, and answers as the ladder says.

use flag_core::{Level, Snapshot};
use flag_engine::document::{SnapshotDocument, read_snapshot};

use crate::ladder::{Asker, answer};

/// How many pinned subjects of each level ask: more would only make the fuzzer slow.
const MOST_ASKERS: usize = 4;

/// Reads, writes, reads again, and asks.
pub fn check(bytes: &[u8]) {
    let Ok(snapshot) = read_snapshot(bytes) else { return };
    let written = serde_json::to_vec(&SnapshotDocument(&snapshot)).unwrap();
    let again = read_snapshot(&*written).unwrap();
    assert_eq!(again, snapshot);
    assert_eq!(serde_json::to_vec(&SnapshotDocument(&again)).unwrap(), written);

    ask(&snapshot, Asker { user: "user123", group: "beta", region: "IN" });
    ask(&snapshot, Asker::default());
    for flag in snapshot.flags() {
        for level in Level::ALL {
            for pin in flag.overrides.iter(level).take(MOST_ASKERS) {
                ask(&snapshot, Asker::only(level, pin.subject));
                ask(&snapshot, Asker { user: "user123", ..Asker::only(level, pin.subject) });
            }
        }
    }
}

fn ask(snapshot: &Snapshot, asker: Asker<'_>) {
    let context = asker.context();
    for (flag, all) in snapshot.evaluate_all(&context) {
        let expected = answer(flag, asker);
        assert_eq!(all, expected, "{flag:?} {asker:?}");
        assert_eq!(flag.evaluate(&context), expected, "{flag:?} {asker:?}");
        assert_eq!(snapshot.evaluate(flag.key.as_str(), &context), Some(expected), "{flag:?} {asker:?}");
    }
}
