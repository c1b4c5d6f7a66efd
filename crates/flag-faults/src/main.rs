//! The fault bench: `flag-faults [names]` runs scenarios on real nodes and real stores, broken on purpose.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "only the bench uses this crate, and a bench that fails should stop at the line that failed"
)]

mod api;
mod chance;
mod database;
mod digest;
mod disk;
mod journal;
mod load;
mod mount;
mod mutant;
mod node;
mod observer;
mod proxy;
mod redis;
mod report;
mod scenarios;
mod site;
mod state;
mod verdict;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::Parser;
use flag_testkit::services::Postgres;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout};

use crate::mutant::{Bug, Workshop};
use crate::report::Row;
use crate::scenarios::{ALL, Scenario};
use crate::site::{Bench, Extent};
use crate::verdict::{Figures, NotRun, Violation};

#[derive(Parser)]
#[command(name = "flag-faults", about = "Breaks things on purpose, and holds the engine to its promises")]
struct Arguments {
    /// Scenarios to run, by their names or numbers; absent, all of them.
    names: Vec<String>,
    /// Replay what chance decided in an earlier run.
    #[arg(long)]
    seed: Option<u64>,
    /// As long and as strict as the targets say; writes the table of docs/reliability.md if all scenarios are run.
    #[arg(long)]
    long: bool,
    /// Put back the bugs that the scenarios are there to catch, one by one, and demand that each is caught.
    #[arg(long, conflicts_with = "long")]
    mutants: bool,
    /// Say what there is, and run nothing.
    #[arg(long)]
    list: bool,
    /// The repository, for --long and --mutants.
    #[arg(long, default_value = ".")]
    root: PathBuf,
}

fn main() -> ExitCode {
    let outcome = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match outcome.context("the runtime cannot start").and_then(|runtime| runtime.block_on(run_or_stop())) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs until it is told to stop. What was started by then is ended by being dropped: a signal alone would leave nodes behind.
async fn run_or_stop() -> Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        outcome = run() => outcome,
        _ = terminate.recv() => bail!("told to stop"),
        _ = tokio::signal::ctrl_c() => bail!("told to stop"),
    }
}

async fn run() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.list {
        for Scenario { name, sentence, .. } in ALL {
            println!("{name:<18} {sentence}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = chosen(&arguments.names)?;
    let program = std::env::current_exe()?.with_file_name("flag");
    if !program.exists() {
        bail!("{} is missing; build it with `cargo build`", program.display());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = arguments.seed.unwrap_or(now.as_micros() as u64 % 1_000_000);
    println!("seed {seed}");
    let extent = if arguments.long { Extent::Long } else { Extent::Short };
    let postgres = Arc::new(tokio::task::spawn_blocking(Postgres::start).await??);
    let bench = Bench { postgres, program, seed, extent, twist: None };
    let all_held = if arguments.mutants {
        // Nodes run in folders of their own, from where a relative path would lead elsewhere.
        let root = arguments.root.canonicalize().context("--root")?;
        hunt(&bench, &chosen, &Workshop::new(&root)).await?
    } else {
        let rows = hold(&bench, &chosen).await;
        if extent == Extent::Long && chosen.len() == ALL.len() {
            report::write(&arguments.root, &rows)?;
        }
        name_those_not_run(&rows);
        rows.iter().all(|row| row.outcome.is_ok() || row.is_not_run())
    };
    Ok(if all_held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn chosen(names: &[String]) -> Result<Vec<&'static Scenario>> {
    if names.is_empty() {
        return Ok(ALL.iter().collect());
    }
    let mut chosen = Vec::new();
    for name in names {
        let before = chosen.len();
        chosen.extend(ALL.iter().filter(|scenario| {
            let number = scenario.name.split('-').next().unwrap_or_default();
            scenario.name.eq_ignore_ascii_case(name) || number.eq_ignore_ascii_case(name)
        }));
        if chosen.len() == before {
            bail!("there is no scenario {name}; --list names them");
        }
    }
    Ok(chosen)
}

/// Runs scenarios, a line for each.
async fn hold(bench: &Bench, chosen: &[&'static Scenario]) -> Vec<Row> {
    let mut rows = Vec::new();
    for scenario in chosen {
        let began = Instant::now();
        let outcome = play(scenario, bench).await;
        let seconds = began.elapsed().as_secs_f64();
        match &outcome {
            Ok(figures) => println!("{:<18} held ({seconds:.1} s): {}", scenario.name, figures.line()),
            Err(error) if error.is::<NotRun>() => println!("{:<18} NOT RUN: {error}", scenario.name),
            Err(error) => println!(
                "{:<18} BROKE ({seconds:.1} s): {error:#}\n  must hold: {}\n  again: cargo xtask faults {} --seed {}",
                scenario.name, scenario.sentence, scenario.name, bench.seed
            ),
        }
        rows.push(Row { scenario, outcome });
    }
    rows
}

/// Says at the end, where it is seen, what was left out.
fn name_those_not_run(rows: &[Row]) {
    let names: Vec<&str> = rows.iter().filter(|row| row.is_not_run()).map(|row| row.scenario.name).collect();
    if !names.is_empty() {
        println!("{} scenarios were not run, for want of what they need: {}", names.len(), names.join(" "));
    }
}

/// Runs scenarios against the bugs that they are there to catch. Only a violation of what must hold counts.
async fn hunt(bench: &Bench, chosen: &[&'static Scenario], workshop: &Workshop) -> Result<bool> {
    let mut all_caught = true;
    for scenario in chosen {
        for mutant in scenario.mutants {
            let mut bench = bench.clone();
            match mutant.bug {
                Bug::Source(edits) => bench.program = workshop.build(edits)?,
                Bug::Twist(twist) => bench.twist = Some(twist),
            }
            let began = Instant::now();
            let outcome = play(scenario, &bench).await;
            let (name, seconds, what) = (scenario.name, began.elapsed().as_secs_f64(), mutant.what);
            match outcome {
                Err(error) if error.is::<Violation>() => {
                    let text = error.to_string();
                    let line = text.lines().next().unwrap_or_default();
                    let line: String = line.chars().take(300).collect();
                    println!("{name:<18} caught ({seconds:.1} s) {what}: {line}");
                }
                Err(error) if error.is::<NotRun>() => println!("{name:<18} NOT RUN on {what}: {error}"),
                Err(error) => {
                    all_caught = false;
                    println!("{name:<18} NO VERDICT ({seconds:.1} s) on {what}: {error:#}");
                }
                Ok(figures) => {
                    all_caught = false;
                    println!("{name:<18} MISSED ({seconds:.1} s) {what}: {}", figures.line());
                }
            }
        }
    }
    Ok(all_caught)
}

async fn play(scenario: &Scenario, bench: &Bench) -> Result<Figures> {
    // Far beyond every bound that is judged: against a scenario that hangs.
    let limit = bench.pick(Duration::from_secs(180), Duration::from_secs(1_800));
    match timeout(limit, (scenario.run)(bench.clone())).await {
        Ok(outcome) => outcome,
        Err(_) => bail!("it did not end within {limit:?}"),
    }
}
