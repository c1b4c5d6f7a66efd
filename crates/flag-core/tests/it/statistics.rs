//! Buckets as a statistician sees them, over a million ids of each kind that people use; and the same eyes on bucketings that
//! are wrong, to show that they see.
//!
//! The ids are always the same, so a test passes always or never. The bounds are such that of a million hash functions drawn
//! at random, one would fail: there are 28 checks (seven on each of four kinds of ids), each of which a random function fails
//! with a probability of at most 2 × 10⁻⁸, and 28 × 2 × 10⁻⁸ < 10⁻⁶. How each bound follows stands where it is computed.

mod checks;
mod ids;
mod wrong;

use flag_core::{Bucket, Salt, Unit, xxh64};

use self::checks::{avalanche, evenness, independence};
use self::ids::{COUNT, Kind};

/// What is put to the test: who gets which bucket under a salt.
type Bucketing<'a> = &'a dyn Fn(&str, &str) -> u32;

/// What a check finds wrong with a bucketing of these ids.
type Check = fn(&[String], Bucketing<'_>) -> Result<(), String>;

/// The checks of bucketings. Pairs of flags have salts as people have them, nearly alike.
const CHECKS: [(&str, Check); 6] = [
    ("each bucket", |ids, bucketing| evenness(&buckets(ids, bucketing, "checkout-v1"), 1)),
    ("each per cent", |ids, bucketing| evenness(&buckets(ids, bucketing, "checkout-v1"), 1_000)),
    ("one flipped bit", |ids, bucketing| {
        let flipped: Vec<String> = ids.iter().enumerate().map(|(turn, id)| ids::flipped(id, turn)).collect();
        independence(&buckets(ids, bucketing, "checkout-v1"), &buckets(&flipped, bucketing, "checkout-v1"))
    }),
    ("versions", |ids, bucketing| pair(ids, bucketing, "checkout-v1", "checkout-v2")),
    ("spellings", |ids, bucketing| pair(ids, bucketing, "new_dashboard", "new-dashboard")),
    ("letters", |ids, bucketing| pair(ids, bucketing, "a", "b")),
];

fn pair(ids: &[String], bucketing: Bucketing<'_>, one: &str, other: &str) -> Result<(), String> {
    independence(&buckets(ids, bucketing, one), &buckets(ids, bucketing, other))
}

fn buckets(ids: &[String], bucketing: Bucketing<'_>, salt: &str) -> Vec<u32> {
    ids.iter().map(|id| bucketing(id, salt)).collect()
}

fn ours(id: &str, salt: &str) -> u32 {
    Bucket::of(Unit::of(id), &Salt::parse(salt).unwrap()).number()
}

#[track_caller]
fn assert_sound(kind: Kind) {
    let ids = kind.ids();
    assert_eq!(ids.len(), COUNT);
    for (what, check) in CHECKS {
        assert_eq!(check(&ids, &ours), Ok(()), "{what} of {kind:?}");
    }
    assert_eq!(avalanche(&ids, |bytes| xxh64(bytes, 0)), Ok(()), "{kind:?}");
}

#[test]
fn sequential_numbers_are_spread_as_by_chance() {
    assert_sound(Kind::Number);
}

#[test]
fn uuids_are_spread_as_by_chance() {
    assert_sound(Kind::Uuid);
}

#[test]
fn mail_addresses_are_spread_as_by_chance() {
    assert_sound(Kind::Mail);
}

#[test]
fn hexadecimal_ids_are_spread_as_by_chance() {
    assert_sound(Kind::Hex);
}

#[test]
fn every_wrong_bucketing_is_caught() {
    let ids = Kind::Number.ids();
    for (name, bucketing, caught_by) in wrong::BUCKETINGS {
        let (_, check) = CHECKS.iter().find(|(check, _)| *check == caught_by).unwrap();
        assert!(check(&ids, &bucketing).is_err(), "{name} is not caught by {caught_by}");
    }
}

#[test]
fn every_hash_that_hides_a_bit_of_its_input_is_caught() {
    let ids = Kind::Mail.ids();
    for (name, hash) in wrong::HASHES {
        assert!(avalanche(&ids, hash).is_err(), "{name} is not caught");
    }
}
