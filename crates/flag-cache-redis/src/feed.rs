//! The feed: hints by publish and subscribe, on two connections of its own that are kept up by one task.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_redis::redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use deadpool_redis::redis::{AsyncConnectionConfig, Client, RedisError, RedisResult, Value, cmd};
use flag_core::Version;
use flag_engine::announcement::{self, Heard, Outbox};
use flag_engine::{Backoff, ChangeFeed, EnvironmentName, Hints, with_causes};
use futures_util::StreamExt;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use crate::error::ConfigError;
use crate::prefix::Prefix;
use crate::source::client;

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(1);
/// How long Redis may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// How often both connections have to show that they are alive; nobody else would notice a peer that is gone.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// Hints through Redis. Dropping it ends its task.
pub struct RedisFeed {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    heard: Heard,
    outbox: Outbox,
    is_up: AtomicBool,
}

impl RedisFeed {
    /// Starts to listen, on the current tokio runtime; the server need not be there yet.
    ///
    /// # Errors
    /// As [`RedisSource::start`](crate::RedisSource::start).
    pub fn start(url: &str, prefix: &Prefix) -> Result<Self, ConfigError> {
        let (client, channel) = (client(url)?, prefix.channel());
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(keep_up(client, channel, Arc::clone(&shared)));
        Ok(Self { shared, task })
    }
}

impl ChangeFeed for RedisFeed {
    fn announce(&self, environment: &EnvironmentName, version: Version) {
        self.shared.outbox.put(environment, version);
    }

    fn hints(&self) -> Hints {
        self.shared.heard.hints()
    }

    fn name(&self) -> &'static str {
        "redis"
    }

    fn is_up(&self) -> bool {
        self.shared.is_up.load(Ordering::Relaxed)
    }
}

impl Drop for RedisFeed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for RedisFeed {
    /// Nothing of where it connects: that comes with a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisFeed").field("is_up", &self.is_up()).finish_non_exhaustive()
    }
}

/// Why the connections are not, or no longer, of use.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("the server does not answer")]
    Silent,
    #[error("the server closed the connection")]
    Closed,
    #[error(transparent)]
    Failed(#[from] RedisError),
}

/// Connects again and again. Of failures in a row only the first is told aloud.
async fn keep_up(client: Client, channel: String, shared: Arc<Shared>) {
    let mut backoff = Backoff::default();
    let mut was_told = false;
    loop {
        let ended = match Link::open(&client).await {
            Ok(link) => link.attend(&shared, &channel, &mut backoff).await,
            Err(error) => error,
        };
        was_told &= !shared.is_up.swap(false, Ordering::Relaxed);
        if was_told {
            tracing::debug!(error = with_causes(&ended), "no feed of changes yet");
        } else {
            tracing::warn!(error = with_causes(&ended), "no feed of changes; asking every second instead");
        }
        was_told = true;
        sleep(backoff.after_failure()).await;
    }
}

/// Both connections: a subscriber may say nothing but what concerns its subscriptions.
struct Link {
    subscriber: PubSubSink,
    words: PubSubStream,
    publisher: MultiplexedConnection,
}

impl Link {
    async fn open(client: &Client) -> Result<Self, LinkError> {
        let config = AsyncConnectionConfig::new();
        let config = config.set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(ANSWER));
        let publisher = within(CONNECT, client.get_multiplexed_async_connection_with_config(&config)).await?;
        let (subscriber, words) = within(CONNECT, client.get_async_pubsub()).await?.split();
        Ok(Self { subscriber, words, publisher })
    }

    /// Uses the connections until one fails; says why it did.
    async fn attend(self, shared: &Shared, channel: &str, backoff: &mut Backoff) -> LinkError {
        let Self { subscriber, mut words, publisher } = self;
        let hear = async {
            while let Some(word) = words.next().await {
                shared.heard.hear(&String::from_utf8_lossy(word.get_payload_bytes()));
            }
            LinkError::Closed
        };
        tokio::select! {
            ended = hear => ended,
            Err(ended) = speak(shared, channel, subscriber, publisher, backoff) => ended,
        }
    }
}

async fn speak(
    shared: &Shared,
    channel: &str,
    mut subscriber: PubSubSink,
    mut publisher: MultiplexedConnection,
    backoff: &mut Backoff,
) -> Result<Infallible, LinkError> {
    within(ANSWER, subscriber.subscribe(channel)).await?;
    shared.heard.listen_anew();
    shared.is_up.store(true, Ordering::Relaxed);
    tracing::info!("the feed of changes is up");
    backoff.reset();
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = heartbeat.tick() => {
                within::<Value>(ANSWER, subscriber.ping()).await?;
                within::<Value>(ANSWER, cmd("PING").query_async(&mut publisher)).await?;
            }
            versions = shared.outbox.take() => {
                for (environment, version) in versions {
                    let word = announcement::write(&environment, version);
                    publish(&mut publisher, channel, &word).await?;
                }
            }
        }
    }
}

async fn publish(publisher: &mut MultiplexedConnection, channel: &str, word: &str) -> Result<(), LinkError> {
    let published: Result<u64, _> =
        within(ANSWER, cmd("PUBLISH").arg(channel).arg(word).query_async(publisher)).await;
    match published {
        Ok(_) => Ok(()),
        // A hint is best effort: nodes ask anyway.
        Err(error) => {
            tracing::debug!(error = with_causes(&error), word, "an announcement was lost");
            Err(error)
        }
    }
}

async fn within<T>(limit: Duration, answer: impl Future<Output = RedisResult<T>>) -> Result<T, LinkError> {
    Ok(timeout(limit, answer).await.map_err(|_| LinkError::Silent)??)
}
