//! Strategies for [proptest](https://docs.rs/proptest) that draw flags, snapshots, changes and contexts, for the tests of
//! those who embed this crate as for its own. Only with the feature `testing`.
//!
//! Keys and ids are drawn from a few that collide, so that changes hit flags that are there and contexts name subjects that
//! are pinned; and from odd ones, so that what is careless breaks: the longest allowed, look-alikes, quotes, wildcards.
//!
//! ```
//! use flag_core::{FlagKey, testing};
//! use proptest::prelude::*;
//!
//! proptest! {
//!     // Whatever operators do to the flag, a page shows exactly one of the two checkouts.
//!     fn one_checkout_is_shown(
//!         flags in testing::snapshots_of(["new_checkout".parse::<FlagKey>().unwrap()]),
//!         asker in testing::contexts(),
//!     ) {
//!         let new = flags.evaluate("new_checkout", &asker.context()).is_some_and(|answer| answer.enabled());
//!         let page = if new { "<new-checkout>" } else { "<checkout>" };
//!         prop_assert_eq!(page.matches("checkout>").count(), 1);
//!     }
//! }
//! one_checkout_is_shown();
//! ```
#![allow(
    clippy::unwrap_used,
    reason = "only tests use this module, and a strategy that draws what is refused should stop there"
)]

mod words;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

pub use words::{descriptions, keys, levels, odd_subjects, percentages, salts, subjects, variants};

use crate::{
    Bucket, Change, Context, Epoch, Flag, FlagKey, Level, Overrides, Percentage, Salt, Snapshot, SubjectId,
    Timestamp, Unit, Variant, Version,
};

/// The members of a context, which only borrows its texts.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Asker {
    /// The user's id; empty is absent.
    pub user: Option<String>,
    /// The group's id; empty is absent.
    pub group: Option<String>,
    /// The region; empty is absent.
    pub region: Option<String>,
}

impl Asker {
    /// The context of this asker.
    #[must_use]
    pub fn context(&self) -> Context<'_> {
        // An empty member is an absent one.
        Context::new()
            .user(self.user.as_deref().unwrap_or_default())
            .group(self.group.as_deref().unwrap_or_default())
            .region(self.region.as_deref().unwrap_or_default())
    }
}

/// Contexts, whose members collide with the subjects of [`changes`] and [`flags`]; some are absent, some empty.
pub fn contexts() -> impl Strategy<Value = Asker> {
    let member = || {
        prop_oneof![
            4 => subjects().prop_map(|id| Some(id.as_str().to_string())),
            1 => Just(Some(String::new())),
            2 => Just(None),
        ]
    };
    (member(), member(), member()).prop_map(|(user, group, region)| Asker { user, group, region })
}

/// Changes of every kind. Whether they hold depends on what was before; with few keys, most often they do.
pub fn changes() -> impl Strategy<Value = Change> {
    let created = (keys(), option::of(descriptions()), variants(), option::of(percentages())).prop_map(
        |(key, description, global, rollout)| Change::FlagCreated { key, description, global, rollout },
    );
    let deleted = keys().prop_map(|key| Change::FlagDeleted { key });
    let global = (keys(), variants()).prop_map(|(key, variant)| Change::GlobalSet { key, variant });
    let rollout =
        (keys(), option::of(percentages())).prop_map(|(key, rollout)| Change::RolloutSet { key, rollout });
    let pinned = (keys(), levels(), subjects(), variants())
        .prop_map(|(key, level, subject, variant)| Change::OverrideSet { key, level, subject, variant });
    let released = (keys(), levels(), subjects()).prop_map(|(key, level, subject)| Change::OverrideRemoved {
        key,
        level,
        subject,
    });
    prop_oneof![4 => created, 2 => deleted, 2 => global, 2 => rollout, 5 => pinned, 2 => released]
}

/// Changes, one after another: 0 to `most`.
pub fn change_sequences(most: usize) -> impl Strategy<Value = Vec<Change>> {
    vec(changes(), 0..=most)
}

/// Pins, in the order in which they are set: 0 to 11. One subject may come more than once.
pub fn pins() -> impl Strategy<Value = Vec<(Level, SubjectId, Variant)>> {
    vec((levels(), subjects(), variants()), 0..12)
}

/// Flags in every state that they can be in, with keys from [`keys`].
pub fn flags() -> impl Strategy<Value = Flag> {
    keys().prop_flat_map(flag)
}

/// The flag `key` in every state that it can be in: any global state, rollout, salt and overrides. Half of the salts are the
/// key. Some rollouts end exactly at the bucket of a user whom [`contexts`] draws often.
pub fn flag(key: FlagKey) -> impl Strategy<Value = Flag> {
    let decides = (variants(), option::of(shares()), option::of(salts()));
    let told = (option::of(descriptions()), any::<u64>(), 0..4_000_000_000_000_i64);
    (decides, pins(), told).prop_map(move |((global, share, salt), pins, (description, revision, at))| {
        let salt = salt.unwrap_or_else(|| Salt::from(&key));
        let mut overrides = Overrides::default();
        for (level, subject, variant) in pins {
            overrides.set(level, &subject, variant);
        }
        Flag {
            key: key.clone(),
            description,
            global,
            rollout: share.map(|share| share.under(&salt)),
            salt,
            overrides,
            revision,
            created_at: Timestamp(at),
            updated_at: Timestamp(at + 1),
        }
    })
}

/// Snapshots of 1 to 7 [`flags`], at any version.
pub fn snapshots() -> impl Strategy<Value = Snapshot> {
    // Of two flags with one key the later counts.
    (versions(), vec(flags(), 1..8)).prop_map(|(version, flags)| Snapshot::new(version, flags))
}

/// Snapshots that hold exactly the flags of these keys, each in any state: what a service may find that asks for them.
pub fn snapshots_of(keys: impl IntoIterator<Item = FlagKey>) -> impl Strategy<Value = Snapshot> {
    let flags: Vec<_> = keys.into_iter().map(flag).collect();
    (versions(), flags).prop_map(|(version, flags)| Snapshot::new(version, flags))
}

/// Any place in any history.
pub fn versions() -> impl Strategy<Value = Version> {
    (any::<u128>(), any::<u64>()).prop_map(|(epoch, revision)| Version { epoch: Epoch(epoch), revision })
}

/// A percentage, or one at the edge of somebody's bucket, where two evaluations would differ if ever.
#[derive(Clone, Debug)]
enum Share {
    Any(Percentage),
    Edge { user: &'static str, above: u32 },
}

impl Share {
    fn under(&self, salt: &Salt) -> Percentage {
        match self {
            Self::Any(share) => *share,
            Self::Edge { user, above } => {
                let bucket = Bucket::of(Unit::of(user), salt).number();
                Percentage::from_thousandths(bucket + above).unwrap()
            }
        }
    }
}

fn shares() -> impl Strategy<Value = Share> {
    let edge = (select(words::FEW.to_vec()), 0..=1_u32).prop_map(|(user, above)| Share::Edge { user, above });
    prop_oneof![percentages().prop_map(Share::Any), edge]
}
