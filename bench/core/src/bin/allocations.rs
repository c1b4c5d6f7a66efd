//! Counts the allocations of one evaluation. A program of its own, because counting them costs time.

use anyhow::{Context, Result};
use flag_bench_core::{contestant::Form, roster::entrants, scenario::Scenario};

/// Enough to show allocations that only some questions cause.
const QUESTIONS: usize = 64;

fn main() -> Result<()> {
    for id in std::env::args().skip(1) {
        let scenario = Scenario::named(&id).context("no such scenario")?;
        for form in Form::ALL {
            for entrant in entrants(&scenario) {
                let mut contestant = entrant.make(&scenario, form);
                // What is made at the first question is made once.
                contestant.run(1);
                let counted = allocation_counter::measure(|| contestant.run(QUESTIONS)).count_total;
                let each = counted as f64 / (QUESTIONS * scenario.evaluations()) as f64;
                println!("{id}\t{}\t{}\t{each}", form.name(), entrant.name);
            }
        }
    }
    Ok(())
}
