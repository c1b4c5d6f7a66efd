//! Servers that outlive the process which started them: for work at a desk rather than for tests.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::Signal;

use super::{
    ServiceError,
    directory::Directory,
    instance::{Recipe, spawn},
    port,
    postgres::PostgresRecipe,
    process::{is_alive, signal, wait_until},
    program,
    redis::RedisRecipe,
};

const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A server that stays until somebody stops it. Dropping this value leaves it running.
#[derive(Debug, Clone)]
pub struct Standing {
    directory: Directory,
    pid: u32,
    url: String,
    stop: Signal,
}

impl Standing {
    /// Finds the PostgreSQL server of this directory, or starts it: on the data that is there if there is any, on
    /// the preferred port if that is free.
    ///
    /// # Errors
    /// As for [`Postgres::start`](super::Postgres::start).
    pub fn postgres(directory: &Path, preferred_port: u16) -> Result<Self, ServiceError> {
        if let Some(running) = Self::find_postgres(directory) {
            return Ok(running);
        }
        let programs = program::postgres()?;
        let (directory, port) = prepare(directory, preferred_port)?;
        let recipe = PostgresRecipe::new(programs, &directory, port)?;
        if !directory.join("data/PG_VERSION").exists() {
            recipe.initialise()?;
        }
        Ok(Self::new(&recipe, recipe.url(), spawn(&recipe)?.id()))
    }

    /// Finds the Redis server of this directory, or starts an empty one, on the preferred port if that is free.
    ///
    /// # Errors
    /// As for [`Redis::start`](super::Redis::start).
    pub fn redis(directory: &Path, preferred_port: u16) -> Result<Self, ServiceError> {
        if let Some(running) = Self::find_redis(directory) {
            return Ok(running);
        }
        let program = program::redis()?;
        let (directory, port) = prepare(directory, preferred_port)?;
        let recipe = RedisRecipe::new(program, &directory, port);
        Ok(Self::new(&recipe, recipe.url(), spawn(&recipe)?.id()))
    }

    /// The PostgreSQL server that [`Standing::postgres`] started in this directory, if it still runs.
    #[must_use]
    pub fn find_postgres(directory: &Path) -> Option<Self> {
        let (directory, port) = recorded(directory)?;
        let recipe = PostgresRecipe::new(PathBuf::new(), &directory, port).ok()?;
        let url = recipe.url();
        Self::running(&recipe, url)
    }

    /// The Redis server that [`Standing::redis`] started in this directory, if it still runs.
    #[must_use]
    pub fn find_redis(directory: &Path) -> Option<Self> {
        let (directory, port) = recorded(directory)?;
        let recipe = RedisRecipe::new(PathBuf::new(), &directory, port);
        let url = recipe.url();
        Self::running(&recipe, url)
    }

    /// URL of the server.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Orderly shutdown; waits for the end. The data stays.
    ///
    /// # Errors
    /// If it does not end within 30 seconds.
    pub fn stop(self) -> Result<(), ServiceError> {
        signal(self.pid, self.stop)?;
        if !wait_until(STOP_LIMIT, || !is_alive(self.pid)) {
            let what = format!("process {} did not stop within {STOP_LIMIT:?}", self.pid);
            return Err(ServiceError::Failed { what, log: self.directory.end_of_log() });
        }
        self.directory.forget_pid();
        Ok(())
    }

    fn new<R: Recipe>(recipe: &R, url: String, pid: u32) -> Self {
        Self { directory: recipe.directory().clone(), pid, url, stop: R::STOP }
    }

    /// Process numbers are used again after a crash: one counts only if that process says it is this server.
    fn running<R: Recipe>(recipe: &R, url: String) -> Option<Self> {
        let pid = recipe.directory().recorded_pid()?;
        (is_alive(pid) && recipe.is_ready(pid)).then(|| Self::new(recipe, url, pid))
    }
}

/// Creates the directory and settles the port of the server in it.
fn prepare(directory: &Path, preferred_port: u16) -> Result<(PathBuf, u16), ServiceError> {
    let failed = |error| ServiceError::io(format!("prepare {}", directory.display()))(error);
    fs::create_dir_all(directory).map_err(failed)?;
    let directory = directory.canonicalize().map_err(failed)?;
    let port = if port::is_free(preferred_port) { preferred_port } else { port::free_port()? };
    fs::write(directory.join("port"), port.to_string()).map_err(failed)?;
    Ok((directory, port))
}

fn recorded(directory: &Path) -> Option<(PathBuf, u16)> {
    let directory = directory.canonicalize().ok()?;
    let port = fs::read_to_string(directory.join("port")).ok()?.trim().parse().ok()?;
    Some((directory, port))
}
