//! The program behind `cargo xtask bench core`: measures, prints, and writes the report.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use flag_bench_core::{
    contestant::Form,
    instructions,
    measure::{Pace, race},
    report,
    scenario::{IDS, Scenario},
    table::{Allocations, Heat},
};

const USAGE: &str = "times [--quick] [--docs FOLDER] [--only SCENARIO]… | instructions [--docs FOLDER]";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["times", ref options @ ..] => times(&Options::parse(options)?),
        ["instructions", ref options @ ..] => {
            let counts = instructions::count()?;
            report::print_instructions(&counts);
            Options::parse(options)?.docs.map_or(Ok(()), |docs| report::write_instructions(&docs, &counts))
        }
        ["repeat", scenario, form, name, questions] => {
            instructions::repeat(scenario, form, name, questions.parse().context("how many questions?")?)
        }
        _ => bail!("usage: {USAGE}"),
    }
}

struct Options {
    pace: Pace,
    scenarios: Vec<&'static str>,
    docs: Option<PathBuf>,
}

impl Options {
    fn parse(mut arguments: &[&str]) -> Result<Self> {
        let mut options = Self { pace: Pace::USUAL, scenarios: IDS.to_vec(), docs: None };
        let mut only = Vec::new();
        while let [first, rest @ ..] = arguments {
            arguments = match (*first, rest) {
                ("--quick", rest) => {
                    options.pace = Pace::QUICK;
                    // A million of anything is not quick.
                    options.scenarios.retain(|id| *id != "D million");
                    rest
                }
                ("--docs", [docs, rest @ ..]) => {
                    options.docs = Some(Path::new(docs).to_owned());
                    rest
                }
                ("--only", [id, rest @ ..]) => {
                    only.push(*IDS.iter().find(|known| *known == id).context("no such scenario")?);
                    rest
                }
                _ => bail!("usage: {USAGE}"),
            };
        }
        if !only.is_empty() {
            options.scenarios = only;
        }
        Ok(options)
    }
}

fn times(options: &Options) -> Result<()> {
    let allocations = allocations(&options.scenarios)?;
    let mut heats: Vec<Heat> = Vec::new();
    let total = options.scenarios.len() * Form::ALL.len();
    for id in &options.scenarios {
        let scenario = Scenario::named(id).context("no such scenario")?;
        for form in Form::ALL {
            eprintln!("[{}/{total}] {id}: {}, context {} …", heats.len() + 1, scenario.title, form.name());
            let mut heat = race(&scenario, form, options.pace)?;
            heat.add_allocations(&allocations);
            let (ours, minimum) = (heat.ours(), heat.minimum());
            let ratio = ours.over(minimum).median;
            eprintln!("      flag-core {:.1} ns, {ratio:.2} times the minimum", ours.median);
            heats.push(heat);
        }
    }
    heats.iter().for_each(Heat::print);
    report::print_standings(&heats);
    options.docs.as_ref().map_or(Ok(()), |docs| report::write_times(docs, &heats))
}

/// Asks the program beside this one, which counts.
fn allocations(scenarios: &[&str]) -> Result<Allocations> {
    eprintln!("counting allocations …");
    let program = std::env::current_exe().context("where is this program?")?.with_file_name("allocations");
    let output = Command::new(program).args(scenarios).stderr(Stdio::inherit()).output();
    let output = output.context("the program that counts allocations cannot be started")?;
    ensure!(output.status.success(), "counting allocations ended with {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    let parse = |line: &str| {
        let [scenario, form, name, each] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
        Some(((scenario.to_owned(), form.to_owned(), name.to_owned()), each.parse().ok()?))
    };
    text.lines().map(|line| parse(line).with_context(|| format!("what is `{line}`?"))).collect()
}
