//! What nodes tell one another of themselves, through the store.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use flag_core::{Author, Invalid, Version};

use crate::digest::Digest;

/// How long after its last report a node counts as silent. It may be gone, or cut off and still answering.
pub const NODE_SILENCE: Duration = Duration::from_secs(10);
/// How long after its last report a node is forgotten.
pub const NODE_MEMORY: Duration = Duration::from_secs(600);
/// How many nodes there may be; a cluster is smaller.
pub const MOST_NODES: u16 = 1_000;

/// The id of one run of one node: random, made at its start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub u128);

impl fmt::Display for NodeId {
    /// Thirty-two hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What people call a node: 1 to 128 characters without control characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeName(Box<str>);

impl NodeName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NodeName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        // Names of nodes have the form of names of authors.
        Author::parse(text).map(|name| Self(name.as_str().into()))
    }
}

/// Which node this is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeIdentity {
    /// Its id.
    pub id: NodeId,
    /// Its name. Another node may have it, too, and takes the place of a silent one.
    pub name: NodeName,
}

/// Where a node stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeReport {
    /// Which node it is.
    pub node: NodeIdentity,
    /// The version of its live snapshot.
    pub version: Version,
    /// The digest of that, if it has been computed yet.
    pub digest: Option<Digest>,
}

/// A node as the store last heard of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeenNode {
    /// Its id.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// The version of its live snapshot.
    pub version: Version,
    /// The digest of that, if it had been computed then.
    pub digest: Option<Digest>,
    /// How long ago that was, by the store's clock; at most [`NODE_MEMORY`].
    pub age: Duration,
}

impl SeenNode {
    /// Whether it should have reported since.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.age > NODE_SILENCE
    }
}

/// Whether two of `nodes` stand at one version and hold different flags.
#[must_use]
pub(crate) fn disagree<'a>(nodes: impl Iterator<Item = &'a SeenNode>) -> bool {
    let mut digests = HashMap::new();
    nodes
        .filter_map(|node| Some((node.version, node.digest?)))
        .any(|(version, digest)| *digests.entry(version).or_insert(digest) != digest)
}
