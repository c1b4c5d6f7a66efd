//! One server process: started on a free port, found by the address that it prints, killed, frozen or told to stop.

use std::collections::VecDeque;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::site::Bench;

/// How long a server may take to say where it listens.
const START: Duration = Duration::from_secs(30);
/// How many of the last lines of its log are kept for whoever has to find out what broke.
const KEPT_LINES: usize = 60;

/// How a node is started.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) program: PathBuf,
    pub(crate) database_url: String,
    pub(crate) redis_url: Option<String>,
    pub(crate) redis_prefix: String,
    /// Where it keeps what it keeps; stays the same when it is started again.
    pub(crate) directory: PathBuf,
}

/// A running server. Dropping it kills it.
pub(crate) struct Node {
    process: Child,
    url: String,
    log: Log,
}

type Log = Arc<Mutex<VecDeque<String>>>;

impl Recipe {
    /// A node that has its flags in a file of SQLite in `directory`, and needs nothing else.
    pub(crate) fn sqlite(bench: &Bench, directory: &Path) -> Self {
        Self {
            program: bench.program.clone(),
            database_url: "sqlite:data/flags.db".to_owned(),
            redis_url: None,
            redis_prefix: "faults".to_owned(),
            directory: directory.to_owned(),
        }
    }

    /// The program with these settings and nothing inherited that could change them.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        for name in [
            "DATABASE_URL",
            "REDIS_URL",
            "REDIS_PREFIX",
            "HOST",
            "PORT",
            "LOG",
            "FLAG_ADMIN_TOKEN",
            "DATA_DIR",
            "NODE_NAME",
        ] {
            command.env_remove(name);
        }
        command.env("DATABASE_URL", &self.database_url).env("REDIS_PREFIX", &self.redis_prefix);
        command.env("PORT", "0").env("LOG", "info").current_dir(&self.directory).stdin(Stdio::null());
        if let Some(url) = &self.redis_url {
            command.env("REDIS_URL", url);
        }
        command
    }

    /// Starts a node and waits until it says where it listens.
    pub(crate) async fn start(&self) -> Result<Node> {
        let mut process = self.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let log = Log::default();
        let (output, errors) = (process.stdout.take(), process.stderr.take());
        let (tell, told) = oneshot::channel();
        let mut tell = Some(tell);
        // Both are read to their end, so that the server never waits for somebody to read what it says.
        read_lines(output, move |line| {
            if let (Some((_, address)), Some(tell)) =
                (line.split_once("listens on "), tell.take_if(|_| line.contains("listens on ")))
            {
                let _ = tell.send(address.trim().to_owned());
            }
        });
        let kept = Arc::clone(&log);
        read_lines(errors, move |line| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push_back(line);
            if kept.len() > KEPT_LINES {
                kept.pop_front();
            }
        });
        let mut node = Node { process, url: String::new(), log };
        match timeout(START, told).await {
            Ok(Ok(url)) => node.url = url,
            _ => bail!("a node does not say where it listens; its log ends with\n{}", node.log()),
        }
        Ok(node)
    }

    /// The same, for nodes whose files will be limited: to them a write beyond the limit is an error of the disk, as when it is
    /// full, and not the signal that would end them.
    pub(crate) fn bearing_limits(mut self) -> Result<Self> {
        let script = self.directory.join("start");
        let text = format!("#!/bin/sh\ntrap '' XFSZ\nexec '{}' \"$@\"\n", self.program.display());
        fs::write(&script, text)?;
        fs::set_permissions(&script, Permissions::from_mode(0o700))?;
        self.program = script;
        Ok(self)
    }

    /// Runs `flag migrate`.
    pub(crate) async fn migrate(&self) -> Result<std::process::Output> {
        let mut command = self.command();
        command.arg("migrate");
        let output = tokio::task::spawn_blocking(move || command.output());
        output.await?.context("flag migrate runs")
    }
}

impl Node {
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The last lines that it logged.
    pub(crate) fn log(&self) -> String {
        let lines = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().fold(String::new(), |text, line| text + "    " + line + "\n")
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Tells it to stop by SIGTERM; gives the exit code, and how long it took to end. Kills it if that is longer than `limit`.
    pub(crate) async fn terminate(&mut self, limit: Duration) -> Result<(Option<i32>, Duration)> {
        let told = Instant::now();
        kill_process(self.process_number()?, Signal::TERM)?;
        while told.elapsed() < limit {
            if let Some(status) = self.process.try_wait()? {
                return Ok((status.code(), told.elapsed()));
            }
            sleep(Duration::from_millis(2)).await;
        }
        self.kill()?;
        Ok((None, told.elapsed()))
    }

    /// Stops it in its tracks: its connections stay open, and it answers nothing until [`Node::thaw`].
    pub(crate) fn freeze(&self) -> Result<()> {
        Ok(kill_process(self.process_number()?, Signal::STOP)?)
    }

    pub(crate) fn thaw(&self) -> Result<()> {
        Ok(kill_process(self.process_number()?, Signal::CONT)?)
    }

    /// Lets no file that it writes grow beyond so many bytes from now on; absent, as much as the machine takes. Only for one
    /// that was started by [`Recipe::bearing_limits`]: any other is killed by the first write that is refused.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) -> Result<()> {
        prlimit(Some(self.process_number()?), Resource::Fsize, Rlimit { current: bytes, maximum: None })?;
        Ok(())
    }

    fn process_number(&self) -> Result<Pid> {
        i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("a process number")
    }

    /// How much memory it holds, in bytes.
    pub(crate) fn memory(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.pid());
        let status = fs::read_to_string(Path::new(&path)).with_context(|| format!("read {path}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kibibytes.context("the kernel does not say how much memory it holds")? * 1_024)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // One that has ended already is no loss.
        let _ = self.kill();
    }
}

fn read_lines(stream: Option<impl Read + Send + 'static>, mut take: impl FnMut(String) + Send + 'static) {
    if let Some(stream) = stream {
        std::thread::spawn(move || {
            BufReader::new(stream).lines().map_while(Result::ok).for_each(&mut take);
        });
    }
}
