//! Instructions of one evaluation, counted by callgrind: a number that does not depend on what else the machine does.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::{
    contestant::Form,
    roster::{Role, entrants},
    scenario::{IDS, Scenario},
};

/// Instructions of one evaluation of one contestant.
pub struct Count {
    pub scenario: &'static str,
    pub form: Form,
    pub name: &'static str,
    pub instructions: f64,
}

/// Counts flag-core and the minimums in every scenario whose setting up does not take too long under an emulator.
pub fn count() -> Result<Vec<Count>> {
    let mut counts = Vec::new();
    for scenario in IDS.into_iter().filter(|id| *id != "D million").filter_map(Scenario::named) {
        for form in Form::ALL {
            for entrant in entrants(&scenario).iter().filter(|entrant| entrant.role != Role::Peer) {
                let instructions = per_evaluation(&scenario, form, entrant.name)?;
                eprintln!("      {} {} {}: {instructions:.1}", scenario.id, form.name(), entrant.name);
                counts.push(Count { scenario: scenario.id, form, name: entrant.name, instructions });
            }
        }
    }
    Ok(counts)
}

/// Two runs of different length differ by evaluations only: setting up falls out of the difference.
fn per_evaluation(scenario: &Scenario, form: Form, name: &str) -> Result<f64> {
    let once = scenario.questions.len();
    let more = once * (10_000 / once).max(1);
    let [short, long] = [once, once + more].map(|questions| collected(scenario.id, form, name, questions));
    Ok((long? - short?) as f64 / (more * scenario.evaluations()) as f64)
}

fn collected(scenario: &str, form: Form, name: &str, questions: usize) -> Result<i64> {
    let program = std::env::current_exe().context("where is this program?")?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["repeat", scenario, form.name(), name, &questions.to_string()])
        .output()
        .context("cannot start valgrind; is it installed?")?;
    let report = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "valgrind ended with {}:\n{report}", output.status);
    let line = report.lines().find_map(|line| line.split_once("Collected :"));
    let Some((_, number)) = line else { bail!("callgrind did not say what it collected:\n{report}") };
    number.trim().parse().context("callgrind's count is not a number")
}

/// What callgrind watches: one contestant, so many questions.
pub fn repeat(scenario: &str, form: &str, name: &str, questions: usize) -> Result<()> {
    let scenario = Scenario::named(scenario).context("no such scenario")?;
    let form = Form::ALL.into_iter().find(|known| known.name() == form).context("no such form")?;
    let entrants = entrants(&scenario);
    let entrant = entrants.iter().find(|entrant| entrant.name == name).context("no such contestant")?;
    entrant.make(&scenario, form).run(questions);
    Ok(())
}
