//! The second implementation of the evaluation, `spec/python`, as a program that tests may ask.

use std::env;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// The name under which Python 3 is looked for.
const PROGRAM: &str = "python3";

/// Whether `cargo xtask test` found no Python 3 on this machine: a test that needs it asks this first, and returns. xtask
/// counts and names the tests that ask.
///
/// Without xtask the answer is no, and the test fails with the reason: nothing is skipped in silence.
#[must_use]
pub fn python_missing() -> bool {
    env::var("FLAG_PYTHON").is_ok_and(|state| state == "missing")
}

/// Whether this machine has Python 3.
#[must_use]
pub fn is_here() -> bool {
    let version = Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// How a script ended: whether it was content, and what it wrote.
#[derive(Debug)]
pub struct Outcome {
    /// Whether its exit code is 0.
    pub success: bool,
    /// Its standard output.
    pub output: String,
}

/// Runs a script of `spec/python` and feeds it `input`. What it complains of goes where the test's own complaints go.
///
/// # Panics
/// If Python 3 is not on this machine, saying what to do about it.
#[must_use]
pub fn run(script: &str, arguments: &[&str], input: &str) -> Outcome {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/python");
    let mut command = Command::new(PROGRAM);
    // Without -B it would leave compiled files beside the sources.
    command.arg("-B").arg(folder.join(script)).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap_or_else(|error| {
        panic!("{PROGRAM} is needed by this test, and does not start: {error}. Install Python 3.8 or later")
    });
    let mut stdin = process.stdin.take().expect("its input is piped");
    let (written, finished) = std::thread::scope(|scope| {
        // Fed beside reading: with both pipes full, each would wait for the other.
        let feeding = scope.spawn(move || stdin.write_all(input.as_bytes()));
        let finished = process.wait_with_output().expect("its output is read");
        (feeding.join().expect("feeding does not panic"), finished)
    });
    match written {
        // A script that reads no input, or has ended early; its exit code tells.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        written => written.expect("its input is taken"),
    }
    let output = String::from_utf8(finished.stdout).expect("it writes UTF-8");
    Outcome { success: finished.status.success(), output }
}
