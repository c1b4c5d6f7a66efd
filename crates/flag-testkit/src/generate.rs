//! Strategies that draw keys, ids, changes and contexts: those that `flag-core` offers to everybody who embeds it. There is
//! no second set.

pub use flag_core::testing::*;
