//! `cargo xtask services`: PostgreSQL and Redis that stay, for work at a desk.

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use flag_testkit::services::Standing;

use crate::{compose, install::Program, repository::Repository, stores::obtain};

/// Beside the default ports, where another server may be listening.
const POSTGRES_PORT: u16 = 15_432;
const REDIS_PORT: u16 = 16_379;

#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Action {
    /// Find or start both, and print their URLs.
    Start,
    /// Stop both; the data of PostgreSQL stays.
    Stop,
}

pub(crate) fn run(repository: &Repository, action: Action) -> Result<ExitCode> {
    let home = Home::of(repository)?;
    match action {
        Action::Start => start(repository, &home)?,
        Action::Stop => stop(repository, &home)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn start(repository: &Repository, home: &Home) -> Result<()> {
    if let Some(containers) = obtain(repository, &[Program::Postgres, Program::Redis])? {
        fs::write(home.compose_marker(), "").context("note that containers run")?;
        print_urls(containers.postgres, containers.redis);
        eprintln!("Both run in containers. To stop them: cargo xtask services stop");
        return Ok(());
    }
    let postgres = Standing::postgres(&home.postgres(), POSTGRES_PORT)?;
    let redis = Standing::redis(&home.redis(), REDIS_PORT)?;
    print_urls(postgres.url(), redis.url());
    eprintln!(
        "Running as processes {} and {}, with their files in {}.",
        postgres.pid(),
        redis.pid(),
        home.show()
    );
    eprintln!("To stop them: cargo xtask services stop");
    Ok(())
}

/// Standard output holds nothing else, so that a shell can `eval` it.
fn print_urls(database: &str, redis: &str) {
    println!("export DATABASE_URL={database}");
    println!("export REDIS_URL={redis}");
}

fn stop(repository: &Repository, home: &Home) -> Result<()> {
    let running = [
        ("PostgreSQL", Standing::find_postgres(&home.postgres())),
        ("Redis", Standing::find_redis(&home.redis())),
    ];
    for (name, server) in running {
        match server {
            Some(server) => {
                let pid = server.pid();
                server.stop()?;
                eprintln!("{name} stopped (process {pid}).");
            }
            None => eprintln!("{name} was not running."),
        }
    }
    if home.compose_marker().exists() {
        compose::stop(repository)?;
        fs::remove_file(home.compose_marker()).context("forget the containers")?;
    }
    Ok(())
}

/// The folder of both servers: `target/services`, if the account that runs PostgreSQL can enter it.
struct Home(PathBuf);

impl Home {
    fn of(repository: &Repository) -> Result<Self> {
        let usual = repository.root().join("target/services");
        fs::create_dir_all(&usual).with_context(|| format!("create {}", usual.display()))?;
        let is_root = rustix::process::geteuid().is_root();
        // PostgreSQL does not run as root, and root's checkout may lie where no other account can go.
        if is_root && !everyone_may_enter(&usual) { Self::temporary(&usual) } else { Ok(Self(usual)) }
    }

    /// A folder with a fixed name among the temporary ones, which must not be another user's.
    fn temporary(usual: &Path) -> Result<Self> {
        let name: String = usual
            .to_string_lossy()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let folder = std::env::temp_dir().join(format!("flag{name}"));
        if let Err(error) = fs::DirBuilder::new().mode(0o711).create(&folder) {
            let found = fs::symlink_metadata(&folder).with_context(|| format!("create {}", folder.display()));
            let found = found.map_err(|_| error)?;
            if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
                bail!("{} belongs to somebody else", folder.display());
            }
        }
        Ok(Self(folder))
    }

    fn postgres(&self) -> PathBuf {
        self.0.join("postgres")
    }

    fn redis(&self) -> PathBuf {
        self.0.join("redis")
    }

    fn compose_marker(&self) -> PathBuf {
        self.0.join("containers")
    }

    fn show(&self) -> impl std::fmt::Display {
        self.0.display()
    }
}

fn everyone_may_enter(folder: &Path) -> bool {
    let open =
        |folder: &Path| fs::metadata(folder).is_ok_and(|found| found.permissions().mode() & 0o001 != 0);
    folder.ancestors().all(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_inside_a_closed_one_cannot_be_entered() {
        let temporary = std::env::temp_dir().join(format!("flag-xtask-{}", std::process::id()));
        let inner = temporary.join("inner");
        fs::create_dir_all(&inner).unwrap();
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o700)).unwrap();
        let answer = everyone_may_enter(&inner);
        fs::remove_dir_all(&temporary).unwrap();
        assert!(!answer);
        assert!(everyone_may_enter(Path::new("/")));
    }
}
