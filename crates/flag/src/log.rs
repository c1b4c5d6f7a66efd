//! Logs: text where a person looks, JSON lines where a program does. They go to standard error.

use std::io::{IsTerminal, stderr};

use anyhow::{Context, bail};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, LevelFilter};

/// What is not logged unless it is asked for by name: the pool warns of each connection that a store lost, where the engine
/// tells once that the store is gone; the parser of HTTP calls it an error when a client sends something that is no HTTP; and
/// the threads of the server come and go aloud.
const QUIET: &str = "deadpool.postgres=error,actix_http::h1=off,actix_server=warn";

/// What is logged by whoever names nothing.
pub(crate) const DEFAULT: &str = "info";

/// Begins to log what `filter` names, panics included.
pub(crate) fn start(filter: &str) -> anyhow::Result<()> {
    // Of directives for the same target the later one holds.
    let filter = EnvFilter::try_new(format!("{QUIET},{}", checked(filter)?)).context("LOG")?;
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

/// `filter`, if each of its parts says something. A word that is no level would be taken for the name of a target, and nothing
/// else would be logged at all.
fn checked(filter: &str) -> anyhow::Result<String> {
    let parts: Vec<&str> = filter.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    for part in &parts {
        let is_level = || part.parse::<LevelFilter>().is_ok();
        let is_known = part.contains(['=', '[']) || is_level();
        if !is_known || part.parse::<Directive>().is_err() {
            bail!("LOG={part:?} is no level: write error, warn, info, debug, trace or off, or target=level");
        }
    }
    Ok(if parts.is_empty() { DEFAULT.to_owned() } else { parts.join(",") })
}
