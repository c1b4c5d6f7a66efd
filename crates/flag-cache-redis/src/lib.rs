//! The feature flag engine's shared snapshot and change feed on Redis.
