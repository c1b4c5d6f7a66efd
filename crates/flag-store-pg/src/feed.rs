//! The feed: hints by `LISTEN` and `NOTIFY`, on one connection of its own that is kept up by one task.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flag_core::Version;
use flag_engine::announcement::{self, Heard, Outbox};
use flag_engine::{Backoff, ChangeFeed, EnvironmentName, Hints, with_causes};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Socket, tls::NoTlsStream};

use crate::error::ConfigError;
use crate::settings::{self, LinkError};

/// Where all nodes listen.
const CHANNEL: &str = "flag_changes";
/// How often a connection has to show that it is alive; nobody else would notice a peer that is gone.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How long the server may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Hints through PostgreSQL. Needs sessions: behind a pooler that hands out connections per transaction it stays
/// [down](ChangeFeed::is_up), and nodes ask every second instead. Dropping it ends its task.
pub struct PgFeed {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    heard: Heard,
    outbox: Outbox,
    is_up: AtomicBool,
}

impl PgFeed {
    /// Starts to listen, on the current tokio runtime; the server need not be there yet.
    ///
    /// # Errors
    /// As [`PgStore::new`](crate::PgStore::new).
    pub fn start(url: &str) -> Result<Self, ConfigError> {
        let config = settings::read(url)?;
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(keep_up(config, Arc::clone(&shared)));
        Ok(Self { shared, task })
    }
}

impl ChangeFeed for PgFeed {
    fn announce(&self, environment: &EnvironmentName, version: Version) {
        self.shared.outbox.put(environment, version);
    }

    fn hints(&self) -> Hints {
        self.shared.heard.hints()
    }

    fn name(&self) -> &'static str {
        "postgres"
    }

    fn is_up(&self) -> bool {
        self.shared.is_up.load(Ordering::Relaxed)
    }
}

impl Drop for PgFeed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for PgFeed {
    /// Nothing of where it connects: that comes with a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgFeed").field("is_up", &self.is_up()).finish_non_exhaustive()
    }
}

/// Connects again and again. Of failures in a row only the first is told aloud.
async fn keep_up(config: Config, shared: Arc<Shared>) {
    let mut backoff = Backoff::default();
    let mut was_told = false;
    loop {
        let ended = match settings::connect(&config).await {
            Ok((client, connection)) => attend(&shared, &client, connection, &mut backoff).await,
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

/// Uses one connection until it fails; says why it did.
async fn attend(
    shared: &Shared,
    client: &Client,
    connection: Connection<Socket, NoTlsStream>,
    backoff: &mut Backoff,
) -> LinkError {
    let probe = format!("probe {}", uuid::Uuid::new_v4());
    // Of this connection alone: what another one echoed proves nothing here.
    let echo = Notify::new();
    // Polled together, because the first one drives the connection that the second one uses.
    tokio::select! {
        ended = hear(shared, connection, &probe, &echo) => ended,
        Err(ended) = speak(shared, client, &probe, &echo, backoff) => ended,
    }
}

async fn hear(
    shared: &Shared,
    mut connection: Connection<Socket, NoTlsStream>,
    probe: &str,
    echo: &Notify,
) -> LinkError {
    loop {
        match std::future::poll_fn(|cx| connection.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notification(word))) if word.payload() == probe => {
                // However late it comes, words arrive.
                if !shared.is_up.swap(true, Ordering::Relaxed) {
                    tracing::info!("the feed of changes is up");
                }
                echo.notify_one();
            }
            Some(Ok(AsyncMessage::Notification(word))) => shared.heard.hear(word.payload()),
            Some(Ok(_)) => {}
            Some(Err(error)) => return error.into(),
            None => return LinkError::Closed,
        }
    }
}

async fn speak(
    shared: &Shared,
    client: &Client,
    probe: &str,
    echo: &Notify,
    backoff: &mut Backoff,
) -> Result<Infallible, LinkError> {
    answer(client.batch_execute("LISTEN flag_changes")).await?;
    shared.heard.listen_anew();
    // A pooler takes LISTEN and NOTIFY without a murmur, and delivers nothing: only an echo proves that words arrive.
    notify(client, probe).await?;
    if timeout(ANSWER, echo.notified()).await.is_err() {
        tracing::warn!(
            "notifications do not arrive, perhaps because of a pooler; asking every second instead"
        );
    }
    backoff.reset();
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = heartbeat.tick() => answer(client.batch_execute("SELECT 1")).await?,
            words = shared.outbox.take() => {
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
