//! The hash by which tables of this crate find their entries. Unlike xxHash64 it is no contract: no answer follows from it,
//! so it may be whatever is fastest.
//!
//! It folds 64-by-64-bit products, as wyhash and its successors do: the halves of a product hold every bit of both factors,
//! and one multiplication mixes sixteen bytes.

/// Odd numbers without a pattern: the first digits of the fractions of pi, in hexadecimal.
const A: u64 = 0x243F_6A88_85A3_08D3;
const B: u64 = 0x1319_8A2E_0370_7345;
const C: u64 = 0xA409_3822_299F_31D1;

/// The hash of a text.
#[inline]
pub(crate) fn table_hash(text: &str) -> u64 {
    short_table_hash(text).unwrap_or_else(|| long(text.as_bytes()))
}

/// The same hash, of a text of at most sixteen bytes: without a call.
#[inline]
pub(crate) fn short_table_hash(text: &str) -> Option<u64> {
    let (low, high) = words(text.as_bytes())?;
    Some(finish(A, low, high, text.len()))
}

#[inline]
fn finish(state: u64, low: u64, high: u64, length: usize) -> u64 {
    // Multiplied, or the length could make up for a difference of two letters.
    fold(low ^ state, high ^ B ^ (length as u64).wrapping_mul(C))
}

/// Whether two texts are equal, as far as two words show it: texts of more than sixteen bytes are left to whoever compares
/// byte by byte.
#[inline]
pub(crate) fn is_shortly_equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && words(one).is_some_and(|words_of_one| words(other) == Some(words_of_one))
}

/// A text of at most sixteen bytes as two words. Texts of one length that differ, differ in these.
#[inline]
pub(crate) fn words(bytes: &[u8]) -> Option<(u64, u64)> {
    match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        // What is read twice, where the text is no multiple of the words, does no harm: equal texts are read equally.
        (Some(first), Some(last)) => (bytes.len() <= 16).then(|| (word(first), word(last))),
        _ => Some(short(bytes)),
    }
}

/// Less than eight bytes.
#[inline]
fn short(bytes: &[u8]) -> (u64, u64) {
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)))
        }
        _ => (bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0),
    }
}

/// More than sixteen bytes: all whole pairs of words from the beginning, and the last pair from the end.
fn long(bytes: &[u8]) -> u64 {
    let (pairs, _) = bytes.as_chunks::<16>();
    let state = pairs.iter().fold(A, |state, pair| {
        let (low, high) = both(pair);
        fold(low ^ state, high ^ B)
    });
    let (low, high) = bytes.last_chunk::<16>().map_or((0, 0), both);
    finish(state, low, high, bytes.len())
}

/// Sixteen bytes as two words.
#[inline]
pub(crate) fn both(pair: &[u8; 16]) -> (u64, u64) {
    match pair.as_chunks::<8>().0 {
        [low, high] => (word(low), word(high)),
        _ => (0, 0),
    }
}

#[inline]
fn word(bytes: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*bytes)
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    #[expect(clippy::cast_possible_truncation, reason = "the halves of the product are what is meant")]
    let (low, high) = (product as u64, (product >> 64) as u64);
    low ^ high
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::format;
    use alloc::string::String;

    use super::*;

    #[test]
    fn every_byte_and_the_length_count() {
        let mut hashes = BTreeSet::new();
        let mut texts = 0;
        for length in 0..=70 {
            for changed in 0..=length {
                let text: String = (0..length).map(|at| if at == changed { 'b' } else { 'a' }).collect();
                hashes.insert(table_hash(&text));
                texts += 1;
            }
        }
        assert_eq!(hashes.len(), texts);
    }

    #[test]
    fn texts_of_at_most_sixteen_bytes_are_compared_by_two_words_and_longer_ones_are_not() {
        for length in 0..=20 {
            let text = "a".repeat(length);
            assert_eq!(is_shortly_equal(text.as_bytes(), text.as_bytes()), length <= 16, "{length}");
            assert_eq!(short_table_hash(&text), (length <= 16).then(|| table_hash(&text)), "{length}");
            for at in 0..length {
                let mut other = text.clone().into_bytes();
                other[at] = b'b';
                assert!(!is_shortly_equal(text.as_bytes(), &other), "{at} of {length}");
            }
            assert!(!is_shortly_equal(text.as_bytes(), "a".repeat(length + 1).as_bytes()));
        }
    }

    #[test]
    fn ids_that_people_use_spread_evenly_in_every_part_of_the_hash() {
        let kinds: [fn(u64) -> String; 4] = [
            |number| format!("{number}"),
            |number| format!("user-{number:07}"),
            |number| format!("{number:032x}"),
            |number| format!("name.{number}@example.com"),
        ];
        for kind in kinds {
            for shift in [0, 6, 20, 26, 32, 58] {
                let mut counts = [0_u32; 64];
                for number in 0..64_000 {
                    counts[((table_hash(&kind(number)) >> shift) % 64) as usize] += 1;
                }
                // 1,000 each with a standard deviation of 31: seven of them are not seen by chance.
                assert!(counts.iter().all(|count| (780..1_220).contains(count)), "{} {counts:?}", kind(7));
            }
        }
    }

    #[test]
    fn every_bit_of_every_byte_counts() {
        for length in 1..=70 {
            let text = "a".repeat(length);
            for at in 0..length {
                for bit in 0..7 {
                    let mut bytes = text.clone().into_bytes();
                    bytes[at] ^= 1 << bit;
                    let other = String::from_utf8(bytes).unwrap();
                    assert_ne!(table_hash(&text), table_hash(&other), "bit {bit} of byte {at} of {length}");
                }
            }
        }
    }
}
