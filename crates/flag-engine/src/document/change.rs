//! Changes and log entries as documents.

use flag_core::{Author, Change, Description, Entry, FlagKey, Invalid, Level, Revision, SubjectId, Variant};
use serde::{Deserialize, Serialize};

use super::Unreadable;
use super::flag::PercentageDocument;
use super::time::TimeDocument;

/// `{"type": "override_set", "key": …, …}`: the type, the flag, and what the type needs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the members are those of `flag_core::Change`")]
pub enum ChangeDocument {
    FlagCreated {
        key: String,
        description: Option<String>,
        enabled: bool,
        rollout_pct: Option<PercentageDocument>,
    },
    FlagDeleted {
        key: String,
    },
    GlobalSet {
        key: String,
        enabled: bool,
    },
    RolloutSet {
        key: String,
        rollout_pct: Option<PercentageDocument>,
    },
    OverrideSet {
        key: String,
        level: String,
        subject: String,
        enabled: bool,
    },
    OverrideRemoved {
        key: String,
        level: String,
        subject: String,
    },
}

impl ChangeDocument {
    /// Writes `change` down.
    ///
    /// # Errors
    /// [`Unreadable`] for a kind of change that this document has no shape for.
    pub fn new(change: &Change) -> Result<Self, Unreadable> {
        let key = change.key().as_str().to_owned();
        Ok(match change {
            Change::FlagCreated { description, global, rollout, .. } => Self::FlagCreated {
                key,
                description: description.as_ref().map(|text| text.as_str().to_owned()),
                enabled: global.enabled(),
                rollout_pct: rollout.map(PercentageDocument),
            },
            Change::FlagDeleted { .. } => Self::FlagDeleted { key },
            Change::GlobalSet { variant, .. } => Self::GlobalSet { key, enabled: variant.enabled() },
            Change::RolloutSet { rollout, .. } => {
                Self::RolloutSet { key, rollout_pct: rollout.map(PercentageDocument) }
            }
            Change::OverrideSet { level, subject, variant, .. } => Self::OverrideSet {
                key,
                level: level.name().to_owned(),
                subject: subject.as_str().to_owned(),
                enabled: variant.enabled(),
            },
            Change::OverrideRemoved { level, subject, .. } => Self::OverrideRemoved {
                key,
                level: level.name().to_owned(),
                subject: subject.as_str().to_owned(),
            },
            _ => return Err(Unreadable("a kind of change that has no document".to_owned())),
        })
    }

    /// The change that is written down here.
    ///
    /// # Errors
    /// [`Unreadable`] names the member that no change can have.
    pub fn into_change(self) -> Result<Change, Unreadable> {
        let bad = |name: &'static str| move |invalid: Invalid| Unreadable::member(name, invalid);
        let key = |text: String| text.parse::<FlagKey>().map_err(bad("key"));
        let level =
            |text: String| Level::named(&text).ok_or_else(|| Unreadable::member("level", "is unknown"));
        let subject = |text: String| SubjectId::parse(&text).map_err(bad("subject"));
        Ok(match self {
            Self::FlagCreated { key: text, description, enabled, rollout_pct } => Change::FlagCreated {
                key: key(text)?,
                description: description
                    .as_deref()
                    .map(Description::parse)
                    .transpose()
                    .map_err(bad("description"))?,
                global: Variant::from(enabled),
                rollout: rollout_pct.map(|percentage| percentage.0),
            },
            Self::FlagDeleted { key: text } => Change::FlagDeleted { key: key(text)? },
            Self::GlobalSet { key: text, enabled } => {
                Change::GlobalSet { key: key(text)?, variant: Variant::from(enabled) }
            }
            Self::RolloutSet { key: text, rollout_pct } => {
                Change::RolloutSet { key: key(text)?, rollout: rollout_pct.map(|percentage| percentage.0) }
            }
            Self::OverrideSet { key: text, level: at, subject: id, enabled } => Change::OverrideSet {
                key: key(text)?,
                level: level(at)?,
                subject: subject(id)?,
                variant: Variant::from(enabled),
            },
            Self::OverrideRemoved { key: text, level: at, subject: id } => {
                Change::OverrideRemoved { key: key(text)?, level: level(at)?, subject: subject(id)? }
            }
        })
    }
}

/// A line of the log: `{revision, time, author, change}`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EntryDocument {
    /// The revision that the change brought about.
    pub revision: Revision,
    /// When it was made.
    pub time: TimeDocument,
    /// By whom.
    pub author: String,
    /// What happened.
    pub change: ChangeDocument,
}

impl EntryDocument {
    /// Writes `entry` down.
    ///
    /// # Errors
    /// As [`ChangeDocument::new`].
    pub fn new(entry: &Entry) -> Result<Self, Unreadable> {
        Ok(Self {
            revision: entry.revision,
            time: TimeDocument(entry.at),
            author: entry.author.as_str().to_owned(),
            change: ChangeDocument::new(&entry.change)?,
        })
    }

    /// The entry that is written down here.
    ///
    /// # Errors
    /// [`Unreadable`] names the member that no entry can have.
    pub fn into_entry(self) -> Result<Entry, Unreadable> {
        Ok(Entry {
            revision: self.revision,
            at: self.time.0,
            author: Author::parse(&self.author).map_err(|invalid| Unreadable::member("author", invalid))?,
            change: self.change.into_change()?,
        })
    }
}
