//! What differs between two snapshots, row by row, without looking at what they share.

use alloc::sync::Arc;
use core::ops::ControlFlow;

use crate::flag::Flag;
use crate::overrides::{Level, Override, Overrides};
use crate::pins::Pins;
use crate::snapshot::Snapshot;

/// How many leaves of flags that are not shared are no longer few. A change makes one, or sixteen where it splits one.
const FEW_LEAVES: usize = 32;
/// How many rows that may differ are no longer few.
const FEW_ROWS: usize = 256;

/// A row of the state: what a store keeps of a flag, or of one pinned subject.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Row<'a> {
    /// A flag, without its overrides.
    Flag(&'a Flag),
    /// An override of a flag.
    Override {
        /// The flag that it hangs on.
        flag: &'a Flag,
        /// What kind of subject.
        level: Level,
        /// Who is pinned, and to what.
        pin: Override<'a>,
    },
}

impl Snapshot {
    /// Shows every row that `other` does not have, or has otherwise, to `visit`, in no order. Of two snapshots of which one
    /// was derived from the other, this takes time in proportion to what was changed between them; an empty `other` shows
    /// every row.
    pub fn rows_not_in<'a>(&'a self, other: &Self, mut visit: impl FnMut(Row<'a>)) {
        let nobody = Overrides::default();
        // Nothing breaks off.
        let _ = self.visit_flags_not_in(other, &mut |flag: &'a Arc<Flag>, before| {
            let before = before.map(|before| &**before);
            if before.is_none_or(|before| !same_row(before, flag)) {
                visit(Row::Flag(flag));
            }
            let overrides = before.map_or(&nobody, |before| &before.overrides);
            Level::ALL.into_iter().try_for_each(|level| {
                flag.overrides.visit_leaves_not_in(overrides, level, &mut |pins: &'a Pins, other| {
                    let nobody = Pins::default();
                    for (hash, subject, variant) in pins.iter_unlike(other.unwrap_or(&nobody)) {
                        if overrides.get_hashed(level, subject, hash) != Some(variant) {
                            visit(Row::Override { flag, level, pin: Override { subject, variant } });
                        }
                    }
                    ControlFlow::Continue(())
                })
            })
        });
    }

    /// Whether the two share all but a few hundred rows, so that to look at what differs, or to free one of them, takes
    /// microseconds whatever their size. Looks no further than that itself. Of what cannot be read it does not know, and says no.
    #[must_use]
    pub fn is_near(&self, other: &Self) -> bool {
        self.version().epoch == other.version().epoch
            && self.quarantine().is_none()
            && other.quarantine().is_none()
            && self.has_fewer_leaves_not_in(other, FEW_LEAVES)
            && other.has_fewer_leaves_not_in(self, FEW_LEAVES)
            && self.has_few_rows_not_in(other)
            && other.has_few_rows_not_in(self)
    }

    /// Counts a row for each flag, and for each leaf of overrides one and as many as it has more or less than the other.
    fn has_few_rows_not_in(&self, other: &Self) -> bool {
        let (nobody, mut room) = (Overrides::default(), FEW_ROWS);
        let mut count = |rows| {
            room = room.saturating_sub(rows);
            if room > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let all = self.visit_flags_not_in(other, &mut |flag, before| {
            count(1)?;
            let overrides = before.map_or(&nobody, |before| &before.overrides);
            Level::ALL.into_iter().try_for_each(|level| {
                flag.overrides.visit_leaves_not_in(overrides, level, &mut |pins, there| {
                    count(1 + pins.len().abs_diff(there.map_or(0, Pins::len)))
                })
            })
        });
        all.is_continue()
    }
}

