//! Installation of PostgreSQL, Redis and PgBouncer through the package manager of the system, if this process may.
//!
//! Some packages also start a server of their own on the default port. That server is not used and not in the way:
//! ours take other ports.

use std::{
    env, io,
    process::{Command, Stdio},
};

use anyhow::{Result, bail};
use flag_testkit::services::{PgBouncer, Postgres, Redis};

use crate::steps::run;

/// What tests need on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Postgres,
    Redis,
    PgBouncer,
}

impl Program {
    pub(crate) fn is_here(self) -> bool {
        match self {
            Self::Postgres => Postgres::locate().is_ok(),
            Self::Redis => Redis::locate().is_ok(),
            Self::PgBouncer => PgBouncer::locate().is_ok(),
        }
    }
}

/// Whose rights a package manager needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rights {
    Root,
    /// Homebrew refuses to run as root.
    User,
}

struct Manager {
    program: &'static str,
    rights: Rights,
    update: Option<&'static [&'static str]>,
    install: &'static [&'static str],
    /// Names of the package, best first: distributions differ, and some have exchanged Redis for Valkey.
    postgres: &'static [&'static str],
    redis: &'static [&'static str],
}

const MANAGERS: [Manager; 5] = [
    Manager {
        program: "apt-get",
        rights: Rights::Root,
        update: Some(&["update"]),
        install: &["install", "-y", "--no-install-recommends"],
        postgres: &["postgresql"],
        redis: &["redis-server", "valkey-server"],
    },
    Manager {
        program: "dnf",
        rights: Rights::Root,
        update: None,
        install: &["install", "-y"],
        postgres: &["postgresql-server"],
        redis: &["valkey", "redis"],
    },
    Manager {
        program: "apk",
        rights: Rights::Root,
        update: None,
        install: &["add", "--no-cache"],
        postgres: &["postgresql"],
        redis: &["redis", "valkey"],
    },
    Manager {
        program: "pacman",
        rights: Rights::Root,
        update: Some(&["-Sy"]),
        install: &["-S", "--noconfirm", "--needed"],
        postgres: &["postgresql"],
        redis: &["valkey", "redis"],
    },
    Manager {
        program: "brew",
        rights: Rights::User,
        update: None,
        install: &["install"],
        postgres: &["postgresql@17"],
        redis: &["redis", "valkey"],
    },
];

/// Installs the programs, or says why it may not.
pub(crate) fn install(programs: &[Program]) -> Result<()> {
    let Some(manager) = MANAGERS.iter().find(|manager| is_on_path(manager.program)) else {
        bail!("no package manager is known here");
    };
    let prefix = prefix(manager.rights)?;
    if let Some(update) = manager.update {
        manage(manager, prefix, update)?;
    }
    for &program in programs {
        let packages = match program {
            Program::Postgres => manager.postgres,
            Program::Redis => manager.redis,
            // Every manager has it under this name.
            Program::PgBouncer => &["pgbouncer"],
        };
        for package in packages {
            let attempt = manage(manager, prefix, &[manager.install, &[package]].concat());
            if program.is_here() {
                break;
            }
            if let Err(error) = attempt {
                eprintln!("      {error:#}");
            }
        }
    }
    Ok(())
}

/// Whether a program is at hand that something can do without, installed if need be and if that is allowed.
pub(crate) fn is_here_or_installed(program: Program) -> bool {
    if !program.is_here()
        && let Err(error) = install(&[program])
    {
        eprintln!("      cannot install: {error:#}");
    }
    program.is_here()
}

/// What to put before the package manager so that it has the rights it needs.
fn prefix(rights: Rights) -> Result<&'static [&'static str]> {
    let root = rustix::process::geteuid().is_root();
    match rights {
        Rights::User if root => bail!("brew does not run as root"),
        Rights::User => Ok(&[]),
        Rights::Root if root => Ok(&[]),
        Rights::Root if sudo_asks_nothing() => Ok(&["sudo", "-n"]),
        Rights::Root => bail!("packages can be installed by root only, and sudo asks for a password"),
    }
}

fn manage(manager: &Manager, prefix: &[&str], arguments: &[&str]) -> Result<()> {
    let line = command_line(manager.program, prefix, arguments);
    eprintln!("      {}", line.join(" "));
    let Some((program, rest)) = line.split_first() else { return Ok(()) };
    // Standard output is for results; a shell may be about to `eval` them.
    run(Command::new(program).args(rest).stdin(Stdio::null()).stdout(io::stderr()))
}

/// The variable is set through `env`, because sudo keeps none.
fn command_line<'a>(program: &'a str, prefix: &[&'a str], arguments: &[&'a str]) -> Vec<&'a str> {
    [prefix, &["env", "DEBIAN_FRONTEND=noninteractive", program], arguments].concat()
}

fn is_on_path(program: &str) -> bool {
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

fn sudo_asks_nothing() -> bool {
    let check =
        Command::new("sudo").args(["-n", "true"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    check.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_asks_no_questions() {
        let line = command_line("apt-get", &["sudo", "-n"], &["install", "-y", "postgresql"]);
        assert_eq!(
            line.join(" "),
            "sudo -n env DEBIAN_FRONTEND=noninteractive apt-get install -y postgresql"
        );
    }

    #[test]
    fn every_manager_knows_both_packages() {
        assert!(MANAGERS.iter().all(|manager| !manager.postgres.is_empty() && !manager.redis.is_empty()));
    }

    #[test]
    fn a_program_is_looked_for_on_the_path() {
        assert!(is_on_path("sh"));
        assert!(!is_on_path("no-such-package-manager"));
    }
}
