//! What differs between two snapshots, row by row, without looking at what they share.

use alloc::sync::Arc;

use crate::flag::Flag;
use crate::overrides::{Level, Override, Overrides};
use crate::pins::Pins;
use crate::snapshot::Snapshot;

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
        self.visit_flags_not_in(other, &mut |flag: &'a Arc<Flag>, before| {
            let before = before.map(|before| &**before);
            if before.is_none_or(|before| !same_row(before, flag)) {
                visit(Row::Flag(flag));
            }
            let overrides = before.map_or(&nobody, |before| &before.overrides);
            for level in Level::ALL {
                flag.overrides.visit_leaves_not_in(overrides, level, &mut |pins: &'a Pins, other| {
                    let nobody = Pins::default();
                    for (hash, subject, variant) in pins.iter_unlike(other.unwrap_or(&nobody)) {
                        if overrides.get_hashed(level, subject, hash) != Some(variant) {
                            visit(Row::Override { flag, level, pin: Override { subject, variant } });
                        }
                    }
                });
            }
        });
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
    use crate::variant::Variant;

    fn with(snapshot: &Snapshot, change: Change) -> Snapshot {
        snapshot.with(&Entry::next(snapshot, change)).unwrap()
    }

    fn pinned(snapshot: &Snapshot, number: u32, variant: Variant) -> Snapshot {
        let (key, subject) = ("f".parse().unwrap(), SubjectId::parse(&format!("user{number}")).unwrap());
        with(snapshot, Change::OverrideSet { key, level: Level::User, subject, variant })
    }

    fn looked_at(from: &Snapshot, to: &Snapshot) -> usize {
        let mut leaves = 0;
        to.visit_flags_not_in(from, &mut |flag: &Arc<Flag>, before| {
            let nobody = Overrides::default();
            let overrides = before.map_or(&nobody, |before| &before.overrides);
            flag.overrides.visit_leaves_not_in(overrides, Level::User, &mut |_: &Pins, _| leaves += 1);
        });
        leaves
    }

    #[test]
    fn one_more_override_of_very_many_is_found_without_looking_at_the_others() {
        let mut before = Snapshot::default();
        for number in 0..2_000 {
            before = with(&before, Change::flag_created(format!("f{number}").parse().unwrap(), Variant::ON));
        }
        before = with(&before, Change::flag_created("f".parse().unwrap(), Variant::ON));
        for number in 0..20_000 {
            before = pinned(&before, number, Variant::ON);
        }
        let after = pinned(&before, 20_000, Variant::OFF);
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
