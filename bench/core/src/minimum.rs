//! The hand-written minimums: for each scenario the least code that gives the answers of flag-core, with a fast hash table
//! and no model at all. What flag-core costs above these is what its model costs.

use std::hint::black_box;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};
use xxhash_rust::xxh64::xxh64;

use crate::{
    engine::Engine,
    scenario::{Flag, Rungs},
};

/// The seeds are fixed, so that every run counts the same instructions.
type Map<V> = HashMap<Box<str>, V, FixedState>;

fn map<V>(flags: &[Flag], value: impl Fn(&Flag) -> V) -> Map<V> {
    flags.iter().map(|flag| (flag.key.into(), value(flag))).collect()
}

/// The same two words that flag-core answers with: the variant, and the rung that gave it.
#[derive(Clone, Copy)]
struct Answer(bool, Rung);

#[derive(Clone, Copy)]
enum Rung {
    User,
    Rollout,
    Global,
}

impl Answer {
    /// Both words have to be there, though the loop asks for one of them only.
    fn is_on(self) -> bool {
        let Self(on, _rung) = black_box(self);
        on
    }
}

/// Scenario A: a table of states.
pub struct States(Map<bool>);

impl Engine for States {
    type Context = &'static str;

    fn with_flags(flags: &[Flag]) -> Self {
        Self(map(flags, |flag| matches!(flag.rungs, Rungs::On)))
    }

    fn context(user: &'static str) -> Self::Context {
        user
    }

    fn is_on(&mut self, key: &'static str, _: &mut Self::Context) -> bool {
        self.0.get(key).is_some_and(|on| Answer(*on, Rung::Global).is_on())
    }
}

/// What a rollout needs: the hash of the salt, and the first bucket that is out.
#[derive(Clone, Copy)]
struct Share {
    seed: u64,
    end: u64,
}

impl Share {
    fn new(key: &str, percent: u32) -> Self {
        Self { seed: xxh64(key.as_bytes(), 0), end: u64::from(percent) * 1_000 }
    }

    fn holds(self, unit: u64) -> bool {
        let hash = xxh64(&unit.to_le_bytes(), self.seed);
        (((u128::from(hash) * 100_000) >> 64) as u64) < self.end
    }
}

/// Scenario B: a table of shares, and the hash of the user.
pub struct Shares(Map<Share>);

impl Engine for Shares {
    /// The hash of the user is all that is asked for.
    type Context = u64;

    fn with_flags(flags: &[Flag]) -> Self {
        Self(map(flags, |flag| match flag.rungs {
            Rungs::Rollout(percent) => Share::new(flag.key, percent),
            _ => Share { seed: 0, end: 0 },
        }))
    }

    fn context(user: &'static str) -> Self::Context {
        xxh64(user.as_bytes(), 0)
    }

    fn is_on(&mut self, key: &'static str, unit: &mut Self::Context) -> bool {
        self.0.get(key).is_some_and(|share| Answer(share.holds(*unit), Rung::Rollout).is_on())
    }
}

/// Scenarios C and D: a table of sets.
pub struct Sets(Map<HashSet<Box<str>, FixedState>>);

impl Engine for Sets {
    type Context = &'static str;

    fn with_flags(flags: &[Flag]) -> Self {
        Self(map(flags, |flag| match &flag.rungs {
            Rungs::Pinned(users) => users.iter().map(|user| Box::from(*user)).collect(),
            _ => HashSet::default(),
        }))
    }

    fn context(user: &'static str) -> Self::Context {
        user
    }

    fn is_on(&mut self, key: &'static str, user: &mut Self::Context) -> bool {
        let Some(pinned) = self.0.get(key) else { return false };
        let answer =
            if pinned.contains(*user) { Answer(true, Rung::User) } else { Answer(false, Rung::Global) };
        answer.is_on()
    }
}

/// Ids in one run of text, found by a table of their 64-bit hashes that touches the text only on a match.
struct Hashes {
    /// At most half full, a power of two; a hash of zero is an empty place.
    places: Vec<Place>,
    text: String,
}

#[derive(Clone, Copy, Default)]
struct Place {
    hash: u64,
    start: u32,
    end: u32,
}

