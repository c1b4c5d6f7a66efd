//! The feed of a process that is alone: engines within it hear each other, and there is nobody else to tell.

use flag_core::Version;
use tokio::sync::watch;

use crate::environment::EnvironmentName;
use crate::ports::{ChangeFeed, Hint, Hints};

/// A feed that ends at the borders of the process. Clones are the same feed.
#[derive(Clone, Default, Debug)]
pub struct ProcessFeed(watch::Sender<Hint>);

impl ChangeFeed for ProcessFeed {
    fn announce(&self, _environment: &EnvironmentName, version: Version) {
        self.0.send_modify(|hint| hint.version = version);
    }

    fn hints(&self) -> Hints {
        self.0.subscribe()
    }

    fn name(&self) -> &'static str {
        "process"
    }

    fn is_up(&self) -> bool {
        true
    }
}
