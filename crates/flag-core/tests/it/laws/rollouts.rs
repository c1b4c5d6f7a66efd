//! Laws of rollouts: who is in, and that only those move whom a change of the percentage must move.

use flag_core::testing::{Asker, contexts, flags, keys, percentages, salts};
use flag_core::{BUCKETS, Bucket, Flag, Percentage, Salt, Source, Unit};
use proptest::option;
use proptest::prelude::*;

use super::answer;

fn rolled(flag: &Flag, share: Percentage) -> Flag {
    Flag { rollout: Some(share), ..flag.clone() }
}

proptest! {
    #[test]
    fn raising_a_percentage_never_removes_anyone_and_lowering_never_adds_anyone(
        flag in flags(), (one, other) in (percentages(), percentages()), asker in contexts(),
    ) {
        let (low, high) = (answer(&rolled(&flag, one.min(other)), &asker), answer(&rolled(&flag, one.max(other)), &asker));
        // Read from left to right it is the first half of the law, from right to left the second.
        prop_assert!(!low.enabled() || high.enabled());
        prop_assert_eq!(low.source, high.source);
    }

    #[test]
    fn moving_a_percentage_moves_only_those_whose_buckets_lie_between(
        flag in flags(), (one, other) in (percentages(), percentages()), asker in contexts(),
    ) {
        let (low, high) = (one.min(other), one.max(other));
        let moves = answer(&rolled(&flag, low), &asker) != answer(&rolled(&flag, high), &asker);
        let user = asker.user.clone().unwrap_or_default();
        let bucket = Bucket::of(Unit::of(&user), &flag.salt).number();
        let between = (low.thousandths()..high.thousandths()).contains(&bucket);
        let decides = answer(&rolled(&flag, low), &asker).source == Source::PercentageRollout;
        prop_assert_eq!(moves, between && decides);
    }

    #[test]
    fn a_rollout_holds_a_user_from_one_thousandth_above_the_users_bucket(flag in flags(), asker in contexts()) {
        let bucket = Bucket::of(Unit::of(&asker.user.clone().unwrap_or_default()), &flag.salt).number();
        let share = |thousandths| Percentage::from_thousandths(thousandths).unwrap();
        let (below, above) = (answer(&rolled(&flag, share(bucket)), &asker), answer(&rolled(&flag, share(bucket + 1)), &asker));
        if below.source == Source::PercentageRollout {
            prop_assert_eq!((below.enabled(), above.enabled()), (false, true));
        } else {
            prop_assert_eq!(below, above);
        }
    }

    #[test]
    fn nobody_is_in_a_rollout_of_0_and_everybody_in_one_of_100(flag in flags(), asker in contexts()) {
        for (share, enabled) in [(Percentage::NONE, false), (Percentage::ALL, true)] {
            let found = answer(&rolled(&flag, share), &asker);
            prop_assert!(found.source != Source::PercentageRollout || found.enabled() == enabled);
            // Who has no user is asked for the global state.
            prop_assert!(found.source != Source::GlobalDefault || found.variant == flag.global);
        }
    }

    #[test]
    fn who_has_no_user_is_answered_as_if_there_were_no_rollout(
        flag in flags(), share in percentages(), asker in contexts(), user in option::of(Just(String::new())),
    ) {
        let asker = Asker { user, ..asker };
        let without = Flag { rollout: None, ..flag.clone() };
        prop_assert_eq!(answer(&rolled(&flag, share), &asker), answer(&without, &asker));
    }

    #[test]
    fn flags_with_the_same_salt_hold_the_same_users(
        salt in salts(), (one, other) in (keys(), keys()), share in percentages(), flag in flags(), asker in contexts(),
    ) {
        let of = |key| Flag { key, salt: Salt::parse(salt.as_str()).unwrap(), ..rolled(&flag, share) };
        prop_assert_eq!(answer(&of(one), &asker), answer(&of(other), &asker));
    }

    #[test]
    fn a_flag_starts_with_the_buckets_of_its_key(key in keys(), asker in contexts()) {
        let unit = Unit::of(&asker.user.unwrap_or_default());
        prop_assert_eq!(Bucket::of(unit, &Salt::from(&key)), Bucket::of(unit, &Salt::parse(key.as_str()).unwrap()));
    }
}

/// How many users the laws below look at. They are always the same, so that a law which holds once holds always; were they
/// drawn anew, one of the 124 shares would be more than five deviations off in one run of 14,000.
const POPULATION: u32 = 100_000;

/// Salts as people have them, some nearly alike.
const SALTS: [&str; 8] = [
    "new_dashboard",
    "new-dashboard",
    "checkout-v1",
    "checkout-v2",
    "a",
    "b",
    "payments.refund.instant",
    "ü",
];

fn units() -> Vec<Unit> {
    (0..POPULATION).map(|number| Unit::of(&format!("user{number}"))).collect()
}

/// Whether `count` out of the population is what a chance of `thousandths` gives each, within five standard deviations.
#[track_caller]
fn assert_share(count: usize, thousandths: f64, what: &str) {
    let (population, chance) = (f64::from(POPULATION), thousandths / f64::from(BUCKETS));
    let deviation = (population * chance * (1.0 - chance)).sqrt();
    let off = (count as f64 - population * chance) / deviation;
    assert!(off.abs() <= 5.0, "{what}: {count} of {POPULATION} is {off:.1} deviations off");
}

#[test]
fn of_a_large_population_nobody_is_in_0_and_everybody_in_100() {
    let units = units();
    let mut ends = [0, 0];
    for salt in SALTS.map(|salt| Salt::parse(salt).unwrap()) {
        for bucket in units.iter().map(|unit| Bucket::of(*unit, &salt)) {
            assert!(!Percentage::NONE.holds(bucket) && Percentage::ALL.holds(bucket), "{bucket:?}");
            ends[0] += u32::from(bucket.number() == 0);
            ends[1] += u32::from(bucket.number() == BUCKETS - 1);
        }
    }
    assert!(ends[0] > 0 && ends[1] > 0, "nobody was near an end, where it could have gone wrong: {ends:?}");
}

#[test]
fn a_rollout_of_p_per_cent_holds_p_per_cent_of_a_large_population() {
    let units = units();
    for salt in SALTS.map(|salt| Salt::parse(salt).unwrap()) {
        for share in ["0.1", "1", "5", "10", "25", "33.333", "50", "66.667", "75", "90", "99", "99.9"] {
            let percentage: Percentage = share.parse().unwrap();
            let held = units.iter().filter(|unit| percentage.holds(Bucket::of(**unit, &salt))).count();
            assert_share(held, f64::from(percentage.thousandths()), &format!("{share} % of {salt:?}"));
        }
    }
}

#[test]
fn flags_with_different_salts_choose_independently() {
    let units = units();
    let half: Percentage = "50".parse().unwrap();
    let chosen = SALTS.map(|salt| {
        let salt = Salt::parse(salt).unwrap();
        units.iter().map(|unit| half.holds(Bucket::of(*unit, &salt))).collect::<Vec<bool>>()
    });
    for (at, one) in chosen.iter().enumerate() {
        for (other, salt) in chosen.iter().zip(SALTS).skip(at + 1) {
            let both = one.iter().zip(other).filter(|(one, other)| **one && **other).count();
            assert_share(both, 25_000.0, &format!("the users that {} and {salt} share", SALTS[at]));
        }
    }
}
