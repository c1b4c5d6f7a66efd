//! A persistent hash trie: a clone costs one reference, and changing a clone copies only the path to the leaf that changes.
//!
//! Branches have sixteen children, chosen by the top bits of the hash, four a level. What lies in a leaf is the owner's
//! affair; it may use the low 32 bits of the hash, which are never consumed on the way down.

use alloc::sync::Arc;
use core::{array, slice};

const FANOUT: usize = 16;
const BITS: u32 = FANOUT.trailing_zeros();
/// Below this many levels a leaf is not split further, however full: what collides in 32 bits is left together.
const DEEPEST: u32 = 32 / BITS;

/// The end of a path: a small set of entries whose hashes share their top bits.
pub(crate) trait Leaf: Clone + Default {
    /// Whether a further entry should rather split the leaf.
    fn is_full(&self) -> bool;

    /// Hands each entry to the new leaf that `choose` names for its hash, a number below `parts.len()`.
    fn split(&self, parts: &mut [Self], choose: impl Fn(u64) -> usize);
}

/// The trie; empty without any allocation.
#[derive(Clone)]
pub(crate) struct Trie<L>(Option<Node<L>>);

#[derive(Clone)]
enum Node<L> {
    Leaf(Arc<L>),
    Branch(Arc<[Node<L>; FANOUT]>),
}

impl<L> Default for Trie<L> {
    fn default() -> Self {
        Self(None)
    }
}

impl<L: Leaf> Trie<L> {
    /// The leaf where `hash` belongs, if there is one.
    pub(crate) fn leaf(&self, hash: u64) -> Option<&L> {
        let mut node = self.0.as_ref()?;
        let mut depth = 0;
        loop {
            match node {
                Node::Leaf(leaf) => return Some(leaf),
                Node::Branch(children) => {
                    node = children.get(child(hash, depth))?;
                    depth += 1;
                }
            }
        }
    }

    /// The leaf where `hash` belongs, made if it is missing, split if it is full, and copied if another trie shares it.
    pub(crate) fn leaf_mut(&mut self, hash: u64) -> &mut L {
        let root = self.0.get_or_insert_with(|| Node::Leaf(Arc::default()));
        Self::descend(root, hash, 0)
    }

    fn descend(node: &mut Node<L>, hash: u64, depth: u32) -> &mut L {
        if let Node::Leaf(leaf) = node
            && leaf.is_full()
            && depth < DEEPEST
        {
            *node = Self::branch(leaf, depth);
        }
        match node {
            Node::Branch(children) => {
                #[expect(clippy::indexing_slicing, reason = "`child` is below FANOUT")]
                let next = &mut Arc::make_mut(children)[child(hash, depth)];
                Self::descend(next, hash, depth + 1)
            }
            Node::Leaf(leaf) => Arc::make_mut(leaf),
        }
    }

    fn branch(leaf: &L, depth: u32) -> Node<L> {
        let mut parts: [L; FANOUT] = array::from_fn(|_| L::default());
        leaf.split(&mut parts, |hash| child(hash, depth));
        Node::Branch(Arc::new(parts.map(|part| Node::Leaf(Arc::new(part)))))
    }

    /// Every leaf, in the order of the hashes.
    pub(crate) fn leaves(&self) -> Leaves<'_, L> {
        let mut path = array::from_fn(|_| slice::Iter::default());
        path[0] = self.0.as_slice().iter();
        Leaves { path, depth: 0 }
    }
}

/// The way through a trie, leaf by leaf; allocates nothing.
pub(crate) struct Leaves<'a, L> {
    /// What is still to be visited of the node at each depth, the root included.
    path: [slice::Iter<'a, Node<L>>; DEEPEST as usize + 1],
    depth: usize,
}

impl<'a, L> Iterator for Leaves<'a, L> {
    type Item = &'a L;

    fn next(&mut self) -> Option<&'a L> {
        loop {
            match self.path.get_mut(self.depth)?.next() {
                Some(Node::Leaf(leaf)) => return Some(leaf),
                Some(Node::Branch(children)) => {
                    self.depth += 1;
                    *self.path.get_mut(self.depth)? = children.iter();
                }
                None => self.depth = self.depth.checked_sub(1)?,
            }
        }
    }
}

/// Which child of a branch at `depth` leads to `hash`.
fn child(hash: u64, depth: u32) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "four bits fit everywhere")]
    let child = (hash >> (u64::BITS - BITS * (depth + 1))) as usize % FANOUT;
    child
}
