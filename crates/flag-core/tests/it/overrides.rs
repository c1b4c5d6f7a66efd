//! The table of overrides against a map from the standard library, and what a change of a large one costs.

use std::collections::BTreeMap;

use flag_core::{Change, Entry, Level, Overrides, Snapshot, SubjectId, Variant};
use proptest::prelude::*;

fn id(number: u32) -> SubjectId {
    SubjectId::parse(&format!("user-{number}")).unwrap()
}

fn contents(overrides: &Overrides, level: Level) -> BTreeMap<String, Variant> {
    overrides.iter(level).map(|pin| (pin.subject.to_owned(), pin.variant)).collect()
}

proptest! {
    #[test]
    fn overrides_behave_as_a_map(commands in prop::collection::vec((any::<bool>(), 0u32..700, any::<bool>()), 0..3_000)) {
        let mut overrides = Overrides::default();
        let mut model = BTreeMap::new();
        for (set, number, variant) in commands {
            let (subject, variant) = (id(number), Variant::from(variant));
            if set {
                let before = model.insert(subject.as_str().to_owned(), variant);
                prop_assert_eq!(overrides.set(Level::User, &subject, variant), before);
            } else {
                let before = model.remove(subject.as_str());
                prop_assert_eq!(overrides.remove(Level::User, subject.as_str()), before);
            }
            prop_assert_eq!(overrides.len(Level::User), model.len());
        }
        for number in 0..700 {
            let subject = id(number);
            prop_assert_eq!(overrides.get(Level::User, subject.as_str()), model.get(subject.as_str()).copied());
        }
        prop_assert_eq!(contents(&overrides, Level::User), model);
        prop_assert_eq!(overrides.len(Level::Group), 0);
    }

    #[test]
    fn a_copy_does_not_see_what_happens_to_the_original(first in 1u32..2_000, second in 0u32..2_000) {
        let mut overrides = Overrides::default();
        for number in 0..first {
            overrides.set(Level::Region, &id(number), Variant::ON);
        }
        let copy = overrides.clone();
        let before = contents(&copy, Level::Region);
        for number in 0..second {
            overrides.set(Level::Region, &id(number), Variant::OFF);
        }
        overrides.remove(Level::Region, "user-0");
        prop_assert_eq!(contents(&copy, Level::Region), before);
    }
}

#[test]
fn one_override_more_on_a_million_copies_a_small_part() {
    let mut overrides = Overrides::default();
    for count in [100_000, 1_000_000] {
        for number in overrides.len(Level::User) as u32..count {
            overrides.set(Level::User, &id(number), Variant::ON);
        }
        for number in count..count + 100 {
            let mut copy = overrides.clone();
            let spent = allocation_counter::measure(|| {
                copy.set(Level::User, &id(number), Variant::ON);
            });
            assert!(spent.bytes_total <= 64 * 1024, "copied {} bytes at {count}", spent.bytes_total);
            overrides = copy;
        }
    }
}

#[test]
fn a_million_overrides_take_the_bytes_of_their_ids_and_at_most_48_more_each() {
    let (mut overrides, mut bytes) = (Overrides::default(), 0);
    let spent = allocation_counter::measure(|| {
        for number in 0..1_000_000 {
            let id = id(number);
            bytes += id.as_str().len();
            overrides.set(Level::User, &id, Variant::ON);
        }
    });
    let more = (spent.bytes_current - i64::try_from(bytes).unwrap()) / 1_000_000;
    println!("{more} bytes each beside the id");
    assert!((16..=48).contains(&more), "{more} bytes each beside the id");
}

#[test]
fn one_change_to_ten_thousand_flags_copies_a_small_part() {
    let created = |number: u32| Change::flag_created(format!("flag-{number}").parse().unwrap(), Variant::OFF);
    let next = |flags: &Snapshot, change| flags.with(&Entry::next(flags, change)).unwrap();
    let flags = (0..10_000).map(created).fold(Snapshot::default(), |flags, change| next(&flags, change));
    for number in (0..10_000).step_by(97) {
        let key = format!("flag-{number}").parse().unwrap();
        let change = Change::GlobalSet { key, variant: Variant::ON };
        let spent = allocation_counter::measure(|| {
            std::hint::black_box(next(&flags, change));
        });
        assert!(spent.bytes_total <= 64 * 1024, "copied {} bytes", spent.bytes_total);
    }
}

#[test]
fn the_longest_ids_do_not_make_a_change_costly() {
    let long = |number: u32| SubjectId::parse(&format!("{number:0>512}")).unwrap();
    let mut overrides = Overrides::default();
    for number in 0..20_000 {
        overrides.set(Level::User, &long(number), Variant::ON);
    }
    let mut copy = overrides.clone();
    let spent = allocation_counter::measure(|| {
        copy.set(Level::User, &long(20_000), Variant::OFF);
    });
    assert!(spent.bytes_total <= 128 * 1024, "copied {} bytes", spent.bytes_total);
    assert_eq!(copy.get(Level::User, long(20_000).as_str()), Some(Variant::OFF));
    assert_eq!(overrides.get(Level::User, long(20_000).as_str()), None);
}
