//! Cases of the hash: every short length, longer ones, seeds of every kind, one bit changed.

use std::fmt::Write;

use flag_core::xxh64;

use super::{
    cases::{Cases, hex, quote},
    people::Random,
};

const SEEDS: [u64; 5] = [0, 1, 0x9E37_79B1_85EB_CA87, 0x8000_0000_0000_0000, u64::MAX];

pub(super) fn file() -> String {
    let mut cases = Cases::new(
        "xxh64 of the given bytes under the given seed.",
        &[
            ("hex", "the bytes, two hexadecimal digits each"),
            ("times", "how many times these bytes stand in the input, one after the other"),
            ("seed", "the seed, sixteen hexadecimal digits"),
            ("hash", "the hash, sixteen hexadecimal digits"),
        ],
    );
    let mut add = |bytes: &[u8], times: usize, seed: u64| {
        let hash = xxh64(&bytes.repeat(times), seed);
        cases.push(&[quote(&digits(bytes)), times.to_string(), hex(seed), hex(hash)]);
    };

    let mut random = Random(2);
    for length in 0..=130 {
        let bytes = random.bytes(length);
        for seed in SEEDS {
            add(&bytes, 1, seed);
        }
    }
    for length in (131..=400).step_by(13).chain([255, 256, 257, 511, 512, 513, 1_023, 1_024, 1_025]) {
        let bytes = random.bytes(length);
        add(&bytes, 1, 0);
        add(&bytes, 1, random.next());
    }
    for byte in 0..=u8::MAX {
        add(&[byte], 1, 0);
    }
    for length in 1..=100 {
        add(&[0x00], length, 0);
        add(&[0xFF], length, 1);
    }
    for times in [1_000, 10_239, 10_240, 10_241, 65_536] {
        for seed in SEEDS {
            add(b"x", times, seed);
        }
        add(&random.bytes(33), times / 33, 0);
    }
    for length in [7, 8, 36, 64] {
        let bytes = random.bytes(length);
        for bit in 0..length * 8 {
            let mut changed = bytes.clone();
            if let Some(byte) = changed.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            // Every bit of the short ones, and a sample of the others.
            if length <= 8 || bit % 5 == 0 {
                add(&changed, 1, 0);
            }
        }
    }
    for _ in 0..300 {
        let length = random.below(64) as usize;
        let (bytes, seed) = (random.bytes(length), random.next());
        add(&bytes, 1, seed);
    }
    cases.finish()
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}
