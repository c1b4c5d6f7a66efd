//! Convergence: which of the nodes have come to a revision, as far as they have reported it to the store.
//!
//! A node that was cut off may go on answering from what it has. So one that has fallen silent is not taken for gone: it
//! stands where it last reported, since no node goes back, until it is forgotten.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flag_core::{Revision, Version};
use tokio::time::{Instant, sleep, timeout};

use crate::engine::{Engine, Shared};
use crate::nodes::{MOST_NODES, NODE_SILENCE, SeenNode, disagree};
use crate::ports::StoreError;
use crate::status::Cluster;

/// How many requests may wait at once, and how many may ask at once without waiting; one more is turned away.
pub(crate) const REQUESTS: usize = 64;
/// How often whoever waits looks again.
const LOOK: Duration = Duration::from_millis(50);
/// How old what the store told somebody else may be for whoever looks again: however many wait, the store is asked no more
/// often. Whoever looks for the first time is told what holds now.
const SHARED: Duration = Duration::from_millis(40);
/// How long whoever waits lets a store rest that has failed.
const RETRY: Duration = Duration::from_millis(500);
/// How long the store may take, the wait for others who ask it included.
const ANSWER: Duration = Duration::from_millis(2_500);

/// Which nodes have come how far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Convergence {
    /// Where the node stands that was asked. Nodes in another epoch have not reached any revision of this one.
    pub version: Version,
    /// The revision that was asked for.
    pub revision: Revision,
    /// Whether every node has reached it, silent ones included.
    pub converged: bool,
    /// Whether two of the nodes stand at one version and hold different flags, which must never be.
    pub disagreement: bool,
    /// Every node that is not forgotten, in the order of their ids.
    pub nodes: Vec<Progress>,
}

/// A node, and whether it has come to the revision that was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Progress {
    /// The node.
    pub node: SeenNode,
    /// Whether it is there.
    pub reached: bool,
}

/// Why nobody can say which nodes have come how far.
#[derive(Debug, thiserror::Error)]
pub enum ConvergenceError {
    /// The node has no snapshot yet.
    #[error("there is no snapshot yet")]
    NotReady,
    /// The store cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many are asking.
    #[error("too many ask for the convergence")]
    Overloaded,
}

impl Engine {
    /// Which nodes have come to `revision`, this node's own unless told. Waits until all have, but no longer than `wait`.
    ///
    /// # Errors
    /// [`ConvergenceError`] if that cannot be known.
    pub async fn convergence(
        &self,
        revision: Option<Revision>,
        wait: Duration,
    ) -> Result<Convergence, ConvergenceError> {
        // Whoever only looks finds a place also while many wait, of whom some may long have gone away.
        let places = if wait.is_zero() { &self.shared.askers } else { &self.shared.watchers };
        let _place = places.try_acquire().map_err(|_| {
            self.shared.bounds.convergence_requests.hit();
            ConvergenceError::Overloaded
        })?;
        let deadline = Instant::now() + wait;
        let own = self.shared.cell.version().ok_or(ConvergenceError::NotReady)?;
        let revision = revision.unwrap_or(own.revision);
        if own.revision < revision {
            self.shared.wake.notify_one();
        }
        let mut since = Instant::now();
        loop {
            let shared = Arc::clone(&self.shared);
            // On the engine's runtime, to which the store's connections belong.
            let asked = self.runtime.spawn(async move { shared.roster.read(&shared, since).await });
            let nodes = asked.await.map_err(|ended| StoreError::Unavailable(Box::new(ended)))?;
            let is_over = Instant::now() >= deadline;
            let rest = match nodes {
                Ok(nodes) => {
                    let own = self.shared.own().ok_or(ConvergenceError::NotReady)?;
                    if is_over || others(&nodes, &own).chain([&own]).all(|node| reaches(node, &own, revision))
                    {
                        return Ok(compare(&nodes, &own, revision));
                    }
                    LOOK
                }
                Err(error) if is_over => return Err(error.into()),
                Err(_) => RETRY,
            };
            sleep(rest.min(deadline.saturating_duration_since(Instant::now()))).await;
            since = lately();
        }
    }
}

