//! A key in a run of fixed length, so that it can lie among others and be compared without a look elsewhere.

use crate::table_hash::{both, words};

/// A key of at most 31 bytes, or the note that it is longer.
#[derive(Clone)]
pub(crate) struct ShortKey {
    /// All of a key of at most sixteen bytes, or the first sixteen.
    words: (u64, u64),
    /// [`TOO_LONG`](Self::TOO_LONG) if there is more of it than fits.
    length: u8,
    /// What comes behind the first sixteen.
    rest: [u8; Self::LIMIT - Self::WORDS],
}

impl ShortKey {
    /// As many bytes as fill a cache line together with what else an evaluation needs.
    const LIMIT: usize = 31;
    /// How many bytes two words hold.
    const WORDS: usize = 16;
    /// No length of which two words show anything, so that nobody mistakes it for one.
    const TOO_LONG: u8 = u8::MAX;

    pub(crate) fn of(key: &str) -> Self {
        let mut short = Self { words: (0, 0), length: Self::TOO_LONG, rest: [0; Self::LIMIT - Self::WORDS] };
        let Some((words, rest)) = split(key.as_bytes()) else { return short };
        if let (Some(room), Ok(length)) = (short.rest.get_mut(..rest.len()), u8::try_from(key.len())) {
            room.copy_from_slice(rest);
            (short.words, short.length) = (words, length);
        }
        short
    }

    /// Whether this is `key`, as far as two words show it: those of more than sixteen bytes are left to [`is`](Self::is).
    #[inline]
    pub(crate) fn is_shortly(&self, key: &[u8]) -> bool {
        usize::from(self.length) == key.len() && words(key) == Some(self.words)
    }

    /// Whether this is `key`; nothing if it is too long to tell.
    pub(crate) fn is(&self, key: &str) -> Option<bool> {
        if self.length == Self::TOO_LONG {
            return None;
        }
        let is_as_long = usize::from(self.length) == key.len();
        let same = |(words, rest): ((u64, u64), &[u8])| {
            words == self.words && self.rest.get(..rest.len()) == Some(rest)
        };
        Some(is_as_long && split(key.as_bytes()).is_some_and(same))
    }
}

/// The words of a key, and what comes behind them.
fn split(key: &[u8]) -> Option<((u64, u64), &[u8])> {
    match key.split_first_chunk::<{ ShortKey::WORDS }>() {
        Some((first, rest)) => Some((both(first), rest)),
        None => Some((words(key)?, &[])),
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    #[test]
    fn keys_of_up_to_31_bytes_are_told_from_every_other() {
        let letters: String = ('a'..='z').chain('A'..='Z').collect();
        for length in 1..=40 {
            let key = &letters[..length];
            let short = ShortKey::of(key);
            assert_eq!(short.is(key), (length <= 31).then_some(true), "{length}");
            assert_eq!(short.is_shortly(key.as_bytes()), length <= 16, "{length}");
            for place in 0..length {
                let mut other = String::from(key);
                other.replace_range(place..=place, "_");
                assert_eq!(short.is(&other), (length <= 31).then_some(false), "{length} {place}");
                assert!(!short.is_shortly(other.as_bytes()), "{length} {place}");
            }
            for other in [&letters[..length - 1], &letters[..length + 1], "", &"a".repeat(255)] {
                assert_eq!(short.is(other), (length <= 31).then_some(false), "{length}");
                assert!(!short.is_shortly(other.as_bytes()), "{length}");
            }
        }
    }
}
