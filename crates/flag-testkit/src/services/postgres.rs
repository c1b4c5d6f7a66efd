//! A PostgreSQL server as a child process, with full durability.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use rustix::process::Signal;

use super::{
    ServiceError,
    account::Account,
    database,
    directory::{Directory, last_lines},
    instance::{Instance, Recipe, start_somewhere},
    port::free_port,
    process::command_line,
    program,
};

/// A private PostgreSQL server on a loopback port. Dropped, it is gone together with its data.
///
/// Durability is as in production (`fsync` and `synchronous_commit` are on), so that a test may kill the server
/// and ask for what was acknowledged. Everyone on the loopback interface may connect, as the superuser `postgres`.
#[derive(Debug)]
pub struct Postgres(Instance<PostgresRecipe>);

impl Postgres {
    /// Creates a new, empty server and waits until it accepts clients; takes about two seconds.
    ///
    /// The programs are looked for in the folder named by `FLAG_POSTGRES_BIN`, on the path, and where
    /// distributions put them, newest version first. A caller that is root runs them as `postgres` or `nobody`.
    ///
    /// # Errors
    /// [`ServiceError::Missing`] without the programs; else why it did not start, with the end of its log.
    pub fn start() -> Result<Self, ServiceError> {
        let programs = program::postgres()?;
        let temporary = tempfile::Builder::new()
            .prefix("flag-postgres-")
            .tempdir()
            .map_err(ServiceError::io("create a temporary directory"))?;
        let recipe = PostgresRecipe::new(programs, temporary.path(), free_port()?)?;
        let mut instance = Instance::new(recipe, temporary)?;
        instance.recipe.initialise()?;
        start_somewhere(&mut instance, |recipe, port| recipe.port = port)?;
        Ok(Self(instance))
    }

    /// The folder of the programs that [`Postgres::start`] would run.
    ///
    /// # Errors
    /// [`ServiceError::Missing`] if there is none.
    pub fn locate() -> Result<PathBuf, ServiceError> {
        program::postgres()
    }

    /// `postgres://` URL of the database `postgres`; stays the same for the life of this value.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.recipe.url()
    }

    /// The TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.recipe.port
    }

    /// The process number of the postmaster, or `None` while the server is down.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.0.pid()
    }

    /// Creates an empty database with a name that no other has, and returns its URL.
    ///
    /// # Errors
    /// [`ServiceError::Failed`] with the answer of the server.
    pub fn fresh_database(&self) -> Result<String, ServiceError> {
        database::create_fresh(&self.url())
    }

    /// Creates an empty database and returns its URL.
    ///
    /// # Errors
    /// [`ServiceError::Failed`] with the answer of the server, for instance that the database exists.
    pub fn create_database(&self, name: &str) -> Result<String, ServiceError> {
        database::create(&self.url(), name)
    }

    /// Fast shutdown: ends every session, writes everything out, and waits for the end. No-op if it is down.
    ///
    /// # Errors
    /// [`ServiceError::Failed`] if it does not end within 30 seconds.
    pub fn stop(&mut self) -> Result<(), ServiceError> {
        self.0.stop()
    }

    /// Kills every process of the server at once, as a power cut would, and waits until the port is free.
    /// No-op if it is down.
    ///
    /// # Errors
    /// If a signal cannot be sent, or the port is not free after 30 seconds.
    pub fn kill(&mut self) -> Result<(), ServiceError> {
        self.0.kill()
    }

    /// Starts the server anew on the same port and data, and waits until it has recovered. No-op if it runs.
    ///
    /// # Errors
    /// [`ServiceError::Failed`] with the end of its log.
    pub fn start_again(&mut self) -> Result<(), ServiceError> {
        self.0.start()
    }

    /// Halts every process of the server: connections stay open, new ones are accepted by the kernel, and
    /// nothing is answered until [`Postgres::thaw`].
    ///
    /// # Errors
    /// If a signal cannot be sent.
    pub fn freeze(&self) -> Result<(), ServiceError> {
        self.0.freeze().map(|_| ())
    }

    /// Lets a frozen server run on.
    ///
    /// # Errors
    /// If a signal cannot be sent.
    pub fn thaw(&self) -> Result<(), ServiceError> {
        self.0.thaw()
    }
}

