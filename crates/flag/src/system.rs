//! What the operating system says of itself, and how many files it lets the process open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::system::uname;

/// How many files may be open at once, so that as many connections as a node takes leave some for its stores and its disk.
const FILES: u64 = 16_384;

/// What the machine is called.
pub(crate) fn host_name() -> String {
    uname().nodename().to_string_lossy().into_owned()
}

/// Lets the process open as many files as it needs, or as many as it may. Many systems start processes with a quarter of a
/// server's needs and let them ask for more.
pub(crate) fn raise_file_limit() {
    let found = getrlimit(Resource::Nofile);
    let Some(now) = found.current.filter(|now| *now < FILES) else { return };
    let most = found.maximum.unwrap_or(FILES).min(FILES);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: found.maximum });
    let files = if raised.is_ok() { most } else { now };
    if files < FILES {
        tracing::warn!(
            files,
            wanted = FILES,
            "few files may be open at once; many connections would take them all"
        );
    }
}
