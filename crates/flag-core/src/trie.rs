//! A persistent hash trie: a clone costs a reference or two, and changing a clone copies only the path to the leaf that
//! changes.
//!
//! The children of a branch are chosen by the lower half of the hash: at the root by as many bits as the owner likes, below
//! it by four a level. What lies in a leaf is the owner's affair; it may use the upper half, which is never consumed on the
//! way down.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;
use core::{array, mem, slice};

/// How many bits of the hash choose the way. At their end a leaf is not split further, however full: what collides in all of
/// them is left together.
const CHOOSING: u32 = 32;
/// How many bits choose a child below the root.
const BITS: u32 = 4;
/// How many levels there are at most, the root included.
const LEVELS: usize = (CHOOSING / BITS) as usize + 1;

/// The end of a path: a small set of entries. A clone shares them.
pub(crate) trait Leaf: Clone + Default {
    /// How many bits of the hash choose a child of the root, at least four. Few make a changed path quick to copy, many make
    /// it quick to go.
    const ROOT_BITS: u32;

    /// Whether a further entry should rather split the leaf.
    fn is_full(&self) -> bool;

    /// Deals its entries out to `count` new leaves, in the order of what `choose` names for their hashes: a number below
    /// `count`.
    fn split(&self, count: usize, choose: impl Fn(u64) -> usize) -> Vec<Self>;

    /// Whether `other` is a clone of this leaf, or the other way round, and neither has been changed since.
    fn shares(&self, other: &Self) -> bool;
}

/// The trie; empty without any allocation if its leaf is.
#[derive(Clone)]
pub(crate) struct Trie<L>(Node<L>);

#[derive(Clone)]
enum Node<L> {
    Leaf(L),
    Branch(Arc<[Child<L>]>),
}

/// A node among others, aligned so that looking at it is looking at one cache line. The root lies in whatever owns the trie, and
/// takes no more room there than it needs.
#[derive(Clone)]
#[repr(align(64))]
struct Child<L>(Node<L>);

impl<L: Default> Default for Trie<L> {
    fn default() -> Self {
        Self(Node::Leaf(L::default()))
    }
}

impl<L: Leaf> Trie<L> {
    /// A trie of all that is in `leaf`, however much that is. Makes each leaf once, where adding one entry after another would
    /// make it many times.
    pub(crate) fn of(leaf: L) -> Self {
        Self(Self::settled(leaf, Level::root::<L>()))
    }

    /// The leaf, or the branch into which it is split because it is full.
    fn settled(leaf: L, level: Level) -> Node<L> {
        if !leaf.is_full() || level.below().shift > CHOOSING {
            return Node::Leaf(leaf);
        }
        let parts = leaf.split(1 << level.bits, |hash| level.child(hash));
        Node::Branch(parts.into_iter().map(|part| Child(Self::settled(part, level.below()))).collect())
    }

    /// The leaf where `hash` belongs.
    #[inline]
    pub(crate) fn leaf(&self, hash: u64) -> Option<&L> {
        let mut node = &self.0;
        let mut level = Level::root::<L>();
        loop {
            match node {
                Node::Leaf(leaf) => return Some(leaf),
                Node::Branch(children) => {
                    node = &children.get(level.child(hash))?.0;
                    level = level.below();
                }
            }
        }
    }

    /// The leaf where `hash` belongs, split if it is full, on a path that no other trie shares.
    pub(crate) fn leaf_mut(&mut self, hash: u64) -> &mut L {
        Self::descend(&mut self.0, hash, Level::root::<L>())
    }

    fn descend(node: &mut Node<L>, hash: u64, level: Level) -> &mut L {
        if let Node::Leaf(leaf) = node
            && leaf.is_full()
        {
            *node = Self::settled(mem::take(leaf), level);
        }
        match node {
            Node::Branch(children) => {
                #[expect(clippy::indexing_slicing, reason = "a branch has a child for every choice")]
                let Child(next) = &mut Arc::make_mut(children)[level.child(hash)];
                Self::descend(next, hash, level.below())
            }
            Node::Leaf(leaf) => leaf,
        }
    }

    /// Shows every leaf that `other` does not share to `visit`, until that breaks off, with the one leaf of `other` where all of
    /// its entries belong unless they belong into several.
    pub(crate) fn visit_leaves_not_in<'a>(
        &'a self,
        other: &Self,
        visit: &mut impl FnMut(&'a L, Option<&L>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        Self::compare(&self.0, &other.0, visit)
    }

