//! `cargo xtask faults`: builds the server, and the bench that breaks things round it, and runs the bench.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::{repository::Repository, steps::run as run_program};

/// What the bench shall do.
#[derive(clap::Args, Default)]
pub(crate) struct Wanted {
    /// Scenarios to run, by their names or numbers; absent, all of them.
    names: Vec<String>,
    /// Replay what chance decided in an earlier run, which printed this number first.
    #[arg(long)]
    seed: Option<u64>,
    /// As long and as strict as the targets say; all scenarios together write the table of docs/reliability.md.
    #[arg(long)]
    long: bool,
    /// Put back the bugs that the scenarios are there to catch, one by one, and demand that each is caught.
    #[arg(long, conflicts_with = "long")]
    mutants: bool,
    /// Say what there is, and run nothing.
    #[arg(long)]
    list: bool,
}

/// Runs the bench, and ends as it does.
pub(crate) fn run(repository: &Repository, wanted: &Wanted) -> Result<ExitCode> {
    run_program(&mut build(repository))?;
    let status = bench(repository, wanted).status().context("cannot start cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the short form of every scenario.
pub(crate) fn check(repository: &Repository) -> Result<()> {
    run_program(&mut build(repository))?;
    run_program(&mut bench(repository, &Wanted::default()))
}

/// The development build, which the black-box suites drive as well.
fn build(repository: &Repository) -> Command {
    repository.cargo(&["build", "--package", "flag", "--package", "flag-faults"])
}

fn bench(repository: &Repository, wanted: &Wanted) -> Command {
    let mut command = repository.cargo(&["run", "--quiet", "--package", "flag-faults", "--"]);
    command.args(&wanted.names);
    if let Some(seed) = wanted.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    for (is_wanted, option) in
        [(wanted.long, "--long"), (wanted.mutants, "--mutants"), (wanted.list, "--list")]
    {
        if is_wanted {
            command.arg(option);
        }
    }
    command
}
