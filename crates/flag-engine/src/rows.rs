//! What a batch of changes does to the rows of the state, so that no store has to know what a change means.

use std::collections::{BTreeMap, BTreeSet};

use flag_core::{Change, Flag, FlagKey, Level, Snapshot, SubjectId, Variant};

/// Which row of the overrides is meant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct OverrideRow {
    /// The flag that it hangs on.
    pub flag: FlagKey,
    /// What kind of subject.
    pub level: Level,
    /// The subject.
    pub subject: SubjectId,
}

/// The rows that differ after a batch. They are written in the order of the members: what goes, goes first.
#[derive(Clone, Default, Debug)]
pub struct Rows {
    /// Flags to delete, with every override that hangs on them.
    pub removed_flags: BTreeSet<FlagKey>,
    /// Flags to insert or to replace, without their overrides.
    pub flags: BTreeMap<FlagKey, Flag>,
    /// Overrides to delete.
    pub removed_overrides: BTreeSet<OverrideRow>,
    /// Overrides to insert or to replace.
    pub overrides: BTreeMap<OverrideRow, Variant>,
}

impl Rows {
    /// Adds what `change` did, given the snapshot that it brought about.
    pub fn record(&mut self, change: &Change, after: &Snapshot) {
        let key = change.key();
        match after.flag(key.as_str()) {
            None => self.remove_flag(key),
            Some(flag) => {
                // The overrides have rows of their own; a copy of the table here would only keep it from being freed.
                let bare = Flag { overrides: flag_core::Overrides::default(), ..flag.clone() };
                self.flags.insert(key.clone(), bare);
            }
        }
        match change {
            Change::OverrideSet { level, subject, variant, .. } => {
                let row = OverrideRow { flag: key.clone(), level: *level, subject: subject.clone() };
                self.removed_overrides.remove(&row);
                self.overrides.insert(row, *variant);
            }
            Change::OverrideRemoved { level, subject, .. } => {
                let row = OverrideRow { flag: key.clone(), level: *level, subject: subject.clone() };
                self.overrides.remove(&row);
                self.removed_overrides.insert(row);
            }
            _ => {}
        }
    }

    fn remove_flag(&mut self, key: &FlagKey) {
        self.flags.remove(key);
        self.overrides.retain(|row, _| row.flag != *key);
        self.removed_overrides.retain(|row| row.flag != *key);
        self.removed_flags.insert(key.clone());
    }
}
