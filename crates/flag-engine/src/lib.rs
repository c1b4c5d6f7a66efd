//! What happens when, and which version is current: the live snapshot of an environment, the way of a change into it, and
//! the ports through which stores and feeds take part.
//!
//! The [`Engine`] answers from memory and never waits for a store to do so. Everything that is written down, in a database,
//! in a cache, in an answer, has its shape in [`document`].

pub mod announcement;
mod backoff;
mod bound;
mod catch_up;
mod cell;
mod channel_feed;
mod commit;
mod convergence;
mod digest;
pub mod document;
mod engine;
mod environment;
mod follow;
mod loading;
mod local;
mod mend;
mod nodes;
mod ports;
mod process_feed;
mod receipt;
mod report;
mod rows;
mod status;
mod tally;

pub use backoff::jittered;
pub use bound::{Bound, BoundHits};
pub use catch_up::CatchUpError;
pub use channel_feed::{Channel, ChannelFeed, Session};
pub use commit::{ApplyError, Committed, Precondition, Request};
pub use convergence::{Convergence, ConvergenceError, Progress};
pub use digest::{Digest, RowSum};
pub use engine::{Engine, Parts};
pub use environment::EnvironmentName;
pub use loading::{Column, LoadedRows};
pub use local::{Live, LocalSnapshot};
pub use nodes::{
    MOST_NODES, NODE_MEMORY, NODE_SILENCE, NodeId, NodeIdentity, NodeName, NodeReport, SeenNode,
};
pub use ports::{
    Appended, Batch, Bootstrap, BoxFuture, ChangeFeed, Fetched, FlagSource, FlagStore, Hint, Hints,
    HistoryPage, StoreError,
};
pub use process_feed::ProcessFeed;
pub use receipt::{
    Answering, Fingerprint, IdempotencyKey, InvalidKey, MOST_RECEIPTS, RECEIPT_LIFE, RECEIPTS_REMOVED,
    Receipt, Receipts, Repeatable,
};
pub use rows::{OverrideRow, Rows};
pub use status::{Cluster, Status, StoreStatus, with_causes};
pub use tally::Digested;
