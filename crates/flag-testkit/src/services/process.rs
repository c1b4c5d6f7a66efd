//! Signals, and the questions that can be asked about a process that need not be a child of this one.

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::ServiceError;

const POLL: Duration = Duration::from_millis(10);

/// Sends a signal; a process that is gone already is no error.
pub(super) fn signal(pid: u32, signal: Signal) -> Result<(), ServiceError> {
    match number(pid).map(|pid| kill_process(pid, signal)) {
        None | Some(Ok(()) | Err(rustix::io::Errno::SRCH)) => Ok(()),
        Some(Err(error)) => {
            Err(ServiceError::Io { what: format!("send a signal to process {pid}"), source: error.into() })
        }
    }
}

/// Whether the process still runs; one that has ended but was not yet collected by its parent does not.
pub(super) fn is_alive(pid: u32) -> bool {
    let zombie = || matches!(stat(pid), Some((state, _)) if state == "Z");
    number(pid).is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH)) && !zombie()
}

/// Whether the process has yet to obey a stop signal. Where the operating system does not tell, it is taken to have done so.
pub(super) fn is_still_running(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| !matches!(state.as_str(), "T" | "Z" | "X"))
}

/// The processes that this one has started and that still run.
///
/// Process groups do not serve: each PostgreSQL backend makes itself the leader of a group of its own.
pub(super) fn children(parent: u32) -> Vec<u32> {
    if Path::new("/proc/self/stat").exists() {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        return pids.filter(|&pid| stat(pid).is_some_and(|(_, of)| of == parent)).collect();
    }
    let table = Command::new("ps").args(["-A", "-o", "pid=,ppid="]).output();
    let table = table.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&table).lines().filter_map(|line| row(line, parent)).collect()
}

/// The command line of a process, its arguments separated by spaces; empty if it is unknown.
pub(super) fn command_line(pid: u32) -> String {
    if let Ok(arguments) = fs::read(format!("/proc/{pid}/cmdline")) {
        return String::from_utf8_lossy(&arguments).replace('\0', " ");
    }
    let line = Command::new("ps").args(["-p", &pid.to_string(), "-o", "command="]).output();
    line.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// Asks again and again until the answer is yes; whether that came within the limit.
pub(super) fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(POLL);
    }
}

fn number(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// State and parent of a process, where the kernel has `/proc`.
fn stat(pid: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses, and may itself hold spaces and parentheses.
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ');
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

fn row(line: &str, parent: u32) -> Option<u32> {
    let mut numbers = line.split_whitespace().map(str::parse::<u32>);
    let (pid, of) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (of == parent).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_listed_under_its_parent_until_it_ends() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        assert!(children(std::process::id()).contains(&pid));
        assert!(is_alive(pid));
        // The kernel shows the arguments a moment after the start.
        assert!(wait_until(Duration::from_secs(5), || command_line(pid).contains("60")));
        signal(pid, Signal::KILL).unwrap();
        assert!(wait_until(Duration::from_secs(5), || !is_alive(pid)), "a zombie is not alive");
        child.wait().unwrap();
        signal(pid, Signal::TERM).unwrap();
    }

    #[test]
    fn a_line_of_ps_counts_for_its_parent_only() {
        assert_eq!(row("  12   7", 7), Some(12));
        assert_eq!(row("  12   7", 8), None);
        assert_eq!(row("", 8), None);
    }
}