    /// Compares with the node of another trie where all that is in this one belongs.
    fn compare<'a>(
        node: &'a Node<L>,
        other: &Node<L>,
        visit: &mut impl FnMut(&'a L, Option<&L>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match (node, other) {
            (Node::Branch(children), Node::Branch(others)) if Arc::ptr_eq(children, others) => {
                ControlFlow::Continue(())
            }
            (Node::Branch(children), Node::Branch(others)) => {
                let mut pairs = children.iter().zip(others.iter());
                pairs.try_for_each(|(Child(child), Child(other))| Self::compare(child, other, visit))
            }
            (Node::Branch(children), Node::Leaf(_)) => {
                children.iter().try_for_each(|Child(child)| Self::compare(child, other, visit))
            }
            (Node::Leaf(leaf), Node::Leaf(other)) if leaf.shares(other) => ControlFlow::Continue(()),
            (Node::Leaf(leaf), Node::Leaf(other)) => visit(leaf, Some(other)),
            (Node::Leaf(leaf), Node::Branch(_)) => visit(leaf, None),
        }
    }

    /// Every leaf, in an order that follows from the hashes.
    pub(crate) fn leaves(&self) -> Leaves<'_, L> {
        Leaves { root: Some(&self.0), path: array::from_fn(|_| slice::Iter::default()), depth: 0 }
    }
}

/// The way through a trie, leaf by leaf; allocates nothing.
pub(crate) struct Leaves<'a, L> {
    /// The root, unless it was visited.
    root: Option<&'a Node<L>>,
    /// What is still to be visited below the node at each depth, the root included.
    path: [slice::Iter<'a, Child<L>>; LEVELS],
    depth: usize,
}

impl<'a, L> Leaves<'a, L> {
    fn next_node(&mut self) -> Option<&'a Node<L>> {
        if let Some(root) = self.root.take() {
            return Some(root);
        }
        loop {
            match self.path.get_mut(self.depth)?.next() {
                Some(Child(node)) => return Some(node),
                None => self.depth = self.depth.checked_sub(1)?,
            }
        }
    }
}

impl<'a, L> Iterator for Leaves<'a, L> {
    type Item = &'a L;

    fn next(&mut self) -> Option<&'a L> {
        loop {
            match self.next_node()? {
                Node::Leaf(leaf) => return Some(leaf),
                Node::Branch(children) => {
                    self.depth += 1;
                    *self.path.get_mut(self.depth)? = children.iter();
                }
            }
        }
    }
}

/// Which bits of a hash choose at one level.
#[derive(Clone, Copy)]
struct Level {
    shift: u32,
    bits: u32,
}

impl Level {
    #[inline]
    fn root<L: Leaf>() -> Self {
        Self { shift: 0, bits: L::ROOT_BITS }
    }

    #[inline]
    fn below(self) -> Self {
        Self { shift: self.shift + self.bits, bits: BITS }
    }

    /// Which child of a branch at this level leads to `hash`.
    #[inline]
    fn child(self, hash: u64) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "a few bits fit everywhere")]
        let child = (hash >> self.shift) as usize % (1 << self.bits);
        child
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// A leaf that is full at four entries.
    #[derive(Clone, Default)]
    struct Few(Vec<u64>);

    impl Leaf for Few {
        const ROOT_BITS: u32 = 4;

        fn is_full(&self) -> bool {
            self.0.len() >= 4
        }

        fn split(&self, count: usize, choose: impl Fn(u64) -> usize) -> Vec<Self> {
            let mut parts = alloc::vec![Self::default(); count];
            for hash in &self.0 {
                parts[choose(*hash)].0.push(*hash);
            }
            parts
        }

        fn shares(&self, _: &Self) -> bool {
            false
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
    fn a_trie_made_of_one_leaf_is_the_trie_that_its_entries_would_have_made() {
        let spread: Vec<u64> =
            (0..500_u64).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
        let alike: Vec<u64> = (0..100).map(|number| number << 32 | 0x1234_5678).collect();
        for hashes in [Vec::new(), alloc::vec![1, 2, 3], spread, alike] {
            let trie = Trie::of(Few(hashes.clone()));
            assert!(hashes.iter().all(|hash| trie.leaf(*hash).unwrap().0.contains(hash)));
            assert!(trie.leaves().all(|leaf| leaf.0.len() < 4 || hashes.len() == 100));
            assert_eq!(listed(&trie), listed(&of(&hashes)));
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
        assert_eq!(of(&[0, 1, 2, 3, 4]).leaves().count(), 16);
    }

    #[test]
    fn a_visit_that_breaks_off_sees_no_further_leaf() {
        let crowded: Vec<u64> = (0..100).collect();
        for other in [of(&[]), of(&crowded[..50]), of(&[1, 2, 3])] {
            let mut seen = 0;
            let visited = of(&crowded).visit_leaves_not_in(&other, &mut |_, _| {
                seen += 1;
                if seen < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            assert!(visited.is_break());
            assert_eq!(seen, 3);
        }
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
