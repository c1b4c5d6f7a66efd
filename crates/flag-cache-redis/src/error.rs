//! Why Redis could not do what it was asked.

use std::time::Duration;

use deadpool_redis::PoolError;
use deadpool_redis::redis::RedisError;
use flag_engine::document::Unreadable;

/// Why a url cannot be used. Says nothing that the url holds, for it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not the url of a Redis server.
    #[error("the Redis url cannot be read; write it as redis://user:password@host:6379/0")]
    Unreadable,
    /// It asks for an encrypted connection.
    #[error(
        "the Redis url asks for TLS, which this program does not speak yet; use redis:// or a local proxy"
    )]
    Tls,
}

/// Why the shared snapshot could not be reached, read or written. Nobody fails because of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    /// No connection could be had.
    #[error("no connection")]
    Pool(#[from] PoolError),
    /// The server refused, or the connection is lost.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// The server took longer than this.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// What lies there is not a whole snapshot.
    #[error("the shared snapshot cannot be read")]
    Unreadable(#[from] Unreadable),
    /// A piece went missing while the snapshot was read or written: Redis was emptied, or somebody was quicker.
    #[error("a piece of the shared snapshot is missing")]
    Torn,
    /// The snapshot is larger than what may be shared.
    #[error("the snapshot is larger than {0} bytes, and is not shared")]
    TooLarge(usize),
}
