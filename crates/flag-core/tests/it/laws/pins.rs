//! Laws of overrides: they win, in their order, and leave no trace when they go.

use flag_core::testing::{Asker, contexts, flags, levels, subjects, variants};
use flag_core::{Change, Entry, Evaluation, Flag, Level, Source, SubjectId, Variant};
use proptest::prelude::*;

use super::{alone, answer};

fn source(level: Level) -> Source {
    match level {
        Level::User => Source::UserOverride,
        Level::Group => Source::GroupOverride,
        Level::Region => Source::RegionOverride,
    }
}

/// The asker, who now is of this subject.
fn being(asker: Asker, level: Level, subject: &SubjectId) -> Asker {
    let id = Some(subject.as_str().to_owned());
    match level {
        Level::User => Asker { user: id, ..asker },
        Level::Group => Asker { group: id, ..asker },
        Level::Region => Asker { region: id, ..asker },
    }
}

/// Without the pins above `level`.
fn cleared_above(mut flag: Flag, level: Level) -> Flag {
    for above in Level::ALL.into_iter().filter(|above| *above < level) {
        let ids: Vec<String> = flag.overrides.iter(above).map(|pin| pin.subject.to_owned()).collect();
        for id in ids {
            flag.overrides.remove(above, &id);
        }
    }
    flag
}

/// Two levels, the one that wins first.
fn levels_apart() -> impl Strategy<Value = (Level, Level)> {
    let [user, group, region] = Level::ALL;
    prop::sample::select(vec![(user, group), (user, region), (group, region)])
}

fn pinned(flag: &Flag, level: Level, subject: &SubjectId, variant: Variant) -> Flag {
    let mut flag = flag.clone();
    flag.overrides.set(level, subject, variant);
    flag
}

proptest! {
    #[test]
    fn an_override_wins_whatever_lies_below(
        flag in flags(), level in levels(), subject in subjects(), variant in variants(), asker in contexts(),
    ) {
        let flag = pinned(&cleared_above(flag, level), level, &subject, variant);
        let expected = Evaluation { variant, source: source(level) };
        prop_assert_eq!(answer(&flag, &being(asker, level, &subject)), expected);
    }

    #[test]
    fn an_override_yields_to_one_of_a_level_above(
        flag in flags(), (above, below) in levels_apart(), (high, low) in (subjects(), subjects()),
        variant in variants(), asker in contexts(),
    ) {
        let flag = pinned(&cleared_above(flag, above), above, &high, variant);
        let opposite = if variant == Variant::ON { Variant::OFF } else { Variant::ON };
        let flag = pinned(&flag, below, &low, opposite);
        let asker = being(being(asker, above, &high), below, &low);
        prop_assert_eq!(answer(&flag, &asker), Evaluation { variant, source: source(above) });
    }

    #[test]
    fn an_override_concerns_nobody_else(
        flag in flags(), level in levels(), subject in subjects(), variant in variants(), asker in contexts(),
    ) {
        prop_assume!(being(asker.clone(), level, &subject) != asker);
        prop_assert_eq!(answer(&pinned(&flag, level, &subject, variant), &asker), answer(&flag, &asker));
    }

    #[test]
    fn removing_an_override_restores_exactly_what_was(
        flag in flags(), level in levels(), subject in subjects(), variant in variants(), asker in contexts(),
    ) {
        prop_assume!(flag.overrides.get(level, subject.as_str()).is_none());
        let mut after = pinned(&flag, level, &subject, variant);
        prop_assert_eq!(after.overrides.get(level, subject.as_str()), Some(variant));
        prop_assert_eq!(after.overrides.remove(level, subject.as_str()), Some(variant));
        prop_assert_eq!(&after, &flag);
        for asker in [being(asker.clone(), level, &subject), asker] {
            prop_assert_eq!(answer(&after, &asker), answer(&flag, &asker));
        }
    }

    #[test]
    fn setting_and_removing_by_changes_restores_exactly_what_was(
        flag in flags(), level in levels(), subject in subjects(), variant in variants(), asker in contexts(),
    ) {
        prop_assume!(flag.overrides.get(level, subject.as_str()).is_none());
        let (key, before) = (flag.key.clone(), alone(&flag));
        let set = Change::OverrideSet { key: key.clone(), level, subject: subject.clone(), variant };
        let after = before.replay(&[Entry::next(&before, set)]).unwrap();
        let removed = Change::OverrideRemoved { key: key.clone(), level, subject: subject.clone() };
        let after = after.replay(&[Entry::next(&after, removed)]).unwrap();
        prop_assert_eq!(&after.flag(key.as_str()).unwrap().overrides, &flag.overrides);
        let asker = being(asker, level, &subject);
        prop_assert_eq!(after.evaluate(key.as_str(), &asker.context()), Some(answer(&flag, &asker)));
    }
}
