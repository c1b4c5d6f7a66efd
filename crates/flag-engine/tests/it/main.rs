//! The promises of `flag-engine`, kept over a store in memory. Where time matters it stands still, and passes only when
//! everybody waits for it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop at the line that failed"
)]

mod catch_up;
mod cluster;
mod digest;
mod document;
mod failing;
mod law;
mod local;
mod nodes;
mod python;
mod quarantine;
mod repeats;
mod restored;
mod rows;
mod steps;
mod writes;
