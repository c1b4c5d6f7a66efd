//! The feature flag engine as a program: `flag serve` runs the server, `flag migrate` prepares a database.

mod compose;
mod config;
mod database;
mod log;
mod migrate;
mod serve;
mod system;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;

use crate::config::{Cli, Command};

/// How long the end of the program waits for threads that are still at work.
const LEFT_BEHIND: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line with every cause: whoever starts a server wants to know what to mend, not where it happened.
            eprintln!("flag: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    // Before anything else runs: arguments have their defaults in the environment, and `.env` adds to it.
    let env_file = match dotenvy::dotenv() {
        Ok(path) => Some(path),
        // The line itself may hold a secret.
        Err(dotenvy::Error::LineParse(_, place)) => {
            bail!("`.env` cannot be read: a line is broken near its character {}", place + 1)
        }
        Err(error) if !error.not_found() => return Err(error).context("`.env` cannot be read"),
        Err(_) => None,
    };
    let Cli { command, settings } = Cli::parse();
    log::start(&settings.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("flag-engine")
        .build()
        .context("the runtime cannot start")?;
    let outcome = match command.unwrap_or(Command::Serve) {
        Command::Serve => runtime.block_on(serve::run(settings, env_file.as_deref())),
        Command::Migrate => runtime.block_on(migrate::run(settings)),
    };
    // A thread that waits for a disk which does not answer would otherwise be waited for as well.
    runtime.shutdown_timeout(LEFT_BEHIND);
    outcome
}
