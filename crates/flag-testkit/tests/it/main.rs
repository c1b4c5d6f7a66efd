//! The test kit kept to its own contracts: what others are compared with must be right first.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails should stop at the line that failed"
)]

mod memory;
