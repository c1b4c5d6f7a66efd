//! flag-core, asked through its public interface.

use std::hint::black_box;

use flag_core::{Change, Context, Entry, FlagKey, Level, Percentage, Snapshot, SubjectId, Variant};

use crate::{
    engine::Engine,
    scenario::{Flag, Rungs},
};

pub struct Ours(Snapshot);

impl Engine for Ours {
    type Context = Context<'static>;

    fn with_flags(flags: &[Flag]) -> Self {
        let made: Vec<_> = flags.iter().map(made).collect();
        Self(Snapshot::new(Default::default(), made))
    }

    fn context(user: &'static str) -> Self::Context {
        Context::new().user(user)
    }

    fn is_on(&mut self, key: &'static str, context: &mut Self::Context) -> bool {
        black_box(self.0.evaluate(key, context)).is_some_and(|answer| answer.enabled())
    }

    fn count_on(&mut self, _: &[&'static str], context: &mut Self::Context) -> usize {
        self.0.evaluate_all(context).map(|(_, answer)| usize::from(black_box(answer).enabled())).sum()
    }
}

fn made(flag: &Flag) -> flag_core::Flag {
    let key: FlagKey = flag.key.parse().expect("the keys of the scenarios are valid");
    let (global, rollout) = match flag.rungs {
        Rungs::On => (Variant::ON, None),
        Rungs::Off | Rungs::Pinned(_) => (Variant::OFF, None),
        Rungs::Rollout(percent) => {
            let share = Percentage::from_thousandths(percent * 1_000).expect("at most 100 %");
            (Variant::OFF, Some(share))
        }
    };
    let change = Change::FlagCreated { key, description: None, global, rollout };
    let empty = Snapshot::default();
    let snapshot = empty.with(&Entry::next(&empty, change)).expect("a new flag can be created");
    let mut made = snapshot.flag(flag.key).expect("it was just created").clone();
    if let Rungs::Pinned(users) = &flag.rungs {
        for user in users {
            let user = SubjectId::parse(user).expect("the ids of the scenarios are valid");
            made.overrides.set(Level::User, &user, Variant::ON);
        }
    }
    made
}
