//! The feature flag engine on Redis: [`RedisSource`] shares snapshots between nodes, [`start_feed`] tells them of changes.
//!
//! Redis is never asked to answer an evaluation and never has to be there for a write. The shared snapshot lets a node start
//! without reading every row of the store, and while the store is down; a hint lets it hear of a change within milliseconds.
//! Everything that Redis forgets is written anew by the nodes.

mod error;
mod feed;
mod keeper;
mod pieces;
mod prefix;
mod snapshots;
mod source;

pub use error::ConfigError;
pub use feed::start_feed;
pub use prefix::{InvalidPrefix, Prefix};
pub use source::RedisSource;
