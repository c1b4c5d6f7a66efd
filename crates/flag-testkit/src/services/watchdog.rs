//! What ends a server when the process that started it is gone without a word.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::Signal;

use super::ServiceError;

/// Waits for the end of its standard input, that is for the end of the process that holds the other end of the
/// pipe, however it ends; then halts the server whose number is in the directory, and removes the directory.
/// Frozen processes are thawed before, or they would never notice. Its arguments are the directory and the number of
/// the signal.
const SCRIPT: &str = r#"
cat >/dev/null
if pid=$(cat "$1/pid" 2>/dev/null); then
    kill -CONT "$pid" $(cat "$1/frozen" 2>/dev/null)
    kill "-$2" "$pid"
    turns=0
    while kill -0 "$pid" && [ "$turns" -lt 100 ]; do
        sleep 0.1
        turns=$((turns + 1))
    done
    kill -KILL "$pid"
fi
rm -rf "$1"
"#;

/// A shell that cleans up after this process. Dropped, it is told to look at once, and waited for.
#[derive(Debug)]
pub(super) struct Watchdog(Child);

impl Watchdog {
    pub(super) fn over(directory: &Path, halt: Signal) -> Result<Self, ServiceError> {
        Command::new("sh")
            .args(["-c", SCRIPT, "watchdog"])
            .arg(directory)
            .arg(halt.as_raw().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // A group of its own: Ctrl-C ends the tests, and the watchdog must outlive them.
            .process_group(0)
            .spawn()
            .map(Self)
            .map_err(ServiceError::io("start sh"))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // Nothing can be done about a failure here, and nothing depends on it.
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_ends_the_recorded_process_and_removes_the_directory() {
        let temporary = tempfile::tempdir().unwrap();
        let mut server = Command::new("sleep").arg("60").spawn().unwrap();
        std::fs::write(temporary.path().join("pid"), server.id().to_string()).unwrap();
        let watchdog = Watchdog::over(temporary.path(), Signal::TERM).unwrap();
        assert!(server.try_wait().unwrap().is_none(), "nothing happens while the owner lives");

        let reaper = std::thread::spawn(move || server.wait().unwrap());
        drop(watchdog);
        assert!(!reaper.join().unwrap().success());
        assert!(!temporary.path().exists());
    }
}
