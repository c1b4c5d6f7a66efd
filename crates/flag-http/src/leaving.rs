//! Whether a node is about to stop: it still answers, and says that others should be asked from now on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a node is about to stop. Copies speak of the same node.
///
/// Once it is announced, `/readyz` refuses and every answer closes its connection, so that whoever distributes requests has
/// turned away before nobody is there to take them.
#[derive(Clone, Default, Debug)]
pub struct Leaving(Arc<AtomicBool>);

impl Leaving {
    /// Announces it. There is no way back.
    pub fn announce(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was announced.
    pub(crate) fn is_announced(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
