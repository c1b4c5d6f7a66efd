//! `cargo xtask bench`: builds and runs the packages under `bench/`, which stand outside the workspace and its lock file.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::{
    repository::Repository,
    steps::{Steps, run},
};

/// The package that compares flag-core.
const CORE: &str = "bench/core/Cargo.toml";
/// The package that measures the server.
const SERVER: &str = "bench/server/Cargo.toml";
/// Every package under `bench/`.
pub(crate) const ALL: [&str; 3] = [CORE, SERVER, "bench/report/Cargo.toml"];
/// Inside the one folder that git and tidy pass over, and apart from the product's own build.
const TARGET: &str = "target/bench";

/// What to measure, and whether to write it down.
#[derive(Clone, Copy)]
pub(crate) enum Measure {
    /// Times, written to docs/.
    Times,
    /// Times of a few samples, to see that everything still runs.
    Smoke,
    /// Instructions, written to docs/.
    Instructions,
}

impl Measure {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Times => &["times", "--docs", "docs"],
            Self::Smoke => &["times", "--quick"],
            Self::Instructions => &["instructions", "--docs", "docs"],
        }
    }
}

/// flag-core beside the evaluators that one could take instead.
pub(crate) fn core(repository: &Repository, measure: Measure) -> Result<ExitCode> {
    let mut steps = Steps::new(2);
    steps.step("building flag-core and its peers", || build(repository, CORE))?;
    steps.step("measuring", || measured_by(repository, "flag-bench-core", measure.arguments()))?;
    Ok(ExitCode::SUCCESS)
}

/// What to measure of the server.
#[derive(Clone, Copy)]
pub(crate) enum Server {
    /// Evaluation over HTTP beside a bare server.
    Http,
    /// Many nodes over one PostgreSQL and one Redis.
    Cluster,
}

/// Whether figures are worth writing down.
#[derive(Clone, Copy)]
pub(crate) enum Care {
    /// They are, to docs/.
    Full,
    /// They only show that everything still runs.
    Quick,
}

/// The release build of the server, from outside.
pub(crate) fn server(repository: &Repository, subject: Server, care: Care) -> Result<ExitCode> {
    let subject = match subject {
        Server::Http => "http",
        Server::Cluster => "cluster",
    };
    let care: &[&str] = match care {
        Care::Full => &["--docs", "docs"],
        Care::Quick => &["--quick"],
    };
    let mut steps = Steps::new(3);
    steps.step("building the server", || {
        run(&mut repository.cargo(&["build", "--release", "--locked", "--package", "flag"]))
    })?;
    steps.step("building what measures it", || build(repository, SERVER))?;
    steps.step("measuring", || {
        // Where `cargo build` puts it, unless the environment says otherwise.
        let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        let program = repository.root().join(target).join("release/flag");
        let program = program.to_str().context("the path of the server is not UTF-8")?;
        measured_by(repository, "flag-bench-server", &[&[subject, program], care].concat())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn build(repository: &Repository, manifest: &str) -> Result<()> {
    let manifest = ["--manifest-path", manifest, "--target-dir", TARGET];
    run(&mut repository.cargo(&[&["build", "--release", "--locked"], &manifest[..]].concat()))
}

fn measured_by(repository: &Repository, program: &str, arguments: &[&str]) -> Result<()> {
    let program = repository.root().join(TARGET).join("release").join(program);
    run(Command::new(program).args(arguments).current_dir(repository.root()))
}
