//! The flag: a key and the rungs that decide which variant a context gets.

use crate::bucket::Salt;
use crate::change::Timestamp;
use crate::names::{Description, FlagKey};
use crate::overrides::Overrides;
use crate::percentage::Percentage;
use crate::snapshot::Revision;
use crate::variant::Variant;

/// A flag at one revision. Its parts are free to combine: whatever they are, the flag can be evaluated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flag {
    /// Its name.
    pub key: FlagKey,
    /// What it is for, at most 1,000 characters.
    pub description: Option<Description>,
    /// The global state: what a context gets if no rung above answers.
    pub global: Variant,
    /// The share of users that get `on`, 0 to 100 per cent; absent, the global state decides for them too.
    pub rollout: Option<Percentage>,
    /// What its buckets are drawn with, 1 to 128 characters. At first the key; answers follow from the salt alone.
    pub salt: Salt,
    /// Subjects that are pinned to a variant.
    pub overrides: Overrides,
    /// The revision of the last change of this flag: 1, 2, 3 … Decides nothing.
    pub revision: Revision,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
