//! A Redis server as a child process, in memory only.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::Signal;

use super::{
    ServiceError,
    directory::Directory,
    instance::{Instance, Recipe, start_somewhere},
    port::free_port,
    program,
};

const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// A private Redis (or Valkey) server on a loopback port, which keeps nothing on disk.
#[derive(Debug)]
pub struct Redis(Instance<RedisRecipe>);

impl Redis {
    /// Starts an empty server and waits until it accepts clients; takes a few milliseconds.
    ///
    /// The program is looked for in the folder named by `FLAG_REDIS_BIN`, on the path, and in the usual places.
    ///
    /// # Errors
    /// [`ServiceError::Missing`] without the program; else why it did not start, with the end of its log.
    pub fn start() -> Result<Self, ServiceError> {
        let program = program::redis()?;
        let temporary = tempfile::Builder::new()
            .prefix("flag-redis-")
            .tempdir()
            .map_err(ServiceError::io("create a temporary directory"))?;
        let recipe = RedisRecipe::new(program, temporary.path(), free_port()?);
        let mut instance = Instance::new(recipe, temporary)?;
        start_somewhere(&mut instance, |recipe, port| recipe.port = port)?;
        Ok(Self(instance))
    }

    /// The program that [`Redis::start`] would run.
    ///
    /// # Errors
    /// [`ServiceError::Missing`] if there is none.
    pub fn locate() -> Result<PathBuf, ServiceError> {
        program::redis()
    }

    /// `redis://` URL; stays the same for the life of this value.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.recipe.url()
    }

    /// The TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.recipe.port
    }

    /// The process number of the server, or `None` while it is down.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.0.pid()
    }

    /// Removes every key of every database.
    ///
    /// # Errors
    /// If the server does not answer within two seconds.
    pub fn flush(&self) -> Result<(), ServiceError> {
        let answer =
            ask(self.port(), "FLUSHALL").map_err(ServiceError::io("send FLUSHALL to the Redis server"))?;
        if answer.starts_with("+OK") { Ok(()) } else { Err(ServiceError::failed(answer)) }
    }

    /// Orderly shutdown; waits for the end. What it held is lost, as there is nothing on disk. No-op if it is down.
    ///
    /// # Errors
    /// [`ServiceError::Failed`] if it does not end within 30 seconds.
    pub fn stop(&mut self) -> Result<(), ServiceError> {
        self.0.stop()
    }

    /// Kills the server at once, and waits until the port is free. No-op if it is down.
    ///
    /// # Errors
    /// If a signal cannot be sent, or the port is not free after 30 seconds.
    pub fn kill(&mut self) -> Result<(), ServiceError> {
        self.0.kill()
    }

    /// Starts the server anew on the same port, empty. No-op if it runs.
    ///
    /// # Errors
    /// [`ServiceError::Failed`] with the end of its log.
    pub fn start_again(&mut self) -> Result<(), ServiceError> {
        self.0.start()
    }

    /// Halts the server: connections stay open, and nothing is answered until [`Redis::thaw`].
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

/// How a Redis server is run.
#[derive(Debug)]
pub(super) struct RedisRecipe {
    program: PathBuf,
    directory: Directory,
    port: u16,
}

impl RedisRecipe {
    pub(super) fn new(program: PathBuf, directory: &Path, port: u16) -> Self {
        Self { program, directory: Directory::new(directory), port }
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Recipe for RedisRecipe {
    const NAME: &'static str = "Redis";
    const STOP: Signal = Signal::TERM;
    const HALT: Signal = Signal::TERM;

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string()]);
        command.args(["--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(self.directory.path());
        command.current_dir(self.directory.path());
        command
    }

    /// The process number in the answer tells this server from another that took the port first.
    fn is_ready(&self, pid: u32) -> bool {
        ask(self.port, "INFO server").is_ok_and(|info| info.contains(&format!("process_id:{pid}\r\n")))
    }

    fn directory(&self) -> &Directory {
        &self.directory
    }

    fn port(&self) -> u16 {
        self.port
    }
}

/// Sends one command in the protocol's inline form, and returns the answer as text.
fn ask(port: u16, command: &str) -> std::io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_LIMIT)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    // After QUIT the server closes the connection, so that the answer has an end.
    stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
