//! Laws of changes: they add up, can be undone, and touch no snapshot but the next.

use flag_core::testing::{change_sequences, changes, contexts};
use flag_core::{Applied, Change, Entry, Flag, Level, Snapshot, SubjectId, Timestamp};
use proptest::prelude::*;

use super::{answers, history};

/// The changes that bring back what was in `before`, where `change` holds.
fn undo(before: &Snapshot, change: &Change) -> Vec<Change> {
    let key = change.key().clone();
    let Some(flag) = before.flag(key.as_str()) else { return vec![Change::FlagDeleted { key }] };
    match change {
        Change::GlobalSet { .. } => vec![Change::GlobalSet { key, variant: flag.global }],
        Change::RolloutSet { .. } => vec![Change::RolloutSet { key, rollout: flag.rollout }],
        Change::OverrideSet { level, subject, .. } | Change::OverrideRemoved { level, subject, .. } => {
            let (level, subject) = (*level, subject.clone());
            vec![match flag.overrides.get(level, subject.as_str()) {
                Some(variant) => Change::OverrideSet { key, level, subject, variant },
                None => Change::OverrideRemoved { key, level, subject },
            }]
        }
        // It was deleted.
        _ => rebuilt(flag),
    }
}

/// The changes that make this flag out of nothing.
fn rebuilt(flag: &Flag) -> Vec<Change> {
    let Flag { key, description, global, rollout, overrides, .. } = flag.clone();
    let pins = Level::ALL.into_iter().flat_map(|level| overrides.iter(level).map(move |pin| (level, pin)));
    let pins = pins.map(|(level, pin)| {
        let subject = SubjectId::parse(pin.subject).unwrap();
        Change::OverrideSet { key: key.clone(), level, subject, variant: pin.variant }
    });
    [Change::FlagCreated { key: key.clone(), description, global, rollout }].into_iter().chain(pins).collect()
}

/// The flags of a snapshot without when they were changed: in the order of their keys.
fn states(snapshot: &Snapshot) -> Vec<Flag> {
    let at = Timestamp::default();
    let state = |flag: &Flag| Flag { revision: 0, created_at: at, updated_at: at, ..flag.clone() };
    let mut states: Vec<_> = snapshot.flags().map(state).collect();
    states.sort_by(|one, other| one.key.cmp(&other.key));
    states
}

proptest! {
    #[test]
    fn a_change_and_its_undo_cancel(sequence in change_sequences(40), change in changes(), asker in contexts()) {
        let (before, _) = history(sequence);
        let Ok(Applied::Changed(mut now)) = before.apply(&Entry::next(&before, change.clone())) else {
            return Ok(());
        };
        prop_assert_ne!(states(&now), states(&before));
        for back in undo(&before, &change) {
            now = now.replay(&[Entry::next(&now, back)]).unwrap();
        }
        prop_assert_eq!(states(&now), states(&before));
        prop_assert_eq!(answers(&now, &asker), answers(&before, &asker));
    }

    #[test]
    fn a_snapshot_built_change_by_change_equals_one_built_at_once(
        sequence in change_sequences(40), asker in contexts(),
    ) {
        let (step_by_step, log) = history(sequence);
        prop_assert_eq!(step_by_step.version().revision, log.len() as u64);
        let at_once = [
            Snapshot::new(step_by_step.version(), step_by_step.flags().cloned()),
            Snapshot::default().replay(&log).unwrap(),
        ];
        for at_once in at_once {
            prop_assert_eq!(&at_once, &step_by_step);
            prop_assert_eq!(answers(&at_once, &asker), answers(&step_by_step, &asker));
        }
        // Nor does it matter by which changes the flags came to be what they are.
        let (rebuilt, _) = history(step_by_step.flags().flat_map(rebuilt).collect());
        prop_assert_eq!(states(&rebuilt), states(&step_by_step));
        prop_assert_eq!(answers(&rebuilt, &asker), answers(&step_by_step, &asker));
    }

    #[test]
    fn a_log_replayed_in_two_parts_leads_where_the_whole_leads(sequence in change_sequences(30), cut in 0..31_usize) {
        let (whole, log) = history(sequence);
        let (first, second) = log.split_at(cut.min(log.len()));
        prop_assert_eq!(Snapshot::default().replay(first).unwrap().replay(second).unwrap(), whole);
    }

    #[test]
    fn changes_of_a_copy_move_no_answer_of_the_original(
        sequence in change_sequences(40), later in change_sequences(40), asker in contexts(),
    ) {
        let (original, _) = history(sequence);
        let (states, before) = (states(&original), answers(&original, &asker));
        let mut copy = original.clone();
        for change in later {
            copy = copy.with(&Entry::next(&copy, change)).unwrap_or(copy);
        }
        prop_assert_eq!(answers(&original, &asker), before);
        prop_assert_eq!(self::states(&original), states);
    }

    #[test]
    fn a_change_touches_its_own_flag_only(sequence in change_sequences(40), change in changes(), asker in contexts()) {
        let (before, _) = history(sequence);
        let Ok(after) = before.with(&Entry::next(&before, change.clone())) else { return Ok(()) };
        let others = |snapshot: &Snapshot| {
            let mut answers = answers(snapshot, &asker);
            answers.retain(|(key, _)| key != change.key().as_str());
            answers
        };
        prop_assert_eq!(others(&after), others(&before));
        for flag in before.flags().filter(|flag| flag.key != *change.key()) {
            prop_assert_eq!(after.flag(flag.key.as_str()), Some(flag));
        }
    }
}
