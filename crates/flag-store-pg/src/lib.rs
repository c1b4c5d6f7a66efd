//! The feature flag engine's store and change feed on PostgreSQL.
