//! The promises of `flag-store-pg`, tested on real servers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop at the line that failed"
)]

mod contract;
mod database;
mod digest;
mod faults;
mod feed;
mod journeys;
mod migrations;
mod nodes;
mod plans;
mod rows;
