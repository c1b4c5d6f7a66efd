//! Whether a node is about to stop: it still answers, and says that others should be asked from now on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Whether a node is about to stop. Copies speak of the same node.
///
/// Once it is announced, `/readyz` refuses, every answer closes its connection, and nobody is kept waiting for other nodes, so
/// that whoever distributes requests has turned away before nobody is there to take them.
#[derive(Clone, Default, Debug)]
pub struct Leaving(Arc<Announcement>);

#[derive(Default, Debug)]
struct Announcement {
    is_made: AtomicBool,
    news: Notify,
}

impl Leaving {
    /// Announces it. There is no way back.
    pub fn announce(&self) {
        self.0.is_made.store(true, Ordering::Release);
        self.0.news.notify_waiters();
    }

    /// Whether it was announced.
    pub(crate) fn is_announced(&self) -> bool {
        self.0.is_made.load(Ordering::Acquire)
    }

    /// Waits until it is announced.
    pub(crate) async fn announced(&self) {
        // In this order, so that an announcement in between is not missed.
        let news = self.0.news.notified();
        if !self.is_announced() {
            news.await;
        }
    }
}
