//! A persistent hash trie: a clone costs a reference or two, and changing a clone copies only the path to the leaf that
//! changes.
//!
//! Branches have sixteen children, chosen by the lower half of the hash, four bits a level. What lies in a leaf is the
//! owner's affair; it may use the upper half, which is never consumed on the way down.

use alloc::sync::Arc;
use core::{array, slice};

const FANOUT: usize = 16;
const BITS: u32 = FANOUT.trailing_zeros();
/// At this many levels a leaf is not split further, however full: what collides in 32 bits is left together.
const DEEPEST: u32 = 8;

/// The end of a path: a small set of entries. A clone shares them.
pub(crate) trait Leaf: Clone + Default {
    /// Whether a further entry should rather split the leaf.
    fn is_full(&self) -> bool;

    /// Hands each entry to the new leaf that `choose` names for its hash, a number below `parts.len()`.
    fn split(&self, parts: &mut [Self], choose: impl Fn(u64) -> usize);
}

/// The trie; empty without any allocation if its leaf is.
#[derive(Clone)]
pub(crate) struct Trie<L>(Node<L>);

/// Aligned so that looking at a node is looking at one cache line.
#[derive(Clone)]
#[repr(align(64))]
enum Node<L> {
    Leaf(L),
    Branch(Arc<[Node<L>; FANOUT]>),
}

impl<L: Default> Default for Trie<L> {
    fn default() -> Self {
        Self(Node::Leaf(L::default()))
    }
}

impl<L: Leaf> Trie<L> {
    /// The leaf where `hash` belongs.
    #[inline]
    pub(crate) fn leaf(&self, hash: u64) -> Option<&L> {
        let mut node = &self.0;
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

    /// The leaf where `hash` belongs, split if it is full, on a path that no other trie shares.
    pub(crate) fn leaf_mut(&mut self, hash: u64) -> &mut L {
        Self::descend(&mut self.0, hash, 0)
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
            Node::Leaf(leaf) => leaf,
        }
    }

    fn branch(leaf: &L, depth: u32) -> Node<L> {
        let mut parts: [L; FANOUT] = array::from_fn(|_| L::default());
        leaf.split(&mut parts, |hash| child(hash, depth));
        Node::Branch(Arc::new(parts.map(Node::Leaf)))
    }

    /// Every leaf, in an order that follows from the hashes.
    pub(crate) fn leaves(&self) -> Leaves<'_, L> {
        let mut path = array::from_fn(|_| slice::Iter::default());
        path[0] = slice::from_ref(&self.0).iter();
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
#[inline]
fn child(hash: u64, depth: u32) -> usize {
    #[expect(clippy::cast_possible_truncation, reason = "four bits fit everywhere")]
    let child = (hash >> (BITS * depth)) as usize % FANOUT;
    child
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// A leaf that is full at four entries.
    #[derive(Clone, Default)]
    struct Few(Vec<u64>);

    impl Leaf for Few {
        fn is_full(&self) -> bool {
            self.0.len() >= 4
        }

        fn split(&self, parts: &mut [Self], choose: impl Fn(u64) -> usize) {
            for hash in &self.0 {
                parts[choose(*hash)].0.push(*hash);
            }
        }
    }

    fn of(hashes: &[u64]) -> Trie<Few> {
        let mut trie = Trie::<Few>::default();
        for hash in hashes {
            trie.leaf_mut(*hash).0.push(*hash);
        }
        trie
    }

    fn listed(trie: &Trie<Few>) -> Vec<u64> {
        trie.leaves().flat_map(|leaf| leaf.0.iter().copied()).collect()
    }

    #[test]
    fn every_entry_lies_where_it_is_looked_for_and_is_listed_once() {
        let spread: Vec<u64> =
            (0..500_u64).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
        let crowded: Vec<u64> = (0..100).collect();
        let deep: Vec<u64> = (0..64).map(|number| number << 24).collect();
        for hashes in [spread, crowded, deep] {
            let trie = of(&hashes);
            assert!(hashes.iter().all(|hash| trie.leaf(*hash).unwrap().0.contains(hash)));
            let mut found = listed(&trie);
            found.sort_unstable();
            let mut expected = hashes;
            expected.sort_unstable();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn hashes_that_differ_in_the_upper_half_alone_share_a_leaf() {
        let alike: Vec<u64> = (0..100).map(|number| number << 32 | 0x1234_5678).collect();
        let trie = of(&alike);
        assert_eq!(trie.leaf(0x1234_5678).unwrap().0, alike);
        // All of the lower half is used before that: what differs in its last four bits lies apart.
        let apart: Vec<u64> = (0..16).map(|number| number << 28 | 0x0234_5678).collect();
        let trie = of(&apart);
        assert!(apart.iter().all(|hash| trie.leaf(*hash).unwrap().0 == [*hash]));
        assert_eq!(listed(&trie), apart);
    }

    #[test]
    fn a_leaf_is_split_when_it_is_full_and_not_before() {
        assert_eq!(of(&[0, 1, 2, 3]).leaves().count(), 1);
        assert_eq!(of(&[0, 1, 2, 3, 4]).leaves().count(), FANOUT);
    }

    #[test]
    fn a_change_leaves_every_other_leaf_shared() {
        let hashes: Vec<u64> = (0..200).collect();
        let (before, mut after) = (of(&hashes), of(&[]));
        after.clone_from(&before);
        after.leaf_mut(7).0.push(7);
        assert_eq!(listed(&before).len(), 200);
        let changed = before.leaves().zip(after.leaves()).filter(|(one, other)| one.0 != other.0);
        assert_eq!(changed.count(), 1);
    }
}
