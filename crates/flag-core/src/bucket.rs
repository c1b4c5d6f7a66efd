//! Bucketing: from a subject and a salt to a whole number below [`BUCKETS`].
//!
//! `unit = xxh64(subject, 0)` over the UTF-8 bytes; `seed = xxh64(salt, 0)`; `hash = xxh64(unit as 8 little-endian bytes, seed)`;
//! `bucket = (hash × 100,000) >> 64` in 128-bit arithmetic. The seed is computed once per flag and the unit once per context.

use alloc::boxed::Box;
use core::fmt;

use crate::hash::xxh64;
use crate::invalid::Invalid;
use crate::names;

/// How many buckets there are: one per cent is a thousand of them.
pub const BUCKETS: u32 = 100_000;

/// The hash of a subject, independent of any flag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unit(pub(crate) u64);

impl Unit {
    /// Hashes the UTF-8 bytes of `subject`, as they are: no normalisation, no trimming.
    #[must_use]
    #[inline]
    pub fn of(subject: &str) -> Self {
        Self(xxh64(subject.as_bytes(), 0))
    }
}

/// A whole number from 0 to 99,999 that a subject has under a flag's salt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Bucket(u32);

impl Bucket {
    /// The bucket of `unit` under `salt`.
    #[must_use]
    #[inline]
    pub fn of(unit: Unit, salt: &Salt) -> Self {
        Self::under(unit, salt.seed)
    }

    /// The bucket of `unit` under the salt that has this seed.
    #[inline]
    pub(crate) fn under(unit: Unit, seed: u64) -> Self {
        let hash = xxh64(&unit.0.to_le_bytes(), seed);
        let bucket = (u128::from(hash) * u128::from(BUCKETS)) >> 64;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the product of a 64-bit hash and BUCKETS, shifted by 64, is below BUCKETS"
        )]
        Self(bucket as u32)
    }

    /// The number itself, 0 to 99,999.
    #[must_use]
    #[inline]
    pub fn number(self) -> u32 {
        self.0
    }
}

/// What separates the buckets of one flag from those of another: 1 to 128 characters, at first the flag's key.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt {
    text: Box<str>,
    seed: u64,
}

impl Salt {
    /// The longest salt, in characters.
    pub const LIMIT: usize = 128;

    /// Takes a salt of 1 to 128 characters without control characters.
    ///
    /// # Errors
    /// [`Invalid`] says which of these does not hold.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        names::printable(text, Self::LIMIT)?;
        Ok(Self { text: text.into(), seed: xxh64(text.as_bytes(), 0) })
    }

    /// What the salt makes of the hash of every unit, computed once.
    #[inline]
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The salt as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl From<&names::FlagKey> for Salt {
    fn from(key: &names::FlagKey) -> Self {
        Self { text: key.as_str().into(), seed: xxh64(key.as_str().as_bytes(), 0) }
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Salt({:?})", self.text)
    }
}
