//! A feed over a channel that somebody else carries, such as a database or a broker: kept up by one task, which connects again
//! and again. What is foreign about it is a [`Channel`]; what all of them need is here.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flag_core::Version;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::announcement::{Heard, Outbox};
use crate::backoff::Backoff;
use crate::environment::EnvironmentName;
use crate::ports::{BoxFuture, ChangeFeed, Hints};
use crate::status::with_causes;

/// How nodes reach one another through one foreign technology.
pub trait Channel: Send + Sync + 'static {
    /// The channel's name in metrics and health checks.
    const NAME: &'static str;

    /// Connects, and then hears and speaks for `session` until the connection fails. Says why it did.
    fn attend<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Box<dyn Error + Send + Sync>>;
}

/// What a [`Channel`] hears and has to say.
#[derive(Default)]
pub struct Session {
    heard: Heard,
    outbox: Outbox,
    is_up: AtomicBool,
    /// Whether the connection has listened, so that the next attempt need not wait long.
    has_listened: AtomicBool,
}

impl Session {
    /// Takes a word from the channel.
    pub fn hear(&self, payload: &str) {
        self.heard.hear(payload);
    }

    /// Notes that the channel listens anew, and may have missed anything before.
    pub fn listens(&self) {
        self.has_listened.store(true, Ordering::Relaxed);
        self.heard.listen_anew();
    }

    /// Notes that words arrive.
    pub fn is_heard(&self) {
        if !self.is_up.swap(true, Ordering::Relaxed) {
            tracing::info!("the feed of changes is up");
        }
    }

    /// What is to be said.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }
}

/// A feed over a [`Channel`]. Dropping it ends its task.
pub struct ChannelFeed {
    name: &'static str,
    session: Arc<Session>,
    task: JoinHandle<()>,
}

impl ChannelFeed {
    /// Starts to listen, on the current tokio runtime; nobody need be there yet.
    pub fn start<C: Channel>(channel: C) -> Self {
        let session = Arc::new(Session::default());
        let task = tokio::spawn(keep_up(channel, Arc::clone(&session)));
        Self { name: C::NAME, session, task }
    }
}

/// Attends to the channel again and again. Of failures in a row only the first is told aloud.
async fn keep_up(channel: impl Channel, session: Arc<Session>) {
    let mut backoff = Backoff::default();
    let mut was_told = false;
    loop {
        let ended = channel.attend(&session).await;
        if session.has_listened.swap(false, Ordering::Relaxed) {
            backoff.reset();
        }
        was_told &= !session.is_up.swap(false, Ordering::Relaxed);
        let error = with_causes(&*ended);
        if was_told {
            tracing::debug!(error, "no feed of changes yet");
        } else {
            tracing::warn!(error, "no feed of changes; asking every second instead");
        }
        was_told = true;
        sleep(backoff.after_failure()).await;
    }
}

impl ChangeFeed for ChannelFeed {
    fn announce(&self, environment: &EnvironmentName, version: Version) {
        self.session.outbox.put(environment, version);
    }

    fn hints(&self) -> Hints {
        self.session.heard.hints()
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn is_up(&self) -> bool {
        self.session.is_up.load(Ordering::Relaxed)
    }
}

impl Drop for ChannelFeed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for ChannelFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, is_up) = (&self.name, self.is_up());
        f.debug_struct("ChannelFeed").field("name", name).field("is_up", &is_up).finish_non_exhaustive()
    }
}
