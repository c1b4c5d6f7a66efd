//! Who runs on which core: servers on one half of them, and whoever asks on the other, so that neither takes from the other.

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores that this process may use, in two halves.
pub struct Cores {
    servers: Vec<usize>,
    clients: Vec<usize>,
}

impl Cores {
    /// Divides the cores. With a single one, both halves are that one.
    pub fn divide() -> Result<Self> {
        let allowed = sched_getaffinity(None).context("which cores may be used?")?;
        let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
        let (servers, clients) = all.split_at(all.len().div_ceil(2));
        let clients = if clients.is_empty() { servers } else { clients };
        Ok(Self { servers: servers.to_vec(), clients: clients.to_vec() })
    }

    /// How many cores a server has, and thus how many workers.
    pub fn of_a_server(&self) -> usize {
        self.servers.len()
    }

    /// Starts something that is to run on the cores of servers: what a thread starts inherits its cores.
    pub fn among_servers<T>(&self, start: impl FnOnce() -> T) -> Result<T> {
        pin(&self.servers)?;
        let started = start();
        pin(&self.clients)?;
        Ok(started)
    }
}

fn pin(cores: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    sched_setaffinity(None, &set).context("a thread cannot be kept on its cores")
}
