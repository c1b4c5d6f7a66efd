//! Laws of differences: what two snapshots do not share is exactly what they do not have in common.

use std::collections::BTreeSet;

use flag_core::testing::{change_sequences, snapshots};
use flag_core::{Flag, Level, Overrides, Row, Snapshot};
use proptest::prelude::*;

use super::history;

/// A row as text, so that rows of different snapshots can be compared.
fn shown(row: Row<'_>) -> String {
    match row {
        Row::Flag(flag) => format!("{:?}", Flag { overrides: Overrides::default(), ..flag.clone() }),
        Row::Override { flag, level, pin } => format!("{:?} {level} {pin:?}", flag.key),
    }
}

/// Every row, found by the obvious way.
fn rows(snapshot: &Snapshot) -> BTreeSet<String> {
    let of = |flag| {
        let pins = Level::ALL.into_iter().flat_map(move |level| {
            let pins = Flag::clone(flag).overrides;
            let pins: Vec<_> =
                pins.iter(level).map(|pin| shown(Row::Override { flag, level, pin })).collect();
            pins
        });
        std::iter::once(shown(Row::Flag(flag))).chain(pins)
    };
    snapshot.flags().flat_map(of).collect()
}

fn differences(one: &Snapshot, other: &Snapshot) -> Vec<String> {
    let mut found = Vec::new();
    one.rows_not_in(other, |row| found.push(shown(row)));
    found.sort();
    found
}

fn expected(one: &Snapshot, other: &Snapshot) -> Vec<String> {
    rows(one).difference(&rows(other)).cloned().collect()
}

proptest! {
    #[test]
    fn what_is_not_in_the_other_is_shown_once_and_nothing_else(one in snapshots(), other in snapshots()) {
        for (one, other) in [(&one, &other), (&other, &one), (&one, &Snapshot::default()), (&one, &one)] {
            prop_assert_eq!(differences(one, other), expected(one, other));
        }
    }

    #[test]
    fn what_changes_did_is_what_differs(first in change_sequences(40), then in change_sequences(40)) {
        let (before, log) = history(first);
        let mut after = before.clone();
        for change in then {
            after = after.with(&flag_core::Entry::next(&after, change)).unwrap_or(after);
        }
        prop_assert_eq!(differences(&after, &before), expected(&after, &before));
        prop_assert_eq!(differences(&before, &after), expected(&before, &after));
        // The same flags, built another time, share nothing and differ in nothing.
        let again = Snapshot::default().replay(&log).unwrap();
        prop_assert_eq!(differences(&before, &again), Vec::<String>::new());
    }
}
