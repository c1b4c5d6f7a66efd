//! Bucketings and hashes as they are found in the wild, each wrong in a way that a check must see.

use flag_core::{BUCKETS, Bucket, Salt, Unit, xxh64};

/// A name, the bucket of an id under a salt, and a check.
type Bucketing = (&'static str, fn(&str, &str) -> u32, &'static str);

/// A name, and the hash of bytes.
type Hash = (&'static str, fn(&[u8]) -> u64);

/// Each with the check that must catch it. Others may, too.
pub(super) const BUCKETINGS: [Bucketing; 9] = [
    // A hundred buckets cannot hold a tenth of one per cent.
    ("modulo 100 of a good hash", |id, salt| (right_hash(id, salt) % 100) as u32 * 1_000, "each bucket"),
    ("modulo 100 of the number itself", |id, _| (number(id) % 100) as u32 * 1_000, "each bucket"),
    // More even than chance, and in step with the order in which users came.
    ("modulo of the number itself", |id, _| (number(id) % u64::from(BUCKETS)) as u32, "each per cent"),
    // Every flag experiments on the same users.
    ("no salt", |id, _| right(id, ""), "versions"),
    // The salt moves all users together.
    ("the salt added behind the hash", |id, salt| (right(id, "") + right("", salt)) % BUCKETS, "versions"),
    ("the salt by its length only", |id, salt| right(id, &"s".repeat(salt.len())), "letters"),
    // 65,536 values for 100,000 buckets.
    ("sixteen bits of the hash", |id, salt| scaled((right_hash(id, salt) >> 48) << 48), "each bucket"),
    // One in fifty of the upper half goes to the lower.
    ("a bias of one per cent", biased, "each per cent"),
    (
        "a sum of bytes",
        |id, salt| (sum(id.as_bytes()) + sum(salt.as_bytes())) as u32 % BUCKETS,
        "one flipped bit",
    ),
];

/// None of these lets each bit of its input reach each bit of its output.
pub(super) const HASHES: [Hash; 4] = [
    ("a sum of bytes", sum),
    ("FNV-1a without a finish", |bytes| {
        bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
        })
    }),
    ("polynomial of 31", |bytes| {
        bytes.iter().fold(0, |hash: u64, byte| hash.wrapping_mul(31).wrapping_add(u64::from(*byte)))
    }),
    // One bit of the input is not read.
    ("a good hash that ignores case", |bytes| {
        xxh64(&bytes.iter().map(|byte| byte & !0x20).collect::<Vec<u8>>(), 0)
    }),
];

fn number(id: &str) -> u64 {
    id.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(10).wrapping_add(u64::from(byte.wrapping_sub(b'0'))))
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte)).sum()
}

fn right_hash(id: &str, salt: &str) -> u64 {
    xxh64(&xxh64(id.as_bytes(), 0).to_le_bytes(), xxh64(salt.as_bytes(), 0))
}

fn scaled(hash: u64) -> u32 {
    ((u128::from(hash) * u128::from(BUCKETS)) >> 64) as u32
}

fn right(id: &str, salt: &str) -> u32 {
    if salt.is_empty() {
        scaled(right_hash(id, salt))
    } else {
        Bucket::of(Unit::of(id), &Salt::parse(salt).unwrap()).number()
    }
}

fn biased(id: &str, salt: &str) -> u32 {
    let bucket = right(id, salt);
    let moves = bucket >= BUCKETS / 2 && right_hash(id, salt).is_multiple_of(50);
    if moves { bucket - BUCKETS / 2 } else { bucket }
}
