//! Hashing and bucketing against the reference crate, and the laws of rollouts.

use flag_core::{BUCKETS, Bucket, Percentage, Salt, Unit, xxh64};
use proptest::prelude::*;

proptest! {
    #[test]
    fn our_hash_is_the_reference_hash(bytes in prop::collection::vec(any::<u8>(), 0..300), seed: u64) {
        for start in 0..bytes.len().min(9) {
            prop_assert_eq!(xxh64(&bytes[start..], seed), xxhash_rust::xxh64::xxh64(&bytes[start..], seed));
        }
        prop_assert_eq!(xxh64(&bytes, seed), xxhash_rust::xxh64::xxh64(&bytes, seed));
    }

    #[test]
    fn a_bucket_is_below_the_number_of_buckets(subject: String, salt in "[a-z]{1,20}") {
        prop_assert!(Bucket::of(Unit::of(&subject), &Salt::parse(&salt).unwrap()).number() < BUCKETS);
    }

    #[test]
    fn raising_the_percentage_never_removes_anyone(
        subject: String, salt in "[a-z]{1,20}", low in 0..=BUCKETS, high in 0..=BUCKETS,
    ) {
        let bucket = Bucket::of(Unit::of(&subject), &Salt::parse(&salt).unwrap());
        let share = |thousandths| Percentage::from_thousandths(thousandths).unwrap();
        let (low, high) = (share(low.min(high)), share(low.max(high)));
        prop_assert!(!low.holds(bucket) || high.holds(bucket));
        prop_assert!(!Percentage::NONE.holds(bucket));
        prop_assert!(Percentage::ALL.holds(bucket));
    }
}

#[test]
fn our_hash_is_the_reference_hash_at_every_length_and_alignment() {
    // Bytes that differ from place to place and fill all their bits.
    let bytes: Vec<u8> = (0..400_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let seeds = [0, 1, u64::from(u32::MAX), 1 << 63, 0x9E37_79B1_85EB_CA87, u64::MAX];
    for length in 0..=300 {
        for start in 0..64 {
            let input = &bytes[start..start + length];
            for seed in seeds {
                let expected = xxhash_rust::xxh64::xxh64(input, seed);
                assert_eq!(xxh64(input, seed), expected, "{length} bytes from {start}, seed {seed:#x}");
            }
        }
    }
}

#[test]
fn the_hash_is_that_of_the_specification() {
    let rows: [(&[u8], u64, u64); 3] = [
        (b"", 0, 0xEF46_DB37_51D8_E999),
        (b"a", 0, 0xD24E_C4F1_A98C_6E5B),
        (b"abc", 0, 0x44BC_2CF5_AD77_0999),
    ];
    for (input, seed, expected) in rows {
        assert_eq!(xxh64(input, seed), expected, "{input:?}");
    }
}

/// These numbers may never change: a user who moves to another bucket sees features come and go.
#[test]
fn known_subjects_stay_in_their_buckets() {
    let rows = [("user123", "new_dashboard"), ("", "a"), ("ü", "checkout-v2"), ("👩‍👩‍👧", "x")];
    for (subject, salt) in rows {
        let unit = xxhash_rust::xxh64::xxh64(subject.as_bytes(), 0);
        let seed = xxhash_rust::xxh64::xxh64(salt.as_bytes(), 0);
        let hash = xxhash_rust::xxh64::xxh64(&unit.to_le_bytes(), seed);
        let expected = (u128::from(hash) * 100_000 / (1u128 << 64)) as u32;
        assert_eq!(Bucket::of(Unit::of(subject), &Salt::parse(salt).unwrap()).number(), expected);
    }
    let bucket = |subject, salt| Bucket::of(Unit::of(subject), &Salt::parse(salt).unwrap()).number();
    assert_eq!(bucket("user123", "new_dashboard"), 21_938);
}
