//! The feature flag engine's store on embedded SQLite.
