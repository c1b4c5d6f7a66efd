//! The containers of `docker-compose.yml`, for machines without the programs themselves.

use std::{
    io,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{repository::Repository, steps::run};

/// Where the containers listen.
#[derive(Clone, Copy)]
pub(crate) struct Containers {
    pub(crate) postgres: &'static str,
    pub(crate) redis: &'static str,
}

/// The same as in `docker-compose.yml`, which a test compares.
const CONTAINERS: Containers =
    Containers { postgres: "postgres://flag:flag@127.0.0.1:5432/flag", redis: "redis://127.0.0.1:6379" };

/// Starts both datastores unless they run, and waits until they are healthy.
pub(crate) fn up(repository: &Repository) -> Result<Containers> {
    let engine = Command::new("docker").arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !engine.context("docker is not installed")?.success() {
        bail!("docker is installed, but its engine does not answer");
    }
    eprintln!("      starting PostgreSQL and Redis in containers");
    run(&mut compose(repository, &["up", "--detach", "--wait", "postgres", "redis"]))?;
    Ok(CONTAINERS)
}

/// Stops both containers; their volumes stay.
pub(crate) fn stop(repository: &Repository) -> Result<()> {
    run(&mut compose(repository, &["stop", "postgres", "redis"]))
}

fn compose(repository: &Repository, arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    // Standard output is for results; a shell may be about to `eval` them.
    command.arg("compose").args(arguments).current_dir(repository.root()).stdout(io::stderr());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_urls_are_those_of_the_compose_file() {
        let file = Repository::here().read("docker-compose.yml").unwrap();
        for line in [
            "- \"127.0.0.1:5432:5432\"",
            "- \"127.0.0.1:6379:6379\"",
            "POSTGRES_USER: flag",
            "POSTGRES_PASSWORD: flag",
            "POSTGRES_DB: flag",
        ] {
            assert!(file.contains(line), "docker-compose.yml lacks {line}");
        }
        assert_eq!(CONTAINERS.postgres, "postgres://flag:flag@127.0.0.1:5432/flag");
        assert_eq!(CONTAINERS.redis, "redis://127.0.0.1:6379");
    }
}
