//! `cargo xtask test`: every check there is, and the tests last, so that the closing lines are cargo's own.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use flag_testkit::python;

use crate::{
    bench, faults, fuzz,
    install::{self, Program},
    repository::Repository,
    steps::{Steps, run as run_program},
    stores::Stores,
    tidy, unrunnable,
};

/// How much of the suite is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Usual,
    /// With the tests that take minutes.
    Long,
}

pub(crate) fn run(repository: &Repository, extent: Extent) -> Result<ExitCode> {
    let mut steps = Steps::new(8);
    steps.step("formatting", || {
        run_program(&mut repository.cargo(&["fmt", "--all", "--check"]))?;
        for outside in bench::ALL.into_iter().chain([fuzz::MANIFEST]) {
            run_program(&mut repository.cargo(&["fmt", "--check", "--manifest-path", outside]))?;
        }
        Ok(())
    })?;
    steps.step("clippy", || run_program(&mut clippy(repository)))?;
    steps.step("tidy", || check_house_rules(repository))?;
    steps.step("documentation", || run_program(&mut documentation(repository)))?;
    steps.step("examples in the documentation", || run_program(&mut examples(repository)))?;
    let stores = steps.step("PostgreSQL and Redis", || Stores::ready(repository))?;
    if stores.private_missing() {
        unrunnable::announce(repository, unrunnable::SERVERS)?;
    }
    if !python::is_here() {
        unrunnable::announce(repository, unrunnable::PYTHON)?;
    }
    if !stores.private_missing() && !install::is_here_or_installed(Program::PgBouncer) {
        unrunnable::announce_pooler();
    }
    steps.step("faults", || {
        if stores.private_missing() {
            eprintln!("      Without programs of PostgreSQL and Redis there is nothing to break: no scenario is run.");
            return Ok(());
        }
        faults::check(repository)
    })?;
    steps.announce("tests");
    let status = tests(repository, extent, &stores).status().context("cannot start cargo")?;
    // Before the end of this process, which would otherwise leave them to their watchdogs.
    drop(stores);
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn clippy(repository: &Repository) -> Command {
    repository.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn documentation(repository: &Repository) -> Command {
    let mut command = repository.cargo(&["doc", "--workspace", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}

fn examples(repository: &Repository) -> Command {
    repository.cargo(&["test", "--workspace", "--doc"])
}

fn check_house_rules(repository: &Repository) -> Result<()> {
    let report = tidy::check(repository)?;
    report.print();
    if !report.is_clean() {
        bail!("house rules are broken");
    }
    Ok(())
}

fn tests(repository: &Repository, extent: Extent, stores: &Stores) -> Command {
    let mut command = repository.cargo(&["test", "--workspace", "--all-targets", "--no-fail-fast"]);
    command.env("DATABASE_URL", stores.database_url()).env("REDIS_URL", stores.redis_url());
    if stores.private_missing() {
        command.env("FLAG_PRIVATE_SERVICES", "missing");
    }
    if !python::is_here() {
        command.env("FLAG_PYTHON", "missing");
    }
    if extent == Extent::Long {
        command.env("FLAG_TEST_LONG", "1").env("CONTRACT_CASES", "240").env("PROPTEST_CASES", "2560");
    }
    command
}
