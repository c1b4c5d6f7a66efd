//! Logs: text where a person looks, JSON lines where a program does. They go to standard error.

use std::io::{IsTerminal, stderr};

use anyhow::Context;
use tracing_subscriber::EnvFilter;

/// What is not logged unless it is asked for by name: the pool warns of each connection that a store lost, where the engine
/// tells once that the store is gone; the parser of HTTP calls it an error when a client sends something that is no HTTP; and
/// the threads of the server come and go aloud.
const QUIET: &str = "deadpool.postgres=error,actix_http::h1=off,actix_server=warn";

/// Begins to log what `filter` names, panics included.
pub(crate) fn start(filter: &str) -> anyhow::Result<()> {
    // Of directives for the same target the later one holds.
    let filter = EnvFilter::try_new(format!("{QUIET},{filter}"))
        .with_context(|| format!("LOG={filter:?} is no filter"))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    if stderr().is_terminal() {
        logs.with_target(false).init();
    } else {
        logs.json().flatten_event(true).with_current_span(false).init();
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text =
            text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
        tracing::error!(place, text, "panic");
    }));
    Ok(())
}
