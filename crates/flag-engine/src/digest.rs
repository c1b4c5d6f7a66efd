//! The digest of a snapshot: thirty-two bytes that are the same on every node at the same version, and differ wherever two
//! nodes do. `docs/digest.md` says which, exactly enough for another implementation.

use std::fmt;

use flag_core::{Description, Flag, Row, Snapshot, Version};
use sha2::{Digest as _, Sha256};

/// What a digest begins with: the number of this definition.
const DOMAIN: &[u8] = b"flag-digest/1";

/// The digest of a snapshot. It finds accidents: whoever can choose the rows freely can make two states of one digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `snapshot`, computed from every row.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        RowSum::of(snapshot).digest(snapshot.version())
    }

    /// The digest of these bytes, as a store kept them.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    /// Sixty-four hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The sum of the hashes of rows, modulo 2^256: rows come and go in any order, each at the price of one hash.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct RowSum {
    high: u128,
    low: u128,
}

impl RowSum {
    /// The sum of every row of `snapshot`. A million rows take about a second: not on a thread that answers requests.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        Self::default().moved(&Snapshot::default(), snapshot)
    }

    /// The sum of `to`, given that this is the sum of `from`. Takes time in proportion to what differs.
    #[must_use]
    pub fn moved(self, from: &Snapshot, to: &Snapshot) -> Self {
        let (mut sum, mut bytes) = (self, Vec::new());
        from.rows_not_in(to, |row| sum = sum.minus(hash(row, &mut bytes)));
        to.rows_not_in(from, |row| sum = sum.plus(hash(row, &mut bytes)));
        sum
    }

    /// The digest of a snapshot at `version` whose rows have this sum.
    #[must_use]
    pub fn digest(self, version: Version) -> Digest {
        let mut hasher = Sha256::new();
        hasher.update(DOMAIN);
        hasher.update(version.epoch.0.to_be_bytes());
        hasher.update(version.revision.to_be_bytes());
        hasher.update(self.high.to_be_bytes());
        hasher.update(self.low.to_be_bytes());
        Digest(hasher.finalize().into())
    }

    fn plus(self, other: Self) -> Self {
        let (low, carry) = self.low.overflowing_add(other.low);
        Self { high: self.high.wrapping_add(other.high).wrapping_add(u128::from(carry)), low }
    }

    fn minus(self, other: Self) -> Self {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        Self { high: self.high.wrapping_sub(other.high).wrapping_sub(u128::from(borrow)), low }
    }
}

/// The hash of a row. `bytes` is scratch, so that a million rows need not allocate a million times.
fn hash(row: Row<'_>, bytes: &mut Vec<u8>) -> RowSum {
    bytes.clear();
    match row {
        Row::Flag(flag) => write_flag(flag, bytes),
        Row::Override { flag, level, pin } => {
            for text in ["override", flag.key.as_str(), level.name(), pin.subject, pin.variant.name()] {
                write(Some(text), bytes);
            }
        }
    }
    let hash: [u8; 32] = Sha256::digest(&*bytes).into();
    let [high, low] = [hash.first_chunk(), hash.last_chunk()].map(|half: Option<&[u8; 16]>| {
        // Both halves are there.
        half.map_or(0, |half| u128::from_be_bytes(*half))
    });
    RowSum { high, low }
}

fn write_flag(flag: &Flag, bytes: &mut Vec<u8>) {
    let Flag { key, description, global, rollout, salt, overrides: _, revision, created_at, updated_at } =
        flag;
    write(Some("flag"), bytes);
    write(Some(key.as_str()), bytes);
    write(description.as_ref().map(Description::as_str), bytes);
    write(Some(global.name()), bytes);
    write(rollout.map(|rollout| rollout.thousandths().to_string()).as_deref(), bytes);
    write(Some(salt.as_str()), bytes);
    write(Some(&revision.to_string()), bytes);
    write(Some(&created_at.0.to_string()), bytes);
    write(Some(&updated_at.0.to_string()), bytes);
}

/// Writes a field behind its length, so that no two rows have the same bytes. No field comes near the length of an absent one.
fn write(field: Option<&str>, bytes: &mut Vec<u8>) {
    let length = field.map_or(u32::MAX, |text| u32::try_from(text.len()).unwrap_or(u32::MAX));
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(field.unwrap_or_default().as_bytes());
}
