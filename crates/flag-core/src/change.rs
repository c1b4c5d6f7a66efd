//! Changes: the one way from a snapshot to the next. What a change does, and when it does not hold, is decided here.

use core::fmt;

use crate::bucket::Salt;
use crate::flag::Flag;
use crate::names::{Author, Description, FlagKey, SubjectId};
use crate::overrides::{Level, Overrides};
use crate::percentage::Percentage;
use crate::snapshot::{Revision, Snapshot};
use crate::variant::Variant;

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted. Always given by the caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Timestamp(pub i64);

/// One thing that happened to one flag.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Change {
    /// A flag came into being.
    FlagCreated {
        /// Its name, and at first its salt.
        key: FlagKey,
        /// What it is for.
        description: Option<Description>,
        /// Its global state.
        global: Variant,
        /// Its rollout, 0 to 100 per cent of the users; absent, the global state decides for them.
        rollout: Option<Percentage>,
    },
    /// A flag went, with everything that hung on it.
    FlagDeleted {
        /// Its name.
        key: FlagKey,
    },
    /// The global state was switched.
    GlobalSet {
        /// The flag.
        key: FlagKey,
        /// The new state.
        variant: Variant,
    },
    /// The rollout was set, or taken away.
    RolloutSet {
        /// The flag.
        key: FlagKey,
        /// The new share, 0 to 100 per cent of the users; absent, there is no rollout, which is not the same as 0 per cent.
        rollout: Option<Percentage>,
    },
    /// A subject was pinned.
    OverrideSet {
        /// The flag.
        key: FlagKey,
        /// What kind of subject.
        level: Level,
        /// The subject.
        subject: SubjectId,
        /// What it is pinned to.
        variant: Variant,
    },
    /// A subject was let go.
    OverrideRemoved {
        /// The flag.
        key: FlagKey,
        /// What kind of subject.
        level: Level,
        /// The subject.
        subject: SubjectId,
    },
}

impl Change {
    /// A flag without a description and without a rollout.
    #[must_use]
    pub fn flag_created(key: FlagKey, global: Variant) -> Self {
        Self::FlagCreated { key, description: None, global, rollout: None }
    }

    /// The flag that it happened to.
    #[must_use]
    pub fn key(&self) -> &FlagKey {
        match self {
            Self::FlagCreated { key, .. }
            | Self::FlagDeleted { key }
            | Self::GlobalSet { key, .. }
            | Self::RolloutSet { key, .. }
            | Self::OverrideSet { key, .. }
            | Self::OverrideRemoved { key, .. } => key,
        }
    }
}

/// A line of the log: a change, its place in the order of commits, and who made it when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The revision that the change brought about: 1 or more, and one above that of the snapshot that it is applied to.
    pub revision: Revision,
    /// When it was made. Decides nothing.
    pub at: Timestamp,
    /// By whom.
    pub author: Author,
    /// What happened.
    pub change: Change,
}

impl Entry {
    /// The line that `change` would be after `snapshot`, by nobody at no time: for tests, and for engines without a log.
    #[must_use]
    pub fn next(snapshot: &Snapshot, change: Change) -> Self {
        let revision = snapshot.version().revision.saturating_add(1);
        Self { revision, at: Timestamp::default(), author: Author::default(), change }
    }
}

/// Why a change does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rejection {
    /// There is no such flag.
    FlagNotFound(FlagKey),
    /// There is already such a flag.
    FlagExists(FlagKey),
    /// The flag exists and cannot be read, so nobody can say what a change would make of it.
    FlagUnreadable(FlagKey),
    /// The subject is not pinned.
    OverrideNotFound {
        /// The flag.
        key: FlagKey,
        /// What kind of subject.
        level: Level,
        /// The subject.
        subject: SubjectId,
    },
    /// The entry is not the one that follows the snapshot.
    OutOfOrder {
        /// The revision that would follow.
        expected: Revision,
        /// The revision of the entry.
        found: Revision,
    },
    /// The entry changes nothing here, so it was written after another snapshot than this: a log holds no such lines.
    NoEffect(Revision),
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FlagNotFound(key) => write!(f, "there is no flag {key}"),
            Self::FlagExists(key) => write!(f, "there is already a flag {key}"),
            Self::FlagUnreadable(key) => write!(f, "flag {key} cannot be read"),
            Self::OverrideNotFound { key, level, subject } => {
                write!(f, "flag {key} has no override for the {level} {:?}", subject.as_str())
            }
            Self::OutOfOrder { expected, found } => {
                write!(f, "revision {found} cannot follow where {expected} is due")
            }
            Self::NoEffect(revision) => write!(f, "revision {revision} changes nothing"),
        }
    }
}

impl core::error::Error for Rejection {}

