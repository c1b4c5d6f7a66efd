//! The bytes of a key in a run of fixed length, so that they can lie among others and be compared without a look elsewhere.

use crate::names::FlagKey;

/// A key of at most 31 bytes, or the note that it is longer.
#[derive(Clone)]
pub(crate) struct ShortKey {
    /// 0 if it is longer.
    length: u8,
    bytes: [u8; Self::LIMIT],
}

impl ShortKey {
    /// As many as fill a cache line together with what else an evaluation needs.
    const LIMIT: usize = 31;

    pub(crate) fn of(key: &FlagKey) -> Self {
        let key = key.as_str().as_bytes();
        let mut short = Self { length: 0, bytes: [0; Self::LIMIT] };
        if let (Some(bytes), Ok(length)) = (short.bytes.get_mut(..key.len()), u8::try_from(key.len())) {
            bytes.copy_from_slice(key);
            short.length = length;
        }
        short
    }

    /// The bytes, unless they are too many.
    #[inline]
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        self.bytes.get(..usize::from(self.length)).filter(|bytes| !bytes.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_up_to_31_bytes_are_short() {
        for (length, is_short) in [(1, true), (16, true), (31, true), (32, false), (128, false)] {
            let key: FlagKey = "k".repeat(length).parse().unwrap();
            let expected = is_short.then_some(key.as_str().as_bytes());
            assert_eq!(ShortKey::of(&key).bytes(), expected, "{length}");
        }
    }
}
