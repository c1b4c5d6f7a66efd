//! The evaluators that a Rust user could take from a registry, each through the interface that its documentation shows,
//! given the same flags. Where an interface leaves a choice, the faster one is taken.

pub mod configcat;
pub mod eppo;
pub mod feature_flag;
pub mod flagsmith;
pub mod growthbook;
pub mod launchdarkly;
pub mod unleash;
