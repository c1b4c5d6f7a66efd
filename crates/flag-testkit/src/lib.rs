//! Generators, models, contract suites and private datastores for tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "only tests use this crate, and a test that fails should stop at the line that failed"
)]

pub mod contract;
pub mod generate;
pub mod memory;
pub mod planned;
pub mod python;
pub mod services;