/// Whether two states of a flag are the same but for the overrides, which have rows of their own.
fn same_row(one: &Flag, other: &Flag) -> bool {
    let Flag { key, description, global, rollout, salt, overrides: _, revision, created_at, updated_at } =
        one;
    *key == other.key
        && *description == other.description
        && *global == other.global
        && *rollout == other.rollout
        && *salt == other.salt
        && *revision == other.revision
        && *created_at == other.created_at
        && *updated_at == other.updated_at
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use super::*;
    use crate::change::{Change, Entry};
    use crate::names::SubjectId;
    use crate::quarantine::Quarantine;
    use crate::snapshot::{Epoch, Version};
    use crate::variant::Variant;

    fn with(snapshot: &Snapshot, change: Change) -> Snapshot {
        snapshot.with(&Entry::next(snapshot, change)).unwrap()
    }

    fn pinned(snapshot: &Snapshot, key: &str, number: u32, variant: Variant) -> Snapshot {
        let (key, subject) = (key.parse().unwrap(), SubjectId::parse(&format!("user{number}")).unwrap());
        with(snapshot, Change::OverrideSet { key, level: Level::User, subject, variant })
    }

    fn looked_at(from: &Snapshot, to: &Snapshot) -> usize {
        let mut leaves = 0;
        let _ = to.visit_flags_not_in(from, &mut |flag: &Arc<Flag>, before| {
            let nobody = Overrides::default();
            let overrides = before.map_or(&nobody, |before| &before.overrides);
            flag.overrides.visit_leaves_not_in(overrides, Level::User, &mut |_: &Pins, _| {
                leaves += 1;
                ControlFlow::Continue(())
            })
        });
        leaves
    }

    #[test]
    fn two_snapshots_are_near_if_little_has_to_be_looked_at_to_tell_them_apart() {
        let created = |key: &str| Change::flag_created(key.parse().unwrap(), Variant::ON);
        let deleted = |key: &str| Change::FlagDeleted { key: key.parse().unwrap() };
        let mut many = Snapshot::default();
        for number in 0..3_000 {
            many = with(&many, created(&format!("f{number}")));
        }
        for (key, pins) in [("f", 2_000), ("g", 100), ("h", 100), ("i", 100)] {
            many = with(&many, created(key));
            for number in 0..pins {
                many = pinned(&many, key, number, Variant::ON);
            }
        }
        let log =
            |changes: &[Change]| changes.iter().fold(many.clone(), |now, change| with(&now, change.clone()));
        let fewer = |count| log(&(0..count).map(|number| deleted(&format!("f{number}"))).collect::<Vec<_>>());
        let missing = || {
            let mut missing = Quarantine::default();
            missing.add(&"f1".parse().unwrap(), "torn");
            missing
        };
        let again = Snapshot::new(many.version(), many.flags().cloned());
        for (name, other, expected) in [
            ("itself", many.clone(), true),
            ("one more flag", log(&[created("j")]), true),
            ("ten flags less", fewer(10), true),
            ("sixty flags less, in as many places", fewer(60), false),
            ("one more override", pinned(&many, "f", 2_000, Variant::OFF), true),
            ("a hundred overrides less", log(&[deleted("g")]), true),
            ("three hundred", log(&[deleted("g"), deleted("h"), deleted("i")]), false),
            ("two thousand", log(&[deleted("f")]), false),
            ("nothing", Snapshot::new(many.version(), []), false),
            ("the same, built another time", again, false),
            ("a flag that cannot be read", many.clone().without(missing()), false),
        ] {
            assert_eq!((many.is_near(&other), other.is_near(&many)), (expected, expected), "{name}");
        }
        let nothing = |epoch| Snapshot::new(Version { epoch: Epoch(epoch), revision: 0 }, []);
        assert!(nothing(1).is_near(&nothing(1)) && !nothing(1).is_near(&nothing(2)), "another history");
    }

    #[test]
    fn one_more_override_of_very_many_is_found_without_looking_at_the_others() {
        let mut before = Snapshot::default();
        for number in 0..2_000 {
            before = with(&before, Change::flag_created(format!("f{number}").parse().unwrap(), Variant::ON));
        }
        before = with(&before, Change::flag_created("f".parse().unwrap(), Variant::ON));
        for number in 0..20_000 {
            before = pinned(&before, "f", number, Variant::ON);
        }
        let after = pinned(&before, "f", 20_000, Variant::OFF);
        // A leaf that was split just then counts as sixteen.
        assert!(looked_at(&before, &after) <= 16, "{}", looked_at(&before, &after));
        let mut rows = Vec::new();
        after.rows_not_in(&before, |row| rows.push(row));
        let flag = after.flag("f").unwrap();
        let pin = Override { subject: "user20000", variant: Variant::OFF };
        assert_eq!(rows, [Row::Flag(flag), Row::Override { flag, level: Level::User, pin }]);
        let mut gone = 0;
        before.rows_not_in(&after, |row| {
            gone += 1;
            assert_eq!(row, Row::Flag(before.flag("f").unwrap()));
        });
        assert_eq!(gone, 1);
    }
}
