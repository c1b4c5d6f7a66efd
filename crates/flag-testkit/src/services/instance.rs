//! One running server with a directory of its own: the part that PostgreSQL and Redis have in common.

use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::Signal;
use tempfile::TempDir;

use super::{
    ServiceError,
    directory::Directory,
    port,
    process::{children, is_alive, is_still_running, signal, wait_until},
    watchdog::Watchdog,
};

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);
const DROP_LIMIT: Duration = Duration::from_secs(10);
/// A stop signal takes effect when the process next leaves the kernel, for instance after a fork.
const STOP_SIGNAL_DELAY: Duration = Duration::from_millis(20);

/// How one kind of server is run.
pub(super) trait Recipe {
    /// The name for error messages.
    const NAME: &'static str;
    /// The signal that asks for an orderly end without waiting for clients.
    const STOP: Signal;
    /// The signal that asks for the quickest end after which nothing remains.
    const HALT: Signal;

    /// The server in the foreground, without its standard streams.
    fn command(&self) -> Command;

    /// Whether the server with this process number accepts clients.
    fn is_ready(&self, pid: u32) -> bool;

    /// Gives back what the operating system keeps for a server that was killed.
    fn bury(&self) {}

    fn directory(&self) -> &Directory;

    fn port(&self) -> u16;
}

/// A server in a temporary directory; dropped, it is gone and so is the directory.
#[derive(Debug)]
pub(super) struct Instance<R: Recipe> {
    pub(super) recipe: R,
    child: Option<Child>,
    // In this order: the watchdog must not act before the directory is gone.
    _temporary: TempDir,
    _watchdog: Watchdog,
}

impl<R: Recipe> Instance<R> {
    /// Takes over the directory; the server is not started yet.
    pub(super) fn new(recipe: R, temporary: TempDir) -> Result<Self, ServiceError> {
        let watchdog = Watchdog::over(temporary.path(), R::HALT)?;
        Ok(Self { recipe, child: None, _temporary: temporary, _watchdog: watchdog })
    }

    /// Starts the server unless it runs, and waits until it accepts clients.
    pub(super) fn start(&mut self) -> Result<(), ServiceError> {
        if self.child.is_none() {
            self.child = Some(spawn(&self.recipe)?);
        }
        Ok(())
    }

    /// Asks the server to end, and waits until it has and its port is free.
    pub(super) fn stop(&mut self) -> Result<(), ServiceError> {
        self.thaw()?;
        let Some(mut child) = self.child.take() else { return Ok(()) };
        signal(child.id(), R::STOP)?;
        let stopped = wait_until(STOP_LIMIT, || matches!(child.try_wait(), Ok(Some(_))));
        if !stopped {
            self.child = Some(child);
            let what = format!("{} did not stop within {STOP_LIMIT:?}", R::NAME);
            return Err(ServiceError::Failed { what, log: self.recipe.directory().end_of_log() });
        }
        self.ended()
    }

    /// Ends the server and all its processes at once, as a power cut would, and waits until its port is free.
    pub(super) fn kill(&mut self) -> Result<(), ServiceError> {
        if self.child.is_none() {
            return Ok(());
        }
        // Frozen first: a server that runs on could start another process between the look and the kill.
        let processes = self.freeze()?;
        for &pid in &processes {
            signal(pid, Signal::KILL)?;
        }
        if let Some(mut child) = self.child.take() {
            child.wait().map_err(ServiceError::io(format!("wait for {}", R::NAME)))?;
        }
        wait_until(STOP_LIMIT, || !processes.iter().any(|&pid| is_alive(pid)));
        self.recipe.bury();
        self.ended()
    }

    /// Stops the server's processes in their tracks: connections stay open, and nothing is answered.
    /// Returns the processes.
    pub(super) fn freeze(&self) -> Result<Vec<u32>, ServiceError> {
        let Some(pid) = self.pid() else { return Ok(Vec::new()) };
        signal(pid, Signal::STOP)?;
        thread::sleep(STOP_SIGNAL_DELAY);
        // On a busy machine it takes longer, and a process that is started after the look would survive a kill.
        wait_until(STOP_LIMIT, || !is_still_running(pid));
        let mut processes = children(pid);
        processes.push(pid);
        self.recipe.directory().record_frozen(&processes)?;
        for &pid in &processes {
            signal(pid, Signal::STOP)?;
        }
        Ok(processes)
    }

    /// Lets a frozen server run on.
    pub(super) fn thaw(&self) -> Result<(), ServiceError> {
        let Some(pid) = self.pid() else { return Ok(()) };
        for pid in children(pid).into_iter().chain([pid]) {
            signal(pid, Signal::CONT)?;
        }
        Ok(())
    }

    /// The process number of the server while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    fn ended(&self) -> Result<(), ServiceError> {
        self.recipe.directory().forget_pid();
        let port = self.recipe.port();
        if wait_until(STOP_LIMIT, || port::is_free(port)) {
            return Ok(());
        }
        Err(ServiceError::failed(format!("port {port} is still taken after the end of {}", R::NAME)))
    }
}

impl<R: Recipe> Drop for Instance<R> {
    fn drop(&mut self) {
        // Failures stay silent: the watchdog comes after.
        let Some(mut child) = self.child.take() else { return };
        for pid in children(child.id()).into_iter().chain([child.id()]) {
            let _ = signal(pid, Signal::CONT);
        }
        let _ = signal(child.id(), R::HALT);
        if !wait_until(DROP_LIMIT, || matches!(child.try_wait(), Ok(Some(_)))) {
            let _ = child.kill();
            let _ = child.wait();
        }
        Directory::new(self._temporary.path()).forget_pid();
    }
}

/// Starts a server in a process group of its own and waits until it accepts clients.
pub(super) fn spawn<R: Recipe>(recipe: &R) -> Result<Child, ServiceError> {
    let (output, error) = recipe.directory().open_log()?;
    let mut child = recipe
        .command()
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(error)
        .process_group(0)
        .spawn()
        .map_err(ServiceError::io(format!("start {}", R::NAME)))?;
    let pid = child.id();
    recipe.directory().record_pid(pid)?;
    let mut ended = None;
    let answered = wait_until(START_LIMIT, || {
        ended = child.try_wait().ok().flatten();
        ended.is_some() || recipe.is_ready(pid)
    });
    if answered && ended.is_none() {
        return Ok(child);
    }
    let _ = child.kill();
    let _ = child.wait();
    recipe.directory().forget_pid();
    let what = match ended {
        Some(status) => format!("{} ended while it was starting ({status})", R::NAME),
        None => format!("{} was not ready within {START_LIMIT:?}", R::NAME),
    };
    Err(ServiceError::Failed { what, log: recipe.directory().end_of_log() })
}

/// Starts the server; if somebody took its port in the meantime, makes another attempt with another port.
pub(super) fn start_somewhere<R: Recipe>(
    instance: &mut Instance<R>,
    mut set_port: impl FnMut(&mut R, u16),
) -> Result<(), ServiceError> {
    const ATTEMPTS: usize = 5;
    for _ in 1..ATTEMPTS {
        match instance.start() {
            Err(ServiceError::Failed { log, .. }) if log.contains("Address already in use") => {
                set_port(&mut instance.recipe, port::free_port()?);
            }
            answer => return answer,
        }
    }
    instance.start()
}
