//! Convergence: which of the live nodes have come to a revision, as far as they have reported it to the store.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flag_core::{Revision, Version};
use tokio::time::{Instant, sleep, timeout};

use crate::engine::{Engine, Shared};
use crate::nodes::{SeenNode, disagree};
use crate::ports::StoreError;
use crate::status::Cluster;

/// How many requests may ask or wait at once; one more is turned away.
pub(crate) const REQUESTS: usize = 64;
/// How often whoever waits looks again.
const LOOK: Duration = Duration::from_millis(50);
/// How old what the store told somebody else may be for whoever looks again: however many wait, the store is asked no more
/// often. Whoever looks for the first time is told what holds now.
const SHARED: Duration = Duration::from_millis(40);
/// How long the store may take, the wait for others who ask it included.
const ANSWER: Duration = Duration::from_millis(2_500);

/// Which nodes have come how far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Convergence {
    /// Where the node stands that was asked. Nodes in another epoch have not reached any revision of this one.
    pub version: Version,
    /// The revision that was asked for.
    pub revision: Revision,
    /// Whether every live node has reached it.
    pub converged: bool,
    /// Whether two of the nodes stand at one version and hold different flags, which must never be.
    pub disagreement: bool,
    /// Every live node, in the order of their ids.
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
    /// Which live nodes have come to `revision`, this node's own unless told. Waits until all have, but no longer than `wait`.
    ///
    /// # Errors
    /// [`ConvergenceError`] if that cannot be known.
    pub async fn convergence(
        &self,
        revision: Option<Revision>,
        wait: Duration,
    ) -> Result<Convergence, ConvergenceError> {
        let _place = self.shared.watchers.try_acquire().map_err(|_| {
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
            let nodes = asked.await.map_err(|ended| StoreError::Unavailable(Box::new(ended)))??;
            let now = compare(&self.shared, &nodes, revision).ok_or(ConvergenceError::NotReady)?;
            if now.converged || Instant::now() >= deadline {
                return Ok(now);
            }
            sleep(LOOK.min(deadline.saturating_duration_since(Instant::now()))).await;
            since = lately();
        }
    }
}

/// The moment since which an answer is good enough for whoever looks again and again.
pub(crate) fn lately() -> Instant {
    let now = Instant::now();
    now.checked_sub(SHARED).unwrap_or(now)
}

fn compare(shared: &Shared, nodes: &[SeenNode], revision: Revision) -> Option<Convergence> {
    let own = shared.own()?;
    let version = own.version;
    // Of itself the node knows better than the store.
    let mut nodes: Vec<SeenNode> = nodes.iter().filter(|node| node.id != own.id).cloned().collect();
    nodes.push(own);
    nodes.sort_by_key(|node| node.id);
    let disagreement = disagree(&nodes);
    let reached = |node: &SeenNode| node.version.epoch == version.epoch && node.version.revision >= revision;
    let nodes: Vec<Progress> =
        nodes.into_iter().map(|node| Progress { reached: reached(&node), node }).collect();
    let converged = nodes.iter().all(|progress| progress.reached);
    Some(Convergence { version, revision, converged, disagreement, nodes })
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
    /// Every live node that has reported to the store, as of a moment after `since`.
    pub(crate) async fn read(&self, shared: &Shared, since: Instant) -> Result<Arc<[SeenNode]>, StoreError> {
        let read = timeout(ANSWER, async {
            let _alone = self.asking.lock().await;
            let known = self.known();
            if let Some(known) = known.as_ref().filter(|known| known.asked >= since) {
                return Ok(Arc::clone(&known.nodes));
            }
            let asked = Instant::now();
            let nodes: Arc<[SeenNode]> = shared.store.nodes(&shared.environment).await?.into();
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
        let known = self.known().filter(|known| known.asked.elapsed() < crate::nodes::NODE_EXPIRY);
        known.map(|known| known.cluster)
    }

    fn known(&self) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn summary(shared: &Shared, nodes: &[SeenNode]) -> Cluster {
    let Some(own) = shared.own().and_then(|own| compare(shared, nodes, own.version.revision)) else {
        return Cluster::default();
    };
    let behind = own.nodes.iter().filter(|progress| !progress.reached).count();
    Cluster { nodes: own.nodes.len(), behind, disagreement: own.disagreement }
}
