//! The numbered lines that tell how far a run has come.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// Counts and times the steps of one run. Progress goes to standard error, as cargo's own does.
pub(crate) struct Steps {
    total: usize,
    begun: usize,
}

impl Steps {
    pub(crate) fn new(total: usize) -> Self {
        Self { total, begun: 0 }
    }

    /// Announces a step, does it, and says how long it took.
    pub(crate) fn step<T>(&mut self, title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.announce(title);
        let began = Instant::now();
        let outcome = work().with_context(|| format!("{title} failed"));
        let verdict = if outcome.is_ok() { "done" } else { "failed" };
        eprintln!("[{}/{}] {title} {verdict} in {}", self.begun, self.total, seconds(began.elapsed()));
        outcome
    }

    /// Announces a step that ends in somebody else's words.
    pub(crate) fn announce(&mut self, title: &str) {
        self.begun += 1;
        eprintln!("[{}/{}] {title} …", self.begun, self.total);
    }
}

/// Runs a program with its output streamed through; fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot start {name}"))?;
    if !status.success() {
        let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
        bail!("`{name} {}` ended with {status}", arguments.join(" "));
    }
    Ok(())
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_is_named_in_the_error() {
        let mut steps = Steps::new(1);
        let error = steps.step("shell", || run(Command::new("sh").args(["-c", "exit 3"]))).unwrap_err();
        let message = format!("{error:#}");
        assert!(message.starts_with("shell failed: `sh -c exit 3` ended with"), "{message}");
    }

    #[test]
    fn elapsed_time_is_shown_in_tenths_of_a_second() {
        assert_eq!(seconds(Duration::from_millis(61_250)), "61.2 s");
    }
}
