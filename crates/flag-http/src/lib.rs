//! The REST interface of the feature flag engine.
