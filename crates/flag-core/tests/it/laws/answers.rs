//! Laws of answers: what they follow from, and what they do not.

use flag_core::testing::{contexts, descriptions, flag, flags, keys, pins, snapshots, versions};
use flag_core::{Context, Flag, Overrides, Snapshot, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{answer, answers};

proptest! {
    #[test]
    fn the_same_flags_give_the_same_answers_in_any_order_of_insertion(
        (one, other) in vec(flags(), 1..8).prop_map(distinct).prop_flat_map(|flags| (Just(flags.clone()), Just(flags).prop_shuffle())),
        version in versions(),
        asker in contexts(),
    ) {
        let (one, other) = (Snapshot::new(version, one), Snapshot::new(version, other));
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(answers(&one, &asker), answers(&other, &asker));
    }

    #[test]
    fn the_same_pins_give_the_same_answer_in_any_order_of_insertion(
        flag in flags(),
        (one, other) in pins().prop_map(distinct_subjects).prop_flat_map(|pins| (Just(pins.clone()), Just(pins).prop_shuffle())),
        asker in contexts(),
    ) {
        let pinned = |pins: Vec<Pin>| {
            let mut overrides = Overrides::default();
            for (level, subject, variant) in pins {
                overrides.set(level, &subject, variant);
            }
            Flag { overrides, ..flag.clone() }
        };
        let (one, other) = (pinned(one), pinned(other));
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(answer(&one, &asker), answer(&other, &asker));
    }

    #[test]
    fn a_question_has_the_same_answer_however_often_it_is_asked(snapshot in snapshots(), asker in contexts()) {
        let kept = asker.context();
        for flag in snapshot.flags() {
            let key = flag.key.as_str();
            let first = snapshot.evaluate(key, &kept);
            prop_assert!(first.is_some());
            // The context knows its hashes by now; a new one, and a copy, do not or do.
            for context in [&kept, &kept.clone(), &asker.context()] {
                prop_assert_eq!(snapshot.evaluate(key, context), first);
                prop_assert_eq!(Some(flag.evaluate(context)), first);
            }
        }
    }

    #[test]
    fn all_flags_at_once_give_the_answers_of_each_alone(snapshot in snapshots(), asker in contexts()) {
        let context = asker.context();
        let all: Vec<_> = snapshot.evaluate_all(&context).collect();
        prop_assert_eq!(all.len(), snapshot.len());
        let order: Vec<_> = snapshot.flags().map(|flag| &flag.key).collect();
        prop_assert_eq!(all.iter().map(|(flag, _)| &flag.key).collect::<Vec<_>>(), order);
        for (flag, found) in all {
            prop_assert_eq!(snapshot.evaluate(flag.key.as_str(), &asker.context()), Some(found));
            prop_assert_eq!(snapshot.flag(flag.key.as_str()), Some(flag));
        }
    }

    #[test]
    fn an_answer_does_not_depend_on_what_is_told_about_a_flag(
        flag in flags(),
        key in keys(),
        description in option::of(descriptions()),
        (revision, created_at, updated_at) in any::<(u64, i64, i64)>(),
        asker in contexts(),
    ) {
        // Another key, too: only the salt counts, and that stays.
        let (created_at, updated_at) = (Timestamp(created_at), Timestamp(updated_at));
        let told = Flag { key, description, revision, created_at, updated_at, ..flag.clone() };
        prop_assert_eq!(answer(&told, &asker), answer(&flag, &asker));
    }

    #[test]
    fn an_answer_does_not_depend_on_other_flags_or_on_the_version(
        flag in flag("the-one".parse().unwrap()),
        others in vec(flags(), 0..8),
        version in versions(),
        asker in contexts(),
    ) {
        let found = answer(&flag, &asker);
        let among = Snapshot::new(version, others.into_iter().chain([flag]));
        prop_assert_eq!(among.evaluate("the-one", &asker.context()), Some(found));
    }

    #[test]
    fn an_answer_does_not_depend_on_the_order_in_which_a_context_names_its_members(
        flag in flags(),
        asker in contexts(),
    ) {
        let of = |member: &Option<String>| member.clone().unwrap_or_default();
        let (user, group, region) = (of(&asker.user), of(&asker.group), of(&asker.region));
        let found = answer(&flag, &asker);
        for context in [
            Context::new().region(&region).group(&group).user(&user),
            Context::new().group(&group).user(&user).region(&region),
            // Named twice, the last counts, also after an evaluation has hashed the first.
            asked(&flag, Context::new().user("somebody").group("other").region("else")).user(&user).group(&group).region(&region),
        ] {
            prop_assert_eq!(flag.evaluate(&context), found);
        }
    }
}

fn asked<'a>(flag: &Flag, context: Context<'a>) -> Context<'a> {
    let _ = flag.evaluate(&context);
    context
}

/// Flags with keys that differ, since of two with one key the later counts.
fn distinct(mut flags: Vec<Flag>) -> Vec<Flag> {
    flags.sort_by(|one, other| one.key.cmp(&other.key));
    flags.dedup_by(|one, other| one.key == other.key);
    flags
}

type Pin = (flag_core::Level, flag_core::SubjectId, flag_core::Variant);

fn distinct_subjects(mut pins: Vec<Pin>) -> Vec<Pin> {
    pins.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    pins.dedup_by(|one, other| (one.0, &one.1) == (other.0, &other.1));
    pins
}
