//! Pools of connections, and the bounds on waiting for one and for its answer.

use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod,
    Runtime, TimeoutType, Timeouts,
};
use flag_engine::{Bound, BoundHits, StoreError};
use tokio::time::timeout;
use tokio_postgres::{Config, NoTls};

use crate::error::ConfigError;
use crate::settings::CONNECT;

/// How long to wait for a connection that somebody else uses.
const WAIT: Duration = Duration::from_millis(500);
/// How long an idle connection may take to show that it is alive.
const RECYCLE: Duration = Duration::from_secs(1);
/// How long ago a connection may have been taken to be taken again without being asked whether it lives.
const FRESH: Duration = Duration::from_secs(2);

/// Connections for one purpose, so that no other purpose can take them all.
pub(crate) struct Connections {
    pool: Pool,
    /// How often somebody waited too long for one.
    wait: Bound,
}

impl Connections {
    /// At most `size` connections, made when they are needed. Waits that are too long are counted under `name`.
    pub(crate) fn new(config: &Config, size: usize, name: &'static str) -> Result<Self, ConfigError> {
        // This only looks at the local socket, which may not have noticed.
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let ask = Hook::async_fn(|client: &mut ClientWrapper, metrics| {
            Box::pin(async move {
                if metrics.last_used() < FRESH {
                    return Ok(());
                }
                match timeout(RECYCLE, client.simple_query("")).await {
                    Ok(Ok(_)) => Ok(()),
                    Ok(Err(error)) => Err(HookError::Backend(error)),
                    Err(_) => Err(HookError::message("it does not answer")),
                }
            })
        });
        let timeouts = Timeouts { wait: Some(WAIT), create: Some(CONNECT), recycle: Some(RECYCLE) };
        Pool::builder(Manager::from_config(config.clone(), NoTls, manager))
            .pre_recycle(ask)
            .max_size(size)
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .build()
            .map(|pool| Self { pool, wait: Bound::new(name) })
            .map_err(|error| ConfigError::Unreadable(error.to_string()))
    }

    /// A connection that was alive a moment ago: one that was idle for longer is asked before.
    pub(crate) async fn take(&self) -> Result<Object, StoreError> {
        self.pool.get().await.map_err(|error| {
            if matches!(error, PoolError::Timeout(TimeoutType::Wait)) {
                self.wait.hit();
            }
            StoreError::Unavailable(Box::new(error))
        })
    }

    /// How often somebody waited too long for a connection that others used.
    pub(crate) fn waited_in_vain(&self) -> BoundHits {
        self.wait.hits()
    }

    /// Does `work`, unless it takes longer than `limit`. Work that commits nothing may be given up at any point.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match timeout(limit, work).await {
            Ok(done) => done,
            Err(_) => {
                self.forget_idle();
                Err(StoreError::Unavailable(format!("no answer within {limit:?}").into()))
            }
        }
    }

    /// Closes every connection that is not in use. When one went silent the others have as a rule, and to find that out one
    /// by one would take as many timeouts after the server is back.
    pub(crate) fn forget_idle(&self) {
        self.pool.retain(|_, _| false);
    }
}
