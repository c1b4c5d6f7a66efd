//! The product under test: how its program is started, and when it is ready.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{connection::Connection, process::Process};

/// How long a node may take until it has loaded its flags.
const LOAD: Duration = Duration::from_secs(120);

/// The release build of the product.
#[derive(Clone)]
pub struct Program(PathBuf);

impl Program {
    /// The program at `path`.
    pub fn at(path: &str) -> Result<Self> {
        // It is run in another folder than this one.
        Ok(Self(Path::new(path).canonicalize().with_context(|| format!("there is no {path}"))?))
    }

    /// A node over these stores, as soon as it listens. Its disk holds nothing yet, and nothing is inherited that could change it.
    pub fn start(&self, database: &str, redis: Option<&str>) -> Result<Process> {
        let disk = tempfile::tempdir()?;
        let process = self.start_in(disk.path(), database, redis)?;
        Ok(process.with_disk(disk))
    }

    /// A node that keeps its flags in `disk`, and finds there what an earlier one kept.
    pub fn start_in(&self, disk: &Path, database: &str, redis: Option<&str>) -> Result<Process> {
        let mut command = self.command(database);
        command.env("DATA_DIR", disk);
        if let Some(redis) = redis {
            command.env("REDIS_URL", redis);
        }
        Process::start(&mut command)
    }

    /// Creates the tables of an empty database.
    pub fn migrate(&self, database: &str) -> Result<()> {
        let output = self.command(database).arg("migrate").output()?;
        ensure!(output.status.success(), "migrate: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    fn command(&self, database: &str) -> Command {
        let mut command = Command::new(&self.0);
        for name in ["REDIS_URL", "REDIS_PREFIX", "HOST", "FLAG_ADMIN_TOKEN", "DATA_DIR", "NODE_NAME"] {
            command.env_remove(name);
        }
        command.env("DATABASE_URL", database).env("PORT", "0").env_remove("LOG");
        // What it logs until it has flags is of no interest; that it logs as it does by default, is.
        command.stderr(Stdio::null());
        // Where there is no `.env`.
        command.current_dir(std::env::temp_dir());
        command
    }
}

/// The URL of a file of SQLite.
pub fn sqlite(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

/// Waits until the node has flags to answer from.
pub fn wait_until_ready(node: &Process) -> Result<()> {
    let began = Instant::now();
    loop {
        let mut connection = Connection::open(node.address)?;
        if connection.get("/readyz")?.status == 200 {
            return Ok(());
        }
        if began.elapsed() > LOAD {
            bail!("the node has not become ready within {LOAD:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
