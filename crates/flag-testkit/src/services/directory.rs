//! The directory of one server: its data, its log and the file with its process number.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::Stdio,
};

use super::ServiceError;

const LINES_OF_LOG: usize = 20;

/// Where one server keeps everything it has.
#[derive(Debug, Clone)]
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// The last lines of the log, for error messages.
    pub(super) fn end_of_log(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        last_lines(&String::from_utf8_lossy(&log))
    }

    /// Standard output and error for a server: both append to the log.
    pub(super) fn open_log(&self) -> Result<(Stdio, Stdio), ServiceError> {
        let open = || -> std::io::Result<(File, File)> {
            let log = OpenOptions::new().create(true).append(true).open(self.log())?;
            Ok((log.try_clone()?, log))
        };
        let (output, error) = open().map_err(ServiceError::io(format!("open {}", self.log().display())))?;
        Ok((output.into(), error.into()))
    }

    /// The process number recorded by [`Directory::record_pid`], if one is.
    pub(super) fn recorded_pid(&self) -> Option<u32> {
        fs::read_to_string(self.pid_file()).ok()?.trim().parse().ok()
    }

    pub(super) fn record_pid(&self, pid: u32) -> Result<(), ServiceError> {
        fs::write(self.pid_file(), pid.to_string())
            .map_err(ServiceError::io(format!("write {}", self.pid_file().display())))
    }

    /// Notes which processes are frozen, or once were, for the watchdog.
    pub(super) fn record_frozen(&self, pids: &[u32]) -> Result<(), ServiceError> {
        let file = self.0.join("frozen");
        let list: Vec<String> = pids.iter().map(u32::to_string).collect();
        fs::write(&file, list.join(" ")).map_err(ServiceError::io(format!("write {}", file.display())))
    }

    pub(super) fn forget_pid(&self) {
        // An absent file is what is wanted.
        let _ = fs::remove_file(self.pid_file());
    }

    fn pid_file(&self) -> PathBuf {
        self.0.join("pid")
    }

    fn log(&self) -> PathBuf {
        self.0.join("log")
    }
}

/// The end of a program's output, short enough for an error message.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(LINES_OF_LOG)).copied().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_cut_to_its_last_lines() {
        let log: Vec<String> = (1..=30).map(|line| line.to_string()).collect();
        let end = last_lines(&log.join("\n"));
        assert!(end.starts_with("11\n") && end.ends_with("\n30"));
        assert_eq!(last_lines("only"), "only");
    }

    #[test]
    fn a_recorded_process_number_can_be_read_back_and_forgotten() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::new(temporary.path());
        assert_eq!(directory.recorded_pid(), None);
        directory.record_pid(42).unwrap();
        assert_eq!(directory.recorded_pid(), Some(42));
        directory.forget_pid();
        assert_eq!(directory.recorded_pid(), None);
    }
}
