//! What nodes say to each other on the channel of a feed, whatever carries it: `<environment> <epoch> <revision>`; what a
//! feed has still to say, and what it has heard.

use std::collections::BTreeMap;

use flag_core::{Epoch, Version};
use tokio::sync::watch;

use crate::environment::EnvironmentName;
use crate::ports::{Hint, Hints};

/// The payload of an announcement.
#[must_use]
pub fn write(environment: &str, version: Version) -> String {
    format!("{environment} {} {}", version.epoch, version.revision)
}

/// The version that a payload announces; nothing if it is no announcement. The environment is for human eyes: a version
/// of another environment has another epoch.
#[must_use]
pub fn read(payload: &str) -> Option<Version> {
    let mut words = payload.split(' ');
    let (_environment, epoch, revision) = (words.next()?, words.next()?, words.next()?);
    let epoch = Epoch(u128::from_str_radix(epoch, 16).ok()?);
    words.next().is_none().then_some(Version { epoch, revision: revision.parse().ok()? })
}

/// Whether hearing of `version` after `heard` is news: a late word about an old revision must not hide the newer one.
fn is_news(heard: Version, version: Version) -> bool {
    heard.epoch != version.epoch || heard.precedes(version)
}

/// What a feed has heard: the latest version, and how often it may have missed one.
#[derive(Default, Debug)]
pub struct Heard(watch::Sender<Hint>);

impl Heard {
    /// Takes a payload from the channel. One that is no announcement is another program's, or a newer one's.
    pub fn hear(&self, payload: &str) {
        match read(payload) {
            Some(version) => {
                self.0.send_if_modified(|hint| {
                    let is_news = is_news(hint.version, version);
                    if is_news {
                        hint.version = version;
                    }
                    is_news
                });
            }
            None => tracing::debug!(payload, "heard something that is no announcement"),
        }
    }

    /// Notes that the feed listens anew. It may have missed anything, also the first time: writers did not wait for it.
    pub(crate) fn listen_anew(&self) {
        self.0.send_modify(|hint| hint.interruptions += 1);
    }

    /// What is heard from now on.
    #[must_use]
    pub fn hints(&self) -> Hints {
        self.0.subscribe()
    }
}

/// What is still to be announced: of each environment the latest version, so that it cannot grow.
#[derive(Default, Debug)]
pub struct Outbox(watch::Sender<BTreeMap<String, Version>>);

impl Outbox {
    /// Adds a version, in place of an older one of the same environment.
    pub(crate) fn put(&self, environment: &EnvironmentName, version: Version) {
        self.0.send_modify(|waiting| {
            let latest = waiting.entry(environment.as_str().to_owned()).or_insert(version);
            if is_news(*latest, version) {
                *latest = version;
            }
        });
    }

    /// Waits until there is something to announce, and takes it. Giving up waiting loses nothing.
    pub async fn take(&self) -> BTreeMap<String, Version> {
        let mut changes = self.0.subscribe();
        // The sender is this value itself, so that the channel cannot be closed.
        let _ = changes.wait_for(|waiting| !waiting.is_empty()).await;
        let mut taken = BTreeMap::new();
        self.0.send_if_modified(|waiting| {
            taken = std::mem::take(waiting);
            false
        });
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u128, revision: u64) -> Version {
        Version { epoch: Epoch(epoch), revision }
    }

    #[test]
    fn what_is_announced_is_read_back_and_nothing_else_is() {
        let version = at(u128::MAX - 1, u64::MAX);
        assert_eq!(read(&write("default", version)), Some(version));
        for payload in ["", "default", "default 1", "default g 1", "default 1 -1", "default 1 1 1", "probe 1"]
        {
            assert_eq!(read(payload), None, "{payload}");
        }
    }

    #[tokio::test]
    async fn of_several_versions_of_an_environment_the_latest_is_told() {
        let [one, two] = ["one", "two"].map(|name| EnvironmentName::parse(name).unwrap());
        let outbox = Outbox::default();
        for (environment, version) in [(&one, at(1, 7)), (&two, at(2, 3)), (&one, at(1, 6)), (&one, at(1, 9))]
        {
            outbox.put(environment, version);
        }
        let taken = outbox.take().await.into_iter().collect::<Vec<_>>();
        assert_eq!(taken, [("one".to_owned(), at(1, 9)), ("two".to_owned(), at(2, 3))]);
    }
}