/// What became of a change that holds.
#[derive(Clone, Debug)]
pub enum Applied {
    /// The snapshot that it brings about.
    Changed(Snapshot),
    /// Everything already is as it asks: there is nothing to write down.
    Unchanged,
}

impl Snapshot {
    /// What `entry` makes of this snapshot. The snapshot itself stays as it is.
    ///
    /// Of a flag that cannot be read all that can be done is to delete it.
    ///
    /// # Errors
    /// [`Rejection`] if the change does not hold here, or if another entry is due first.
    pub fn apply(&self, entry: &Entry) -> Result<Applied, Rejection> {
        let now = self.version().revision;
        let expected = now.saturating_add(1);
        // Nothing follows the last revision there is, which a snapshot from outside may stand at.
        if entry.revision != expected || entry.revision == now {
            return Err(Rejection::OutOfOrder { expected, found: entry.revision });
        }
        let key = entry.change.key();
        let is_quarantined = self.is_quarantined(key);
        let current = self.flag(key.as_str());
        let after = match &entry.change {
            Change::FlagDeleted { .. } if is_quarantined => None,
            _ if is_quarantined => return Err(Rejection::FlagUnreadable(key.clone())),
            Change::FlagCreated { .. } if current.is_some() => {
                return Err(Rejection::FlagExists(key.clone()));
            }
            Change::FlagCreated { description, global, rollout, .. } => Some(Flag {
                key: key.clone(),
                description: description.clone(),
                global: *global,
                rollout: *rollout,
                salt: Salt::from(key),
                overrides: Overrides::default(),
                revision: entry.revision,
                created_at: entry.at,
                updated_at: entry.at,
            }),
            Change::FlagDeleted { .. } if current.is_some() => None,
            change => match current.ok_or_else(|| Rejection::FlagNotFound(key.clone()))?.changed(change)? {
                None => return Ok(Applied::Unchanged),
                Some(flag) => Some(Flag { revision: entry.revision, updated_at: entry.at, ..flag }),
            },
        };
        let mut snapshot = self.clone();
        match after {
            Some(flag) => snapshot.insert(flag),
            None => {
                snapshot.remove(key);
                snapshot.release(key);
            }
        }
        snapshot.advance(entry.revision);
        Ok(Applied::Changed(snapshot))
    }

    /// What the next lines of the log that led to this snapshot make of it.
    ///
    /// Whoever wrote them may have been able to read what is missing here. A flag that cannot be read stays missing, until
    /// a line says that it was deleted, or created: a new flag is known from its first line on.
    ///
    /// # Errors
    /// [`Rejection`] of the first line that cannot have been written after what is before it.
    pub fn replay(&self, entries: &[Entry]) -> Result<Self, Rejection> {
        entries.iter().try_fold(self.clone(), |mut snapshot, entry| {
            if matches!(entry.change, Change::FlagCreated { .. }) {
                snapshot.release(entry.change.key());
            }
            match snapshot.apply(entry) {
                Ok(Applied::Changed(snapshot)) => Ok(snapshot),
                Ok(Applied::Unchanged) => Err(Rejection::NoEffect(entry.revision)),
                Err(Rejection::FlagUnreadable(_)) => {
                    snapshot.advance(entry.revision);
                    Ok(snapshot)
                }
                Err(rejection) => Err(rejection),
            }
        })
    }

    /// As [`apply`](Self::apply), for callers to whom a change without effect is no news. The revision advances even so.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn with(&self, entry: &Entry) -> Result<Self, Rejection> {
        Ok(match self.apply(entry)? {
            Applied::Changed(snapshot) => snapshot,
            Applied::Unchanged => {
                let mut snapshot = self.clone();
                snapshot.advance(entry.revision);
                snapshot
            }
        })
    }
}

impl Flag {
    /// The flag after a change of its own parts; nothing if they already are so.
    fn changed(&self, change: &Change) -> Result<Option<Self>, Rejection> {
        let mut flag = self.clone();
        let same = match change {
            Change::GlobalSet { variant, .. } => core::mem::replace(&mut flag.global, *variant) == *variant,
            Change::RolloutSet { rollout, .. } => core::mem::replace(&mut flag.rollout, *rollout) == *rollout,
            Change::OverrideSet { level, subject, variant, .. } => {
                flag.overrides.set(*level, subject, *variant) == Some(*variant)
            }
            Change::OverrideRemoved { key, level, subject } => {
                if flag.overrides.remove(*level, subject.as_str()).is_none() {
                    let (key, subject) = (key.clone(), subject.clone());
                    return Err(Rejection::OverrideNotFound { key, level: *level, subject });
                }
                false
            }
            Change::FlagCreated { .. } | Change::FlagDeleted { .. } => true,
        };
        Ok((!same).then_some(flag))
    }
}