/// How a PostgreSQL server is made and run.
#[derive(Debug)]
pub(super) struct PostgresRecipe {
    programs: PathBuf,
    directory: Directory,
    port: u16,
    account: Option<Account>,
}

impl PostgresRecipe {
    pub(super) fn new(programs: PathBuf, directory: &Path, port: u16) -> Result<Self, ServiceError> {
        let account = Account::unprivileged()?;
        Ok(Self { programs, directory: Directory::new(directory), port, account })
    }

    /// Creates the data directory with `initdb`.
    pub(super) fn initialise(&self) -> Result<(), ServiceError> {
        if let Some(account) = self.account {
            account.own(self.directory.path())?;
        }
        let child = self
            .program("initdb")
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"])
            // Only the creation is unsafe against a power cut; the server itself syncs.
            .arg("--no-sync")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(ServiceError::io("start initdb"))?;
        // For the watchdog, as long as there is no server.
        self.directory.record_pid(child.id())?;
        let output = child.wait_with_output().map_err(ServiceError::io("wait for initdb"))?;
        self.directory.forget_pid();
        if output.status.success() {
            return Ok(());
        }
        let Output { status, stderr, .. } = output;
        let log = last_lines(&String::from_utf8_lossy(&stderr));
        Err(ServiceError::Failed { what: format!("initdb failed ({status})"), log })
    }

    pub(super) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// A line of the server's lock file, counted from 0.
    fn lock_line(&self, number: usize) -> Option<String> {
        let lock = fs::read_to_string(self.directory.data().join("postmaster.pid")).ok()?;
        lock.lines().nth(number).map(|line| line.trim().to_owned())
    }

    /// One of the programs, under the right account and with the data directory as its first argument.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        if let Some(account) = self.account {
            account.run(&mut command);
        }
        command.current_dir(self.directory.path()).arg("-D").arg(self.directory.data());
        command
    }
}

impl Recipe for PostgresRecipe {
    const NAME: &'static str = "PostgreSQL";
    const STOP: Signal = Signal::INT;
    /// Without a checkpoint, but with the shared memory given back, which a kill does not do.
    const HALT: Signal = Signal::QUIT;

    fn command(&self) -> Command {
        let mut command = self.program("postgres");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        for setting in [
            "unix_socket_directories=",
            "fsync=on",
            "synchronous_commit=on",
            "full_page_writes=on",
            "shared_buffers=16MB",
            "max_connections=200",
            // In the data directory, so that a killed server leaves nothing elsewhere.
            "dynamic_shared_memory_type=mmap",
            "logging_collector=off",
        ] {
            command.args(["-c", setting]);
        }
        if cfg!(target_os = "linux") {
            // Recovery would sync every file one by one, which takes seconds; one call does the same. Since version 14.
            command.args(["-c", "recovery_init_sync_method=syncfs"]);
        }
        command
    }

    /// The server keeps its state in the eighth line of its lock file, and its process number in the first. A crash
    /// leaves the file behind, so the process must also be one that was started on this data.
    fn is_ready(&self, pid: u32) -> bool {
        self.lock_line(0).is_some_and(|owner| owner == pid.to_string())
            && self.lock_line(7).is_some_and(|state| state == "ready")
            && command_line(pid).contains(&*self.directory.data().to_string_lossy())
    }

    /// A segment of shared memory tells the next server on this data whether the last one is really gone. It stays
    /// after a kill, and the kernel has room for a few thousand only. Key and number are in the seventh line.
    fn bury(&self) {
        let line = self.lock_line(6).unwrap_or_default();
        if let Some(segment) = line.split_whitespace().nth(1) {
            // Where `ipcrm` is missing the segment stays, which is harmless for long.
            let _ = Command::new("ipcrm").args(["-m", segment]).stderr(Stdio::null()).status();
        }
    }

    fn directory(&self) -> &Directory {
        &self.directory
    }

    fn port(&self) -> u16 {
        self.port
    }
}
