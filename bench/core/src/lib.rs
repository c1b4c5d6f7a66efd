//! flag-core beside the evaluators that a Rust user could take from a registry instead, and beside hand-written minimums:
//! the same flags, the same questions, one process.

pub mod chart;
pub mod contestant;
pub mod engine;
pub mod instructions;
pub mod lock;
pub mod measure;
pub mod minimum;
pub mod ours;
pub mod peers;
pub mod report;
pub mod roster;
pub mod sanity;
pub mod scenario;
pub mod table;
pub mod targets;
