//! xxHash64, written out: which users a rollout holds follows from this function, so no upgrade of a dependency may touch it.
//!
//! Source: the xxHash specification, version 0.1.1, section "XXH64 algorithm description". A property test holds it equal to
//! the `xxhash-rust` crate.

const PRIME_1: u64 = 0x9E37_79B1_85EB_CA87;
const PRIME_2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const PRIME_3: u64 = 0x1656_67B1_9E37_79F9;
const PRIME_4: u64 = 0x85EB_CA77_C2B2_AE63;
const PRIME_5: u64 = 0x27D4_EB2F_1656_67C5;

/// The 64-bit xxHash of `input`, which may have any length, under any `seed`.
#[must_use]
#[inline]
pub fn xxh64(input: &[u8], seed: u64) -> u64 {
    let (stripes, rest) = input.as_chunks::<32>();
    let start = if stripes.is_empty() { seed.wrapping_add(PRIME_5) } else { digest_stripes(stripes, seed) };
    let mut hash = start.wrapping_add(input.len() as u64);

    let (lanes, rest) = rest.as_chunks::<8>();
    for lane in lanes {
        hash = (hash ^ round(0, u64::from_le_bytes(*lane))).rotate_left(27).wrapping_mul(PRIME_1);
        hash = hash.wrapping_add(PRIME_4);
    }
    let (words, bytes) = rest.as_chunks::<4>();
    for word in words {
        hash ^= u64::from(u32::from_le_bytes(*word)).wrapping_mul(PRIME_1);
        hash = hash.rotate_left(23).wrapping_mul(PRIME_2).wrapping_add(PRIME_3);
    }
    for byte in bytes {
        hash = (hash ^ u64::from(*byte).wrapping_mul(PRIME_5)).rotate_left(11).wrapping_mul(PRIME_1);
    }
    avalanche(hash)
}

/// Folds the whole 32-byte stripes of a long input into one word. Most ids are shorter.
#[inline(never)]
fn digest_stripes(stripes: &[[u8; 32]], seed: u64) -> u64 {
    let mut a = seed.wrapping_add(PRIME_1).wrapping_add(PRIME_2);
    let mut b = seed.wrapping_add(PRIME_2);
    let mut c = seed;
    let mut d = seed.wrapping_sub(PRIME_1);
    for stripe in stripes {
        if let ([first, second, third, fourth], _) = stripe.as_chunks::<8>() {
            a = round(a, u64::from_le_bytes(*first));
            b = round(b, u64::from_le_bytes(*second));
            c = round(c, u64::from_le_bytes(*third));
            d = round(d, u64::from_le_bytes(*fourth));
        }
    }
    let sum = a.rotate_left(1).wrapping_add(b.rotate_left(7));
    let sum = sum.wrapping_add(c.rotate_left(12)).wrapping_add(d.rotate_left(18));
    [a, b, c, d]
        .into_iter()
        .fold(sum, |hash, lane| (hash ^ round(0, lane)).wrapping_mul(PRIME_1).wrapping_add(PRIME_4))
}

#[inline]
fn round(accumulator: u64, lane: u64) -> u64 {
    accumulator.wrapping_add(lane.wrapping_mul(PRIME_2)).rotate_left(31).wrapping_mul(PRIME_1)
}

#[inline]
fn avalanche(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 33)).wrapping_mul(PRIME_2);
    hash = (hash ^ (hash >> 29)).wrapping_mul(PRIME_3);
    hash ^ (hash >> 32)
}
