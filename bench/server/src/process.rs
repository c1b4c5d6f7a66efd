//! A server as a child process: where it listens, what it costs, and its end.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// How long a server may take until it listens.
const START: Duration = Duration::from_secs(60);

/// A running server. Dropped, it is killed.
pub struct Process {
    child: Child,
    /// What it keeps its flags in, if that shall go when it does.
    disk: Option<TempDir>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Process {
    /// Starts `command`, which prints `… listens on http://address`.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("no server")?;
        let output = BufReader::new(child.stdout.take().context("its output is piped")?);
        let (tell, told) = mpsc::channel();
        // Reads on to the end, so that the server never waits for somebody to read its output.
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listens on http://") {
                    let _ = tell.send(address.trim().to_owned());
                }
            }
        });
        let address = told.recv_timeout(START).ok().and_then(|address| address.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            anyhow::bail!("the server does not say where it listens");
        };
        Ok(Self { child, disk: None, address })
    }

    /// The same, with a folder that goes when the process does.
    pub fn with_disk(mut self, disk: TempDir) -> Self {
        self.disk = Some(disk);
        self
    }

    /// Its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Nanoseconds that its threads have computed since it began, in the kernel on its behalf included.
    pub fn computed(&self) -> Result<u64> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).context("list threads")?;
        let mut total = 0;
        for thread in threads {
            // A thread may end in between.
            let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            let computed = text.split(' ').next().and_then(|number| number.parse::<u64>().ok());
            total += computed.context("schedstat begins with a number")?;
        }
        Ok(total)
    }

    /// Bytes of memory that it holds now.
    pub fn memory(&self) -> Result<u64> {
        self.status("VmRSS:")
    }

    /// Bytes of memory that it held at its highest.
    pub fn peak_memory(&self) -> Result<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).context("its status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such line")?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().context("a number of kB")?;
        Ok(kilobytes * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