impl Hashes {
    fn new(users: &[&str]) -> Self {
        let mut hashes = Self {
            places: vec![Place::default(); (users.len() * 2).next_power_of_two()],
            text: String::new(),
        };
        for user in users {
            let hash = xxh64(user.as_bytes(), 0).max(1);
            let mut place = hash as usize & (hashes.places.len() - 1);
            while hashes.places[place].hash != 0 {
                place = (place + 1) & (hashes.places.len() - 1);
            }
            let start = hashes.text.len() as u32;
            hashes.text.push_str(user);
            hashes.places[place] = Place { hash, start, end: hashes.text.len() as u32 };
        }
        hashes
    }

    fn contains(&self, hash: u64, user: &str) -> bool {
        let mut place = hash as usize & (self.places.len() - 1);
        loop {
            let Place { hash: found, start, end } = self.places[place];
            if found == hash && self.text.as_bytes()[start as usize..end as usize] == *user.as_bytes() {
                return true;
            }
            if found == 0 {
                return false;
            }
            place = (place + 1) & (self.places.len() - 1);
        }
    }
}

/// Scenarios C and D in another way: a table of tables of hashes.
pub struct HashTables(Map<Hashes>);

impl Engine for HashTables {
    type Context = (u64, &'static str);

    fn with_flags(flags: &[Flag]) -> Self {
        Self(map(flags, |flag| match &flag.rungs {
            Rungs::Pinned(users) => Hashes::new(users),
            _ => Hashes::new(&[]),
        }))
    }

    fn context(user: &'static str) -> Self::Context {
        (xxh64(user.as_bytes(), 0).max(1), user)
    }

    fn is_on(&mut self, key: &'static str, (hash, user): &mut Self::Context) -> bool {
        let Some(pinned) = self.0.get(key) else { return false };
        let answer =
            if pinned.contains(*hash, user) { Answer(true, Rung::User) } else { Answer(false, Rung::Global) };
        answer.is_on()
    }
}

/// What one flag of scenario F may be.
enum Any {
    Global(bool),
    Share(Share),
    Pinned(HashSet<Box<str>, FixedState>),
}

impl Any {
    fn new(flag: &Flag) -> Self {
        match &flag.rungs {
            Rungs::On => Self::Global(true),
            Rungs::Off => Self::Global(false),
            Rungs::Rollout(percent) => Self::Share(Share::new(flag.key, *percent)),
            Rungs::Pinned(users) => Self::Pinned(users.iter().map(|user| Box::from(*user)).collect()),
        }
    }

    fn is_on(&self, user: &str, unit: impl FnOnce() -> u64) -> bool {
        match self {
            Self::Global(on) => Answer(*on, Rung::Global).is_on(),
            Self::Share(share) => Answer(share.holds(unit()), Rung::Rollout).is_on(),
            Self::Pinned(pinned) if pinned.contains(user) => Answer(true, Rung::User).is_on(),
            Self::Pinned(_) => Answer(false, Rung::Global).is_on(),
        }
    }
}

/// Scenario F: one question after the other, each looked up by its key.
pub struct OneByOne(Map<Any>);

impl Engine for OneByOne {
    type Context = &'static str;

    fn with_flags(flags: &[Flag]) -> Self {
        Self(map(flags, Any::new))
    }

    fn context(user: &'static str) -> Self::Context {
        user
    }

    fn is_on(&mut self, key: &'static str, user: &mut Self::Context) -> bool {
        self.0.get(key).is_some_and(|flag| flag.is_on(user, || xxh64(user.as_bytes(), 0)))
    }
}

/// Scenario F in another way: flags in one slice, the user hashed once.
pub struct OnePass(Vec<Any>);

impl Engine for OnePass {
    type Context = (u64, &'static str);

    fn with_flags(flags: &[Flag]) -> Self {
        Self(flags.iter().map(Any::new).collect())
    }

    fn context(user: &'static str) -> Self::Context {
        (xxh64(user.as_bytes(), 0), user)
    }

    fn is_on(&mut self, _: &'static str, _: &mut Self::Context) -> bool {
        unreachable!("it is only asked for everything")
    }

    fn count_on(&mut self, _: &[&'static str], (unit, user): &mut Self::Context) -> usize {
        self.0.iter().map(|flag| usize::from(flag.is_on(user, || *unit))).sum()
    }
}
