//! The promises of `flag-cache-disk`, tested on real files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop at the line that failed"
)]

mod contract;
mod start;
mod steps;
