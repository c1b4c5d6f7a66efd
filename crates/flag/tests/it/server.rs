//! One server process: started on a free port, found by the address that it prints, ended with the test.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The program under test.
pub const FLAG: &str = env!("CARGO_BIN_EXE_flag");

/// A running server. Dropping it kills it.
pub struct Server {
    process: Child,
    pub url: String,
    /// Every line that it has printed or logged.
    said: Arc<Mutex<Vec<String>>>,
    /// Where it keeps its flags, unless its settings name another directory: nodes must not share one.
    _data: TempDir,
}

/// How a server is started.
#[derive(Clone, Default)]
pub struct Settings {
    pub database_url: String,
    pub redis_url: Option<String>,
    pub environment: Vec<(String, String)>,
    /// The working directory, unless it does not matter.
    pub directory: Option<PathBuf>,
}

impl Settings {
    /// A server with a file of embedded SQLite in `directory`.
    pub fn sqlite(directory: &Path) -> Self {
        let database_url = format!("sqlite:{}", directory.join("flags.db").display());
        Self { database_url, ..Self::default() }
    }

    /// A node on a PostgreSQL database, with or without Redis.
    pub fn postgres(database_url: &str, redis_url: Option<&str>) -> Self {
        Self {
            database_url: database_url.to_owned(),
            redis_url: redis_url.map(str::to_owned),
            ..Self::default()
        }
    }

    /// The same with one more variable in its environment.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The program with these settings and nothing inherited that could change them.
    pub fn command(&self) -> Command {
        let mut command = Command::new(FLAG);
        for name in [
            "DATABASE_URL",
            "REDIS_URL",
            "REDIS_PREFIX",
            "HOST",
            "PORT",
            "LOG",
            "FLAG_ADMIN_TOKEN",
            "NODE_NAME",
        ] {
            command.env_remove(name);
        }
        command.env_remove("DATA_DIR");
        command.env("DATABASE_URL", &self.database_url).env("PORT", "0").env("LOG", "warn");
        if let Some(url) = &self.redis_url {
            command.env("REDIS_URL", url);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.directory.clone().unwrap_or_else(std::env::temp_dir));
        command
    }
}

impl Server {
    /// Starts a server and waits until it says where it listens.
    pub fn start(settings: &Settings) -> Self {
        let mut command = settings.command();
        let data = tempfile::tempdir().expect("a directory");
        if settings.environment.iter().all(|(name, _)| name != "DATA_DIR") {
            command.env("DATA_DIR", data.path());
        }
        let mut process =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the server starts");
        let said = Arc::new(Mutex::new(Vec::new()));
        let (logged, printed) = (Arc::clone(&said), Arc::clone(&said));
        let note = |lines: &Mutex<Vec<String>>, line| {
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        };
        let errors = BufReader::new(process.stderr.take().expect("its errors are piped"));
        // Repeated by a thread of the test, they are shown if the test fails and not otherwise.
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                eprintln!("{line}");
                note(&logged, line);
            }
        });
        let output = BufReader::new(process.stdout.take().expect("its output is piped"));
        let (tell, told) = mpsc::channel();
        // Reads on to the end, so that the server never waits for somebody to read its output.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listens on ") {
                    let _ = tell.send(address.trim().to_owned());
                }
                note(&printed, line);
            }
        });
        let url = told.recv_timeout(Duration::from_secs(30));
        let url =
            url.unwrap_or_else(|_| panic!("the server says where it listens; {:?}", process.try_wait()));
        Self { process, url, said, _data: data }
    }

    /// Everything that it has printed or logged until now.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// The first line that it prints or logs with all of `words` in it.
    #[track_caller]
    pub fn line(&self, words: &[&str]) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let said = self.said();
            let line = said.lines().find(|line| words.iter().all(|word| line.contains(word)));
            if let Some(line) = line {
                return line.to_owned();
            }
            assert!(Instant::now() < deadline, "{words:?} in one line of {said}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        self.process.wait().expect("the server is gone");
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for the end of a server that was told to stop; gives the exit code.
    pub fn ended(&mut self) -> Option<i32> {
        self.process.wait().expect("the server is gone").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
