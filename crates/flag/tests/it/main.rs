//! The built binary, as its users see it: over HTTP, in real processes, on real stores.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop at the line that failed"
)]
#![allow(unreachable_pub, reason = "nothing here is public")]

mod client;
mod fleet;
mod history;
mod model;
mod server;
mod tables;
mod wire;
mod write;

mod advice;
mod bad_input;
mod bodies;
mod cluster;
mod command_line;
mod crash;
mod disk;
mod interface;
mod leaving;
mod many_flags;
mod outages;
mod quarantine;
mod readme;
mod repeats;
mod start;
mod suite;
mod told;
mod vectors;
mod writers;
