//! Everything that acts on the repository: `cargo xtask <command>`.

mod bench;
mod compose;
mod faults;
mod fuzz;
mod generate;
mod install;
mod repository;
mod services;
mod steps;
mod stores;
mod test;
mod tidy;
mod unrunnable;
mod vectors;

use std::{process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};

use crate::{
    bench::{Care, Measure, Server},
    faults::Wanted,
    repository::Repository,
    services::Action,
    test::Extent,
};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Everything that acts on the repository")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every check, and then every test against PostgreSQL and Redis, which are found or installed.
    Test {
        /// Ten times as many kills, random sequences and cases of every law.
        #[arg(long)]
        long: bool,
    },
    /// Check the house rules that a program can check.
    Tidy,
    /// Leave PostgreSQL and Redis running in the background, and print their URLs for the shell.
    Services {
        #[arg(value_enum, default_value_t = Action::Start)]
        action: Action,
    },
    /// Measure, and write down what was measured.
    Bench {
        #[command(subcommand)]
        subject: Subject,
    },
    /// Break stores, links and nodes on purpose, and hold the engine to what it promises; `--list` names the scenarios.
    Faults(Wanted),
    /// Feed the readers of everything that comes from outside with inputs that nobody thought of.
    Fuzz {
        /// Only this target of fuzz/; absent, each in turn.
        target: Option<String>,
        /// How long for each target.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Write files that are derived from others.
    Gen {
        #[command(subcommand)]
        target: Target,
    },
}

#[derive(Subcommand)]
enum Subject {
    /// flag-core beside the evaluators that one could take instead; writes docs/benchmarks.md.
    Core {
        /// A smoke run of some seconds, whose figures are not written down.
        #[arg(long)]
        quick: bool,
        /// Count instructions by valgrind instead of taking times.
        #[arg(long, conflicts_with = "quick")]
        instructions: bool,
    },
    /// Evaluation over HTTP beside a bare server, by the number of flags and while flags are written; writes
    /// docs/benchmarks.md.
    Http {
        /// A smoke run of some seconds, whose figures are not written down.
        #[arg(long)]
        quick: bool,
    },
    /// Many nodes over a private PostgreSQL and a private Redis: how fast changes travel, writes, starts and memory; writes
    /// docs/benchmarks.md.
    Cluster {
        /// A smoke run of some seconds, whose figures are not written down.
        #[arg(long)]
        quick: bool,
    },
}

impl Subject {
    fn run(&self, repository: &Repository) -> anyhow::Result<ExitCode> {
        let care = |quick| if quick { Care::Quick } else { Care::Full };
        match *self {
            Self::Core { instructions: true, .. } => bench::core(repository, Measure::Instructions),
            Self::Core { quick: true, .. } => bench::core(repository, Measure::Smoke),
            Self::Core { .. } => bench::core(repository, Measure::Times),
            Self::Http { quick } => bench::server(repository, Server::Http, care(quick)),
            Self::Cluster { quick } => bench::server(repository, Server::Cluster, care(quick)),
        }
    }
}

#[derive(Subcommand)]
enum Target {
    /// Record the checksums of new migrations; a recorded one is never altered.
    Migrations,
    /// Write the golden cases of spec/vectors, unless one would differ from what is recorded for this algorithm id.
    Vectors,
}

fn main() -> ExitCode {
    let repository = Repository::here();
    let outcome = match Arguments::parse().command {
        Command::Test { long: false } => test::run(&repository, Extent::Usual),
        Command::Test { long: true } => test::run(&repository, Extent::Long),
        Command::Tidy => tidy::run(&repository),
        Command::Services { action } => services::run(&repository, action),
        Command::Bench { subject } => subject.run(&repository),
        Command::Faults(wanted) => faults::run(&repository, &wanted),
        Command::Fuzz { target, seconds } => {
            fuzz::fuzz(&repository, target.as_deref(), Duration::from_secs(seconds))
        }
        Command::Gen { target: Target::Migrations } => generate::migrations(&repository),
        Command::Gen { target: Target::Vectors } => vectors::generate(&repository),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
