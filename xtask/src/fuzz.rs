//! `cargo xtask fuzz`: runs the targets of the package under `fuzz/`, one after the other.

use std::{
    fs,
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::{
    repository::Repository,
    steps::{Steps, run},
};

/// The package that holds the targets. It stands outside the workspace.
pub(crate) const MANIFEST: &str = "fuzz/Cargo.toml";
/// Inside the one folder that git and tidy pass over, and apart from the product's own build.
const TARGET: &str = "target/fuzz";
/// Every target, named after what it reads.
const TARGETS: [&str; 7] = [
    "snapshot_document",
    "entry_document",
    "percentage",
    "evaluation",
    "announcement",
    "disk_file",
    "http_input",
];
/// The code under test is safe Rust: a sanitizer would only slow it down, and needs another toolchain.
const SANITIZER: &str = "none";

/// Fuzzes one target, or each in turn, for `duration` each.
pub(crate) fn fuzz(repository: &Repository, only: Option<&str>, duration: Duration) -> Result<ExitCode> {
    let targets: Vec<&str> =
        TARGETS.into_iter().filter(|name| only.is_none_or(|only| only == *name)).collect();
    if targets.is_empty() {
        bail!("there is no such target; there are {}", TARGETS.join(", "));
    }
    if !is_installed() {
        bail!("cargo-fuzz is missing; install it with `cargo install --locked cargo-fuzz`");
    }
    let mut steps = Steps::new(targets.len() + 1);
    steps.step("building the targets", || {
        let options = ["--sanitizer", SANITIZER, "--target-dir", TARGET];
        run(&mut repository.cargo(&[&["fuzz", "build"], &options[..]].concat()))
    })?;
    for target in targets {
        let title = format!("{target} for {} s", duration.as_secs());
        steps.step(&title, || run(&mut command(repository, target, duration)?))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// New inputs go into the first folder, so that the seeds in the second stay the few that they are.
fn command(repository: &Repository, target: &str, duration: Duration) -> Result<Command> {
    let found = format!("{TARGET}/corpus/{target}");
    fs::create_dir_all(repository.root().join(&found)).with_context(|| format!("create {found}"))?;
    let seeds = format!("fuzz/corpus/{target}");
    let time = format!("-max_total_time={}", duration.as_secs());
    let mut command = repository.cargo(&["fuzz", "run", "--sanitizer", SANITIZER, "--target-dir", TARGET]);
    command.args([target, &found, &seeds, "--", &time, "-timeout=10", "-print_final_stats=1"]);
    Ok(command)
}

fn is_installed() -> bool {
    let version =
        Command::new("cargo-fuzz").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_of_the_package_is_run_and_has_seeds() {
        let repository = Repository::here();
        let folder = fs::read_dir(repository.root().join("fuzz/fuzz_targets")).unwrap();
        let mut found: Vec<String> =
            folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        found.sort();
        let mut listed = TARGETS.map(|target| format!("{target}.rs"));
        listed.sort();
        assert_eq!(found, listed);
        for target in TARGETS {
            assert!(repository.root().join("fuzz/corpus").join(target).is_dir(), "{target}");
        }
    }

    #[test]
    fn an_unknown_target_is_refused_and_the_known_ones_are_named() {
        let error = fuzz(&Repository::here(), Some("nothing"), Duration::ZERO).unwrap_err().to_string();
        assert!(error.contains("percentage"), "{error}");
    }
}
