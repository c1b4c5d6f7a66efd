//! The feed: hints by publish and subscribe, on two connections of its own.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use deadpool_redis::redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use deadpool_redis::redis::{AsyncConnectionConfig, Client, RedisError, RedisResult, Value, cmd};
use flag_engine::{BoxFuture, Channel, ChannelFeed, Session, announcement, with_causes};
use futures_util::StreamExt;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use crate::error::ConfigError;
use crate::prefix::Prefix;
use crate::source::client;

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(1);
/// How long Redis may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// How often both connections have to show that they are alive; nobody else would notice a peer that is gone.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// Starts a feed of hints through Redis, on the current tokio runtime; the server need not be there yet.
///
/// # Errors
/// As [`RedisSource::start`](crate::RedisSource::start).
pub fn start_feed(url: &str, prefix: &Prefix) -> Result<ChannelFeed, ConfigError> {
    Ok(ChannelFeed::start(RedisChannel { client: client(url)?, channel: prefix.channel() }))
}

struct RedisChannel {
    client: Client,
    channel: String,
}

impl Channel for RedisChannel {
    const NAME: &'static str = "redis";

    fn attend<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Box<dyn Error + Send + Sync>> {
        Box::pin(async move {
            let ended = match Link::open(&self.client).await {
                Ok(link) => link.attend(session, &self.channel).await,
                Err(error) => error,
            };
            ended.into()
        })
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
    async fn attend(self, session: &Session, channel: &str) -> LinkError {
        let Self { subscriber, mut words, publisher } = self;
        let hear = async {
            while let Some(word) = words.next().await {
                session.hear(&String::from_utf8_lossy(word.get_payload_bytes()));
            }
            LinkError::Closed
        };
        tokio::select! {
            ended = hear => ended,
            Err(ended) = speak(session, channel, subscriber, publisher) => ended,
        }
    }
}

async fn speak(
    session: &Session,
    channel: &str,
    mut subscriber: PubSubSink,
    mut publisher: MultiplexedConnection,
) -> Result<Infallible, LinkError> {
    within(ANSWER, subscriber.subscribe(channel)).await?;
    session.listens();
    session.is_heard();
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = heartbeat.tick() => {
                within::<Value>(ANSWER, subscriber.ping()).await?;
                within::<Value>(ANSWER, cmd("PING").query_async(&mut publisher)).await?;
            }
            versions = session.outbox().take() => {
                for (environment, version) in versions {
                    let word = announcement::write(&environment, version);
                    publish(&mut publisher, channel, &word).await?;
                }
            }
        }
    }
}

async fn publish(publisher: &mut MultiplexedConnection, channel: &str, word: &str) -> Result<(), LinkError> {
    let published = within::<u64>(ANSWER, cmd("PUBLISH").arg(channel).arg(word).query_async(publisher)).await;
    // A hint is best effort: nodes ask anyway.
    published.map(|_| ()).inspect_err(|error| {
        tracing::debug!(error = with_causes(error), word, "an announcement was lost");
    })
}

async fn within<T>(limit: Duration, answer: impl Future<Output = RedisResult<T>>) -> Result<T, LinkError> {
    Ok(timeout(limit, answer).await.map_err(|_| LinkError::Silent)??)
}
