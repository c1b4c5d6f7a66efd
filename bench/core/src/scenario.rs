//! The scenarios: which flags there are, who is asked about, and what the answer must be.

use std::collections::HashSet;

/// A flag, in words that every evaluator can be given.
#[derive(Clone)]
pub struct Flag {
    pub key: &'static str,
    pub rungs: Rungs,
}

/// How a flag decides.
#[derive(Clone)]
pub enum Rungs {
    /// On for everybody.
    On,
    /// Off for everybody.
    Off,
    /// On for this share of the users, in per cent.
    Rollout(u32),
    /// On for these users, off for the others.
    Pinned(Vec<&'static str>),
}

/// One question: has this user the flag?
#[derive(Clone, Copy)]
pub struct Question {
    pub key: &'static str,
    pub user: &'static str,
}

/// What one question is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Breadth {
    /// The flag that the question names.
    OneFlag,
    /// Every flag of the scenario.
    EveryFlag,
}

/// Whether evaluators that look through lists take part.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Everybody,
    /// Only those whose time does not grow with the number of pinned users.
    WithoutScanners,
}

pub struct Scenario {
    pub id: &'static str,
    pub title: &'static str,
    pub flags: Vec<Flag>,
    pub questions: Vec<Question>,
    pub breadth: Breadth,
    pub field: Field,
}

/// The names of the scenarios, in the order of the report.
pub const IDS: [&str; 7] = ["A", "B", "C", "D", "D hot", "D million", "F"];

impl Scenario {
    pub fn named(id: &str) -> Option<Self> {
        Some(match id {
            "A" => plain(),
            "B" => rollout(),
            "C" => pinned("C", "20 pinned users, half of the questions hit", 20, 1_000, Field::Everybody),
            "D" => pinned(
                "D",
                "100,000 pinned users, half of the questions hit",
                100_000,
                100_000,
                Field::Everybody,
            ),
            "D hot" => {
                let title = "100,000 pinned users, the same 64 questions again and again";
                pinned("D hot", title, 100_000, 64, Field::WithoutScanners)
            }
            "D million" => {
                let title = "1,000,000 pinned users, half of the questions hit";
                pinned("D million", title, 1_000_000, 200_000, Field::WithoutScanners)
            }
            "F" => many(),
            _ => return None,
        })
    }

    pub fn keys(&self) -> Vec<&'static str> {
        self.flags.iter().map(|flag| flag.key).collect()
    }

    /// How many evaluations one question is.
    pub fn evaluations(&self) -> usize {
        match self.breadth {
            Breadth::OneFlag => 1,
            Breadth::EveryFlag => self.flags.len(),
        }
    }
}

fn plain() -> Scenario {
    let flags =
        vec![Flag { key: "plain-dark", rungs: Rungs::Off }, Flag { key: "plain-live", rungs: Rungs::On }];
    let mut chance = Chance(1);
    let key = |chance: &mut Chance| if chance.below(2) == 0 { "plain-dark" } else { "plain-live" };
    let questions = (0..1_000).map(|n| Question { key: key(&mut chance), user: user(n) }).collect();
    let title = "a plain flag, on or off, without rules";
    Scenario { id: "A", title, flags, questions, breadth: Breadth::OneFlag, field: Field::Everybody }
}

fn rollout() -> Scenario {
    let key = "new-dashboard";
    let flags = vec![Flag { key, rungs: Rungs::Rollout(25) }];
    let questions = (0..10_000).map(|n| Question { key, user: user(n) }).collect();
    let title = "a rollout of 25 % over 10,000 users";
    Scenario { id: "B", title, flags, questions, breadth: Breadth::OneFlag, field: Field::Everybody }
}

fn pinned(id: &'static str, title: &'static str, pins: u64, asked: u64, field: Field) -> Scenario {
    let key = "new-dashboard";
    let users: Vec<_> = (0..pins).map(user).collect();
    let mut chance = Chance(pins);
    let mut questions: Vec<_> =
        (0..asked).map(|n| if n % 2 == 0 { chance.below(pins) } else { pins + chance.below(pins) }).collect();
    chance.shuffle(&mut questions);
    // Made anew in the order of the questions: a service reads its ids from requests, not from the table it looks them up in.
    let questions = questions.into_iter().map(|n| Question { key, user: user(n) }).collect();
    let flags = vec![Flag { key, rungs: Rungs::Pinned(users) }];
    Scenario { id, title, flags, questions, breadth: Breadth::OneFlag, field }
}

/// Of ten flags, four are plain, four are rolled out and two have twenty pinned users.
fn many() -> Scenario {
    const USERS: u64 = 100;
    let mut chance = Chance(6);
    let flag = |n: u64, chance: &mut Chance| {
        let rungs = match n % 10 {
            0 | 1 => Rungs::Off,
            2 | 3 => Rungs::On,
            4..8 => Rungs::Rollout(1 + chance.below(99) as u32),
            _ => {
                let first = chance.below(USERS);
                Rungs::Pinned((first..first + 20).map(|n| user(n % USERS)).collect())
            }
        };
        Flag { key: leak(format!("feature-{n:04}")), rungs }
    };
    let flags: Vec<_> = (0..1_000).map(|n| flag(n, &mut chance)).collect();
    let questions = (0..64).map(|n| Question { key: "", user: user(n) }).collect();
    let title = "1,000 flags for one context, per flag";
    Scenario { id: "F", title, flags, questions, breadth: Breadth::EveryFlag, field: Field::Everybody }
}

/// What is known of the answer to a question beforehand.
pub struct Expected {
    /// Flags that are certainly on.
    pub on: usize,
    /// How many more are on in the mean, by rollouts.
    pub rolled_out: f64,
}

/// Answers of the scenario, by its definition alone.
pub fn expected(scenario: &Scenario) -> Vec<Expected> {
    let pinned: Vec<Option<HashSet<&str>>> = scenario
        .flags
        .iter()
        .map(|flag| match &flag.rungs {
            Rungs::Pinned(users) => Some(users.iter().copied().collect()),
            _ => None,
        })
        .collect();
    let ask = |question: &Question| {
        let mut expected = Expected { on: 0, rolled_out: 0.0 };
        for (flag, pinned) in scenario.flags.iter().zip(&pinned) {
            if scenario.breadth == Breadth::OneFlag && flag.key != question.key {
                continue;
            }
            match &flag.rungs {
                Rungs::Off => {}
                Rungs::On => expected.on += 1,
                Rungs::Rollout(percent) => expected.rolled_out += f64::from(*percent) / 100.0,
                Rungs::Pinned(_) => {
                    expected.on +=
                        usize::from(pinned.as_ref().is_some_and(|users| users.contains(question.user)));
                }
            }
        }
        expected
    };
    scenario.questions.iter().map(ask).collect()
}

/// The id of a user, in memory of its own.
fn user(n: u64) -> &'static str {
    leak(format!("user-{n:07}"))
}

/// Scenarios live as long as the program; so do their texts, which spares every context a lifetime.
fn leak(text: String) -> &'static str {
    text.leak()
}

/// The same chance in every run (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}