/// The moment since which an answer is good enough for whoever looks again and again.
pub(crate) fn lately() -> Instant {
    let now = Instant::now();
    now.checked_sub(SHARED).unwrap_or(now)
}

/// The nodes that the store tells of, without the one that is asked: of itself it knows better.
fn others<'a>(nodes: &'a [SeenNode], own: &SeenNode) -> impl Iterator<Item = &'a SeenNode> {
    let id = own.id;
    nodes.iter().filter(move |node| node.id != id)
}

fn reaches(node: &SeenNode, own: &SeenNode, revision: Revision) -> bool {
    node.version.epoch == own.version.epoch && node.version.revision >= revision
}

fn compare(nodes: &[SeenNode], own: &SeenNode, revision: Revision) -> Convergence {
    let version = own.version;
    let progress = |node: &SeenNode| Progress { reached: reaches(node, own, revision), node: node.clone() };
    let mut nodes: Vec<Progress> = others(nodes, own).chain([own]).map(progress).collect();
    nodes.sort_by_key(|progress| progress.node.id);
    let disagreement = disagree(nodes.iter().map(|progress| &progress.node));
    let converged = nodes.iter().all(|progress| progress.reached);
    Convergence { version, revision, converged, disagreement, nodes }
}

impl Shared {
    /// This node as it is now.
    fn own(&self) -> Option<SeenNode> {
        let version = self.cell.version()?;
        let digested = self.digests.borrow().filter(|digested| digested.version == version);
        Some(SeenNode {
            id: self.node.id,
            name: self.node.name.as_str().to_owned(),
            version,
            digest: digested.map(|digested| digested.digest),
            age: Duration::ZERO,
        })
    }
}

/// The nodes that the store last told of.
#[derive(Default)]
pub(crate) struct Roster {
    known: Mutex<Option<Known>>,
    /// Held while the store is asked, so that whoever comes meanwhile shares the next answer.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Known {
    asked: Instant,
    nodes: Arc<[SeenNode]>,
    cluster: Cluster,
}

impl Roster {
    /// Every node that has reported to the store and is not forgotten, as of a moment after `since`.
    pub(crate) async fn read(&self, shared: &Shared, since: Instant) -> Result<Arc<[SeenNode]>, StoreError> {
        let read = timeout(ANSWER, async {
            let _alone = self.asking.lock().await;
            let known = self.known();
            if let Some(known) = known.as_ref().filter(|known| known.asked >= since) {
                return Ok(Arc::clone(&known.nodes));
            }
            let asked = Instant::now();
            let nodes: Arc<[SeenNode]> = shared.store.nodes(&shared.environment).await?.into();
            if nodes.len() > MOST_NODES.into() {
                // Of those beyond, nobody would know how far they have come.
                return Err(StoreError::Unavailable(format!("more than {MOST_NODES} nodes report").into()));
            }
            let cluster = summary(shared, &nodes);
            if cluster.disagreement && !known.is_some_and(|known| known.cluster.disagreement) {
                tracing::error!("two nodes at the same revision hold different flags; see their digests");
            }
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Known { asked, nodes: Arc::clone(&nodes), cluster });
            Ok(nodes)
        });
        read.await.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in time".into())))
    }

    /// What the last answer said of the cluster; nothing if it is too old to say anything.
    pub(crate) fn cluster(&self) -> Option<Cluster> {
        let known = self.known().filter(|known| known.asked.elapsed() < NODE_SILENCE);
        known.map(|known| known.cluster)
    }

    fn known(&self) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn summary(shared: &Shared, nodes: &[SeenNode]) -> Cluster {
    let Some(own) = shared.own() else { return Cluster::default() };
    let all = || others(nodes, &own).chain([&own]);
    let silent = all().filter(|node| node.is_silent()).count();
    let behind = all().filter(|node| !reaches(node, &own, own.version.revision)).count();
    Cluster { nodes: all().count() - silent, behind, silent, disagreement: disagree(all()) }
}
