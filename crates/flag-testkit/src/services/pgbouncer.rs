//! A PgBouncer as a child process: a pooler that hands out connections to PostgreSQL for the time of a transaction.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;

use super::{
    Postgres, ServiceError,
    account::Account,
    directory::Directory,
    instance::{Instance, Recipe},
    port::free_port,
    program,
};

/// How often a port is tried that somebody else may take first.
const ATTEMPTS: usize = 5;

/// A private PgBouncer in transaction mode before a private PostgreSQL. Dropped, it is gone.
#[derive(Debug)]
pub struct PgBouncer(Instance<PgBouncerRecipe>);

impl PgBouncer {
    /// Starts a pooler before `postgres`, and waits until it accepts clients; takes a few milliseconds.
    ///
    /// The program is looked for in the folder named by `FLAG_PGBOUNCER_BIN`, on the path, and in the usual places.
    ///
    /// # Errors
    /// [`ServiceError::Missing`] without the program; else why it did not start, with the end of its log.
    pub fn start(postgres: &Postgres) -> Result<Self, ServiceError> {
        let program = program::pgbouncer()?;
        let mut attempt = Self::try_start(&program, postgres);
        for _ in 1..ATTEMPTS {
            match attempt {
                Err(ServiceError::Failed { log, .. }) if log.contains("in use") => {
                    attempt = Self::try_start(&program, postgres);
                }
                answer => return answer,
            }
        }
        attempt
    }

    fn try_start(program: &Path, postgres: &Postgres) -> Result<Self, ServiceError> {
        let temporary = tempfile::Builder::new()
            .prefix("flag-pgbouncer-")
            .tempdir()
            .map_err(ServiceError::io("create a temporary directory"))?;
        let recipe =
            PgBouncerRecipe::new(program.to_owned(), temporary.path(), free_port()?, postgres.port())?;
        let mut instance = Instance::new(recipe, temporary)?;
        instance.start()?;
        Ok(Self(instance))
    }

    /// The program that [`PgBouncer::start`] would run.
    ///
    /// # Errors
    /// [`ServiceError::Missing`] if there is none.
    pub fn locate() -> Result<PathBuf, ServiceError> {
        program::pgbouncer()
    }

    /// The TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.recipe.port
    }
}

/// How a PgBouncer is run.
#[derive(Debug)]
struct PgBouncerRecipe {
    program: PathBuf,
    directory: Directory,
    port: u16,
    account: Option<Account>,
}

impl PgBouncerRecipe {
    fn new(program: PathBuf, directory: &Path, port: u16, store: u16) -> Result<Self, ServiceError> {
        let recipe =
            Self { program, directory: Directory::new(directory), port, account: Account::unprivileged()? };
        // Whoever comes is let in as the superuser, as PostgreSQL itself would do.
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={store} user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\nmax_client_conn = 500\ndefault_pool_size = 20\npidfile = {}\n",
            recipe.pid_file().display()
        );
        fs::write(recipe.settings(), text).map_err(ServiceError::io("write the settings of PgBouncer"))?;
        if let Some(account) = recipe.account {
            account.own(recipe.directory.path())?;
        }
        Ok(recipe)
    }

    fn settings(&self) -> PathBuf {
        self.directory.path().join("pgbouncer.ini")
    }

    fn pid_file(&self) -> PathBuf {
        self.directory.path().join("pgbouncer.pid")
    }
}

impl Recipe for PgBouncerRecipe {
    const NAME: &'static str = "PgBouncer";
    /// What would be an orderly end waits for clients.
    const STOP: Signal = Signal::TERM;
    const HALT: Signal = Signal::TERM;

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(self.settings()).current_dir(self.directory.path());
        if let Some(account) = self.account {
            account.run(&mut command);
        }
        command
    }

    /// The process number tells this pooler from another server that took the port first.
    fn is_ready(&self, pid: u32) -> bool {
        fs::read_to_string(self.pid_file()).is_ok_and(|number| number.trim() == pid.to_string())
            && TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }

    fn directory(&self) -> &Directory {
        &self.directory
    }

    fn port(&self) -> u16 {
        self.port
    }
}
