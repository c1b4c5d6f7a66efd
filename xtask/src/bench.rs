//! `cargo xtask bench`: builds and runs the packages under `bench/`, which stand outside the workspace and its lock file.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{
    repository::Repository,
    steps::{Steps, run},
};

/// The package that compares flag-core.
pub(crate) const CORE: &str = "bench/core/Cargo.toml";
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
    steps.step("building flag-core and its peers", || {
        let manifest = ["--manifest-path", CORE, "--target-dir", TARGET];
        run(&mut repository.cargo(&[&["build", "--release", "--locked"], &manifest[..]].concat()))
    })?;
    steps.step("measuring", || {
        let program = repository.root().join(TARGET).join("release/flag-bench-core");
        run(Command::new(program).args(measure.arguments()).current_dir(repository.root()))
    })?;
    Ok(ExitCode::SUCCESS)
}
