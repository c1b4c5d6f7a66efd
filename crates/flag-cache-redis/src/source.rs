//! The source: a store, and in front of it the snapshot that the nodes share.

use std::fmt;
use std::sync::Arc;

use deadpool_redis::redis::Client;
use flag_core::{Snapshot, Version};
use flag_engine::{BoundHits, BoxFuture, EnvironmentName, Fetched, FlagSource, StoreError, with_causes};
use tokio::task::JoinHandle;

use crate::error::{CacheError, ConfigError};
use crate::keeper::{self, Kept, Stage};
use crate::prefix::Prefix;
use crate::snapshots::SharedSnapshots;

/// What this cache is called.
const NAME: &str = "redis";

/// A source that starts from the shared snapshot and lets the store say what has changed since. Dropping it ends its task.
///
/// The store has the last word: what it confirms is current, wherever it was read. Only if the store cannot be asked is the
/// shared snapshot given as it is, marked as [`Fetched::Stale`].
pub struct RedisSource {
    inner: Arc<dyn FlagSource>,
    shared: Arc<SharedSnapshots>,
    kept: Arc<Kept>,
    keeper: JoinHandle<()>,
}

impl RedisSource {
    /// Wraps `inner`, and keeps the snapshot shared on the current tokio runtime. `url` is `redis://user:password@host:6379/0`;
    /// the server need not be there yet.
    ///
    /// # Errors
    /// [`ConfigError`] if the url cannot be read or asks for what this program cannot do.
    pub fn start(url: &str, prefix: Prefix, inner: Arc<dyn FlagSource>) -> Result<Self, ConfigError> {
        let shared = Arc::new(SharedSnapshots::new(&client(url)?, prefix)?);
        let kept = Arc::new(Kept::default());
        let keeper = tokio::spawn(keeper::run(Arc::clone(&shared), Arc::clone(&kept)));
        Ok(Self { inner, shared, kept, keeper })
    }

    async fn fetch(
        &self,
        environment: &EnvironmentName,
        have: Option<Version>,
    ) -> Result<Fetched, StoreError> {
        let stage = self.kept.stage(environment);
        let fetched = match have {
            Some(version) if stage == Stage::Heard => match self.inner.fetch(environment, have).await {
                // Another node may have shared what it wrote just before the store went away.
                Err(why) => self.stale(environment, version, why).await,
                fetched => fetched,
            },
            // The node starts, with nothing or with what it kept of its own.
            _ => {
                if stage == Stage::Begun {
                    self.kept.comes_to(environment, Stage::Looked);
                }
                self.fetch_whole(environment, have, stage).await
            }
        };
        if matches!(fetched, Ok(Fetched::Unchanged | Fetched::Changes(_) | Fetched::Snapshot(_))) {
            self.kept.comes_to(environment, Stage::Heard);
        }
        fetched
    }

    /// What a node lacks that starts with `have`: the shared snapshot, if it is newer or, as long as nothing can be live, of
    /// another history; and what the store says has changed since, which is little to read.
    async fn fetch_whole(
        &self,
        environment: &EnvironmentName,
        have: Option<Version>,
        stage: Stage,
    ) -> Result<Fetched, StoreError> {
        let is_news = |head: Version| {
            have.is_none_or(|have| have.precedes(head) || (stage == Stage::Begun && have.epoch != head.epoch))
        };
        let Some(shared) = self.shared_if(environment, is_news).await else {
            return self.inner.fetch(environment, have).await;
        };
        match self.inner.fetch(environment, Some(shared.version())).await {
            Ok(Fetched::Unchanged) => Ok(Fetched::Snapshot(shared)),
            Ok(Fetched::Changes(entries)) => match shared.replay(&entries) {
                Ok(snapshot) => Ok(Fetched::Snapshot(snapshot)),
                Err(rejection) => {
                    tracing::warn!(%rejection, "the log does not continue the shared snapshot");
                    self.inner.fetch(environment, None).await
                }
            },
            Ok(Fetched::Snapshot(whole)) if whole.version().precedes(shared.version()) => {
                let why = StoreError::lost(shared.version(), whole.version());
                Ok(unconfirmed(shared, why))
            }
            Ok(whole @ (Fetched::Snapshot(_) | Fetched::Stale { .. })) => Ok(whole),
            Err(why) => Ok(unconfirmed(shared, why)),
        }
    }

    async fn stale(
        &self,
        environment: &EnvironmentName,
        have: Version,
        why: StoreError,
    ) -> Result<Fetched, StoreError> {
        match self.shared_if(environment, |head| have.precedes(head)).await {
            Some(shared) => Ok(unconfirmed(shared, why)),
            None => Err(why),
        }
    }

    /// The shared snapshot, if it is wanted. Whatever goes wrong here is no reason for anybody to fail.
    async fn shared_if(
        &self,
        environment: &EnvironmentName,
        is_wanted: impl Fn(Version) -> bool,
    ) -> Option<Snapshot> {
        match self.try_shared_if(environment, is_wanted).await {
            Ok(snapshot) => snapshot,
            Err(error @ (CacheError::Unreadable(_) | CacheError::Torn | CacheError::TooLarge(_))) => {
                tracing::warn!(error = with_causes(&error), "the shared snapshot cannot be used");
                None
            }
            // The keeper tells when Redis goes and when it comes back.
            Err(error) => {
                tracing::debug!(error = with_causes(&error), "the shared snapshot cannot be reached");
                None
            }
        }
    }

    async fn try_shared_if(
        &self,
        environment: &EnvironmentName,
        is_wanted: impl Fn(Version) -> bool,
    ) -> Result<Option<Snapshot>, CacheError> {
        let head = self.shared.head(environment).await.inspect_err(|_| self.kept.failed())?;
        let Some(head) = head.filter(|head| is_wanted(head.version)) else {
            return Ok(None);
        };
        match self.shared.read(&head).await {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(error) => {
                if matches!(error, CacheError::Unreadable(_) | CacheError::Torn) {
                    self.shared.forget(environment, &head).await?;
                }
                Err(error)
            }
        }
    }
}

/// The shared snapshot as it is, because of `why`.
fn unconfirmed(snapshot: Snapshot, why: StoreError) -> Fetched {
    Fetched::Stale { snapshot, from: NAME, why }
}

/// A client of the server that `url` names. No I/O.
pub(crate) fn client(url: &str) -> Result<Client, ConfigError> {
    if url.starts_with("rediss:") {
        return Err(ConfigError::Tls);
    }
    Client::open(url).map_err(|_| ConfigError::Unreadable)
}

impl FlagSource for RedisSource {
    fn fetch<'a>(
        &'a self,
        environment: &'a EnvironmentName,
        have: Option<Version>,
    ) -> BoxFuture<'a, Result<Fetched, StoreError>> {
        Box::pin(self.fetch(environment, have))
    }

    fn offer(&self, environment: &EnvironmentName, snapshot: &Arc<Snapshot>) {
        self.kept.offer(environment, snapshot);
    }

    fn bounds(&self) -> Vec<BoundHits> {
        self.shared.bounds()
    }

    fn cache(&self) -> Option<(&'static str, bool)> {
        Some((NAME, self.kept.is_up()))
    }
}

impl Drop for RedisSource {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl fmt::Debug for RedisSource {
    /// Nothing of where it connects: that comes with a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSource").field("is_up", &self.kept.is_up()).finish_non_exhaustive()
    }
}
