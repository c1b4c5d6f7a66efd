//! Pure, deterministic feature flag evaluation: the words of the engine and the rules between them.
//!
//! Operators define [flags](Flag) and pin or roll them out; services ask a [`Snapshot`] what a [`Context`] gets and learn
//! which rung of the ladder answered. Nothing in this crate reads a clock, a random source, the network or the iteration
//! order of a map: the same snapshot and the same context give the same answer in every process.
//!
//! | rung | [`Source`] | answers when |
//! |---|---|---|
//! | 1 | [`UserOverride`](Source::UserOverride) | the context's user is pinned |
//! | 2 | [`GroupOverride`](Source::GroupOverride) | its group is pinned |
//! | 3 | [`RegionOverride`](Source::RegionOverride) | its region is pinned |
//! | 4 | [`PercentageRollout`](Source::PercentageRollout) | there is a rollout, and the context names a user |
//! | 5 | [`GlobalDefault`](Source::GlobalDefault) | always |
//!
//! ```
//! use flag_core::{Change, Context, Entry, FlagKey, Level, Snapshot, Source, SubjectId, Variant};
//!
//! let key: FlagKey = "new_dashboard".parse()?;
//! let mut flags = Snapshot::default();
//! for change in [
//!     Change::flag_created(key.clone(), Variant::OFF),
//!     Change::OverrideSet {
//!         key,
//!         level: Level::Group,
//!         subject: SubjectId::parse("beta")?,
//!         variant: Variant::ON,
//!     },
//! ] {
//!     flags = flags.with(&Entry::next(&flags, change))?;
//! }
//!
//! let context = Context::new().user("user123").group("beta").region("IN");
//! let answer = flags.evaluate("new_dashboard", &context).ok_or("no such flag")?;
//! assert!(answer.enabled());
//! assert_eq!(answer.source, Source::GroupOverride);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]

extern crate alloc;

mod algorithm;
mod bucket;
mod change;
mod context;
mod difference;
mod evaluate;
mod flag;
mod hash;
mod invalid;
mod names;
mod overrides;
mod percentage;
mod pins;
mod quarantine;
mod short_key;
mod slots;
mod snapshot;
mod table_hash;
#[cfg(feature = "testing")]
pub mod testing;
mod trie;
mod variant;

pub use algorithm::ALGORITHM;
pub use bucket::{BUCKETS, Bucket, Salt, Unit};
pub use change::{Applied, Change, Entry, Rejection, Timestamp};
pub use context::Context;
pub use difference::Row;
pub use evaluate::{Evaluation, Source};
pub use flag::Flag;
pub use hash::xxh64;
pub use invalid::Invalid;
pub use names::{Author, Description, FlagKey, SubjectId};
pub use overrides::{Level, Override, Overrides};
pub use percentage::Percentage;
pub use quarantine::Quarantine;
pub use snapshot::{Epoch, Revision, Snapshot, Version};
pub use variant::Variant;

/// Runs the code in the readme.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
