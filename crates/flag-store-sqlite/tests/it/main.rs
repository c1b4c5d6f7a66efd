//! The promises of `flag-store-sqlite`, on files of their own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop at the line that failed"
)]

mod contract;
mod corrupt;
mod nodes;
mod open;
mod processes;
mod steps;
