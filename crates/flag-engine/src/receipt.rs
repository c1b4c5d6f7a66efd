//! Receipts: what is kept of a write that bears a key, so that whoever lost the answer can ask again without writing again.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use flag_core::Snapshot;

/// How many receipts an environment keeps at most. One more is refused: to forget another early would break its promise.
pub const MOST_RECEIPTS: u32 = 100_000;
/// How long a receipt is kept, by the clock of the store.
pub const RECEIPT_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How many receipts a batch that brings new ones removes, of those whose time is over: more than it brings, so that they
/// become fewer, and few enough that nobody waits.
pub const RECEIPTS_REMOVED: u32 = 512;

/// The name that a client gives one write of its own: 1 to 128 visible ASCII characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct IdempotencyKey(String);

/// The text is too short or too long, or holds something else than visible ASCII characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("must be 1 to {} visible ASCII characters", IdempotencyKey::LIMIT)]
pub struct InvalidKey;

impl IdempotencyKey {
    /// The longest key, in characters.
    pub const LIMIT: usize = 128;

    /// Takes a key.
    ///
    /// # Errors
    /// [`InvalidKey`] if it is none.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidKey> {
        let fits = (1..=Self::LIMIT).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic);
        let text = std::str::from_utf8(text).ok().filter(|_| fits);
        text.map(|text| Self(text.to_owned())).ok_or(InvalidKey)
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What tells two requests apart that bear the same key.
pub type Fingerprint = [u8; 32];

/// Writes down the answer to a write, given the environment right after it.
pub type Answering = Arc<dyn Fn(&Snapshot) -> Vec<u8> + Send + Sync>;

/// What makes a write repeatable.
#[derive(Clone)]
pub struct Repeatable {
    /// Its name.
    pub key: IdempotencyKey,
    /// What it asks for.
    pub fingerprint: Fingerprint,
    /// How its answer is written down. What it writes means nothing to the engine and to the stores.
    pub answering: Answering,
}

impl fmt::Debug for Repeatable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repeatable").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What is kept of a write that succeeded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// The name that it bore.
    pub key: IdempotencyKey,
    /// What it asked for.
    pub fingerprint: Fingerprint,
    /// What it was answered.
    pub answer: Vec<u8>,
}

/// What a store has of the receipts that were asked for.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Receipts {
    /// Those that it has and whose time is not over.
    pub known: Vec<Receipt>,
    /// How many it keeps in all whose time is not over; it need not count beyond [`MOST_RECEIPTS`].
    pub kept: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_and_visible() {
        let longest = "k".repeat(128);
        for text in ["k", "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", "!~", &longest] {
            assert_eq!(IdempotencyKey::parse(text.as_bytes()).unwrap().as_str(), text);
        }
        for text in ["", " ", "a b", "a\n", "ü", "a\u{7f}", &"k".repeat(129)] {
            assert_eq!(IdempotencyKey::parse(text.as_bytes()), Err(InvalidKey), "{text:?}");
        }
        assert_eq!(InvalidKey.to_string(), "must be 1 to 128 visible ASCII characters");
    }
}
