//! The feed: hints by `LISTEN` and `NOTIFY`, on one connection of its own.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use flag_engine::{BoxFuture, Channel, ChannelFeed, Session, announcement, with_causes};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Socket, tls::NoTlsStream};

use crate::error::ConfigError;
use crate::settings::{self, Link, LinkError};

/// Where all nodes listen.
const CHANNEL: &str = "flag_changes";
/// How often a connection has to show that it is alive; nobody else would notice a peer that is gone.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How long the server may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Starts a feed of hints through PostgreSQL, on the current tokio runtime; the server need not be there yet.
///
/// It needs sessions: behind a pooler that hands out connections per transaction it stays
/// [down](flag_engine::ChangeFeed::is_up), and nodes ask every second instead.
///
/// # Errors
/// As [`PgStore::new`](crate::PgStore::new).
pub fn start_feed(url: &str) -> Result<ChannelFeed, ConfigError> {
    Ok(ChannelFeed::start(PgChannel(settings::read(url)?)))
}

struct PgChannel(Config);

impl Channel for PgChannel {
    const NAME: &'static str = "postgres";

    fn attend<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Box<dyn Error + Send + Sync>> {
        Box::pin(async move {
            let ended = match settings::connect(&self.0).await {
                Ok((client, connection)) => attend(session, &self.0, &client, connection).await,
                Err(error) => error,
            };
            ended.into()
        })
    }
}

/// Uses one connection until it fails; says why it did.
async fn attend(
    session: &Session,
    config: &Config,
    client: &Client,
    connection: Connection<Socket, NoTlsStream>,
) -> LinkError {
    let probe = format!("probe {}", uuid::Uuid::new_v4());
    // Of this connection alone: what another one echoed proves nothing here.
    let echo = Notify::new();
    // Polled together, because the first one drives the connection that the second one uses.
    tokio::select! {
        ended = hear(session, connection, &probe, &echo) => ended,
        Err(ended) = speak(session, config, client, &probe, &echo) => ended,
    }
}

async fn hear(
    session: &Session,
    mut connection: Connection<Socket, NoTlsStream>,
    probe: &str,
    echo: &Notify,
) -> LinkError {
    loop {
        match std::future::poll_fn(|cx| connection.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notification(word))) if word.payload() == probe => {
                // However late it comes, words arrive.
                session.is_heard();
                echo.notify_one();
            }
            Some(Ok(AsyncMessage::Notification(word))) => session.hear(word.payload()),
            Some(Ok(_)) => {}
            Some(Err(error)) => return error.into(),
            None => return LinkError::Closed,
        }
    }
}

async fn speak(
    session: &Session,
    config: &Config,
    client: &Client,
    probe: &str,
    echo: &Notify,
) -> Result<Infallible, LinkError> {
    answer(client.batch_execute("LISTEN flag_changes")).await?;
    session.listens();
    // A pooler takes LISTEN and NOTIFY without a murmur, and delivers nothing: only an echo proves that words arrive. It is
    // called out on another connection, which is closed at once. What a connection itself says may come back to it as part
    // of the answer, also through a pooler that delivers nothing of what others say.
    notify(&Link::open(config).await?.client, probe).await?;
    if timeout(ANSWER, echo.notified()).await.is_err() {
        tracing::warn!(
            "notifications do not arrive, perhaps because of a pooler; asking every second instead"
        );
    }
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = heartbeat.tick() => answer(client.batch_execute("SELECT 1")).await?,
            words = session.outbox().take() => {
                for (environment, version) in words {
                    notify(client, &announcement::write(&environment, version)).await?;
                }
            }
        }
    }
}

/// Says `payload` to everybody, in a transaction of its own: a transaction that notifies holds up every other one of the
/// whole server that does.
async fn notify(client: &Client, payload: &str) -> Result<(), LinkError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&CHANNEL, Type::TEXT), (&payload, Type::TEXT)];
    match answer(client.execute_typed("SELECT pg_notify($1, $2)", &parameters)).await {
        // The server is there, and refuses: a full queue, say. Nodes ask anyway.
        Err(LinkError::Failed(error)) if error.as_db_error().is_some() => {
            tracing::debug!(error = with_causes(&error), payload, "an announcement was refused");
            Ok(())
        }
        Err(error) => {
            tracing::debug!(error = with_causes(&error), payload, "an announcement was lost");
            Err(error)
        }
        Ok(_) => Ok(()),
    }
}

async fn answer<T>(answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, LinkError> {
    Ok(timeout(ANSWER, answer).await.map_err(|_| LinkError::Silent)??)
}
