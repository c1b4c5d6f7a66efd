//! The table of scenarios: what is broken, what must hold, and the bugs that each is there to catch.

use std::pin::Pin;

use anyhow::Result;

use crate::mutant::Mutant;
use crate::site::Bench;
use crate::verdict::Figures;

mod commits;
mod convoy;
mod corrupted;
mod crashes;
mod dark;
mod fills;
mod flapping;
mod flushed;
mod frozen;
mod full;
mod herd;
mod killed;
mod memory;
mod migrations;
mod mounted;
mod pooler;
mod readers;
mod restored;
mod rolling;
mod routes;
mod silence;
mod torn;

/// One way of breaking things, and what must hold all the same.
pub(crate) struct Scenario {
    /// What it is called on the command line: its number and a word.
    pub(crate) name: &'static str,
    /// What is done, and what must hold.
    pub(crate) sentence: &'static str,
    /// The bound, as it is judged in a long run.
    pub(crate) target: &'static str,
    pub(crate) run: fn(Bench) -> Outcome,
    pub(crate) mutants: &'static [Mutant],
}

/// How a scenario ends.
pub(crate) type Outcome = Pin<Box<dyn Future<Output = Result<Figures>> + Send>>;

/// Every scenario, in the order of their numbers.
pub(crate) const ALL: &[Scenario] = &[
    commits::SCENARIO,
    routes::SCENARIO,
    fills::SCENARIO,
    flushed::SCENARIO,
    herd::SCENARIO,
    flapping::SCENARIO,
    pooler::SCENARIO,
    convoy::SCENARIO,
    silence::SCENARIO,
    readers::SCENARIO,
    crashes::SCENARIO,
    corrupted::SCENARIO,
    torn::SCENARIO,
    rolling::SCENARIO,
    memory::SCENARIO,
    frozen::SCENARIO,
    dark::SCENARIO,
    restored::SCENARIO,
    full::SCENARIO,
    mounted::SCENARIO,
    migrations::SCENARIO,
    killed::SCENARIO,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbers_and_words_in_order() {
        let names: Vec<&str> = ALL.iter().map(|scenario| scenario.name).collect();
        assert!(names.is_sorted() && names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        for name in names {
            let (number, word) = name.split_once('-').unwrap();
            assert!(number.len() == 3 && number.starts_with('T') && !word.is_empty(), "{name}");
        }
    }
}
