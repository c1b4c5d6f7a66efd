//! Why a datastore could not be had: one enum for the whole module.

use std::io;

/// Why a datastore could not be found, started, driven or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A program is not on this machine: install it, or point to a running server.
    #[error("{program} was not found: {hint}")]
    Missing {
        /// The program that was looked for.
        program: &'static str,
        /// What would make it available.
        hint: &'static str,
    },
    /// A server or one of its tools ran, and refused.
    #[error("{what}{}{log}", if log.is_empty() { "" } else { "\n" })]
    Failed {
        /// What was attempted, and how it ended.
        what: String,
        /// The last lines that the program printed; may be empty.
        log: String,
    },
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// The answer of the operating system.
        source: io::Error,
    },
}

impl ServiceError {
    /// For `map_err`: names the attempt that the operating system refused.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// A failure without anything printed.
    pub(super) fn failed(what: impl Into<String>) -> Self {
        Self::Failed { what: what.into(), log: String::new() }
    }
}
