//! The promises of `flag-core`, tested through its public interface.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop at the line that failed"
)]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "oracles may be written plainly")]

mod change;
mod hash;
mod ladder;
mod laws;
mod mutants;
mod overrides;
mod quarantine;
mod statistics;
mod vectors;
