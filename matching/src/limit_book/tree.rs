//! Owns sorted maps from whole numbers to small values: many B+ trees whose nodes lie in common slabs.
//!
//! Never matches and never knows what the values are. Every operation takes a number of steps that grows with
//! the logarithm of the values, whatever a peer submits: there is no list to walk along. Taking the least and
//! putting in the greatest, which is what a queue does, find their leaf at once.
//!
//! ```text
//!                 [ inner: least key of each child ]
//!                /                |                 \
//! first ─► [ leaf: 16 values ] ◄─► [ leaf ] ◄─► [ leaf ] ◄─ last
//! ```
//! An empty leaf is given back at once, and a leaf that is less than a quarter full joins a neighbour under the
//! same parent that has room for it.

mod node;

use super::slab::Slab;
use node::{INNER, Inner, LEAF, Leaf, NIL};

/// The most levels of inner nodes: at least 8 children each, so more leaves than numbers for them.
const MAX_HEIGHT: usize = 12;

/// One map; its nodes lie in the [`Trees`] that made it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tree {
    /// A leaf where there is no level of inner nodes.
    root: u32,
    height: u32,
    first: u32,
    last: u32,
    /// What its leaves are tagged with.
    tag: u32,
}

/// Where a value lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) leaf: u32,
    at: usize,
}

/// The way from the root to a leaf: each inner node with the child that was taken.
#[derive(Debug, Clone, Copy)]
struct Way {
    steps: [(u32, u32); MAX_HEIGHT],
    len: usize,
}

impl Way {
    fn steps(&self) -> &[(u32, u32)] {
        &self.steps[..self.len]
    }
}

/// The nodes of many trees.
#[derive(Debug, Clone)]
pub(super) struct Trees<V> {
    leaves: Slab<Leaf<V>>,
    inners: Slab<Inner>,
}

impl<V: Copy + Default> Trees<V> {
    /// Makes room for so many leaves.
    pub(super) fn new(leaves: usize) -> Self {
        Self {
            leaves: Slab::new(leaves, &Leaf::new(0)),
            inners: Slab::new(leaves / (INNER / 2) + 1, &Inner::new()),
        }
    }

    /// Returns the bytes that the nodes occupy.
    pub(super) fn bytes(&self) -> usize {
        self.leaves.bytes() + self.inners.bytes()
    }

    /// Makes an empty map.
    pub(super) fn plant(&mut self, tag: u32) -> Tree {
        let root = self.leaves.add(Leaf::new(tag));
        Tree {
            root,
            height: 0,
            first: root,
            last: root,
            tag,
        }
    }

    /// Gives the nodes of an empty map back.
    pub(super) fn fell(&mut self, tree: &Tree) {
        self.leaves.give_back(tree.root);
    }

    /// Returns the tag of the map that a leaf belongs to.
    pub(super) fn tag(&self, leaf: u32) -> u32 {
        self.leaves.get(leaf).tag
    }

    fn leaf_of(&self, tree: &Tree, key: u64) -> u32 {
        let mut node = tree.root;
        for _ in 0..tree.height {
            let inner = self.inners.get(node);
            node = inner.child(inner.search(key));
        }
        node
    }

    fn way_to(&self, tree: &Tree, key: u64) -> (Way, u32) {
        let mut way = Way {
            steps: [(NIL, 0); MAX_HEIGHT],
            len: tree.height as usize,
        };
        let mut node = tree.root;
        for step in &mut way.steps[..tree.height as usize] {
            let inner = self.inners.get(node);
            let child = inner.search(key);
            *step = (node, child as u32);
            node = inner.child(child);
        }
        (way, node)
    }

    /// Returns where the value of a key lies.
    pub(super) fn find(&self, tree: &Tree, key: u64) -> Option<Spot> {
        let leaf = self.leaf_of(tree, key);
        let it = self.leaves.get(leaf);
        let at = it.search(key);
        it.holds(at, key).then_some(Spot { leaf, at })
    }

    /// Returns where a value lies that is known to be in this leaf.
    pub(super) fn find_in(&self, leaf: u32, is_it: impl Fn(&V) -> bool) -> Option<Spot> {
        let it = self.leaves.get(leaf);
        let at = it.first() + it.values().iter().position(is_it)?;
        Some(Spot { leaf, at })
    }

    /// Returns where the value with the least key lies.
    pub(super) fn first(&self, tree: &Tree) -> Option<Spot> {
        let leaf = self.leaves.get(tree.first);
        let at = leaf.first();
        (leaf.len() > 0).then_some(Spot {
            leaf: tree.first,
            at,
        })
    }

    /// Returns where the value with the next greater key lies.
    pub(super) fn next(&self, spot: Spot) -> Option<Spot> {
        let leaf = self.leaves.get(spot.leaf);
        if spot.at + 1 < leaf.end() {
            return Some(Spot {
                at: spot.at + 1,
                ..spot
            });
        }
        let next = leaf.next;
        (next != NIL).then(|| Spot {
            leaf: next,
            at: self.leaves.get(next).first(),
        })
    }

    /// Returns the key of a value.
    pub(super) fn key(&self, spot: Spot) -> u64 {
        self.leaves.get(spot.leaf).key(spot.at)
    }

    /// Returns a value.
    pub(super) fn value(&self, spot: Spot) -> &V {
        self.leaves.get(spot.leaf).value(spot.at)
    }

    /// Returns a value, to be changed.
    pub(super) fn value_mut(&mut self, spot: Spot) -> &mut V {
        self.leaves.get_mut(spot.leaf).value_mut(spot.at)
    }

    /// Puts a value in, tells of each other value that came to lie in another leaf by that, and returns the leaf
    /// that it lies in; `None` where the key has a value.
    pub(super) fn insert(
        &mut self,
        tree: &mut Tree,
        (key, value): (u64, V),
        moved: impl FnMut(&V, u32),
    ) -> Option<u32> {
        // What comes last in a queue.
        let last = self.leaves.get_mut(tree.last);
        if last.len() > 0 && last.key(last.end() - 1) < key {
            if last.len() < LEAF {
                last.insert(last.end(), key, value);
                return Some(tree.last);
            }
            return Some(self.insert_last(tree, key, value));
        }
        let id = self.leaf_of(tree, key);
        let leaf = self.leaves.get_mut(id);
        let at = leaf.search(key);
        if leaf.holds(at, key) {
            return None;
        }
        if leaf.len() < LEAF {
            leaf.insert(at, key, value);
            return Some(id);
        }
        Some(self.insert_split(tree, (key, value), moved))
    }

    /// Puts the greatest value into a new leaf behind the last one, which is full.
    fn insert_last(&mut self, tree: &mut Tree, key: u64, value: V) -> u32 {
        let (way, id) = self.way_to(tree, key);
        let mut leaf = Leaf::new(tree.tag);
        leaf.insert(0, key, value);
        let new = self.leaves.add(leaf);
        self.chain(tree, id, new);
        self.hang(tree, &way, (key, new));
        new
    }

    /// Splits a full leaf in two and puts the value into the half that it belongs to.
    fn insert_split(
        &mut self,
        tree: &mut Tree,
        (key, value): (u64, V),
        mut moved: impl FnMut(&V, u32),
    ) -> u32 {
        let (way, id) = self.way_to(tree, key);
        let new = self.leaves.add(Leaf::new(tree.tag));
        let (leaf, greater) = self.leaves.two(id, new);
        leaf.split_into(greater);
        for value in greater.values() {
            moved(value, new);
        }
        let from = greater.key(0);
        let into = if key < from { id } else { new };
        let half = if key < from { leaf } else { greater };
        half.insert(half.search(key), key, value);
        self.chain(tree, id, new);
        self.hang(tree, &way, (from, new));
        into
    }

    /// Links a new leaf behind another one.
    fn chain(&mut self, tree: &mut Tree, before: u32, new: u32) {
        let (leaf, added) = self.leaves.two(before, new);
        added.previous = before;
        added.next = std::mem::replace(&mut leaf.next, new);
        match added.next {
            NIL => tree.last = new,
            next => self.leaves.get_mut(next).previous = new,
        }
    }

    /// Hangs a new node into the tree, right behind the one that `way` leads to.
    fn hang(&mut self, tree: &mut Tree, way: &Way, (mut from, mut node): (u64, u32)) {
        for (parent, child) in way.steps().iter().rev() {
            let inner = self.inners.get_mut(*parent);
            let at = *child as usize + 1;
            if inner.len() < INNER {
                inner.insert(at, from, node);
                return;
            }
            let new = self.inners.add(Inner::new());
            let (inner, greater) = self.inners.two(*parent, new);
            let split_from = inner.split_into(greater);
            let half = inner.len();
            if at <= half {
                inner.insert(at, from, node);
            } else {
                greater.insert(at - half, from, node);
            }
            (from, node) = (split_from, new);
        }
        let mut root = Inner::new();
        root.insert(0, 0, tree.root);
        root.insert(1, from, node);
        tree.root = self.inners.add(root);
        tree.height += 1;
    }

    /// Takes a value out, and tells of each other value that came to lie in another leaf by that.
    pub(super) fn remove(&mut self, tree: &mut Tree, spot: Spot, moved: impl FnMut(&V, u32)) -> V {
        let leaf = self.leaves.get_mut(spot.leaf);
        let key = leaf.key(spot.at);
        let value = leaf.remove(spot.at);
        let len = leaf.len();
        if len < LEAF / 4 && tree.height > 0 {
            match len {
                0 => self.unhang(tree, &self.way_to(tree, key).0, spot.leaf),
                // A queue gets shorter from the front: what is left there goes soon.
                _ if spot.leaf == tree.first => {}
                _ => self.thin(tree, (key, spot.leaf), moved),
            }
        }
        value
    }

    /// Gives a leaf with few values back, if a neighbour under the same parent has room for them.
    fn thin(&mut self, tree: &mut Tree, (key, id): (u64, u32), mut moved: impl FnMut(&V, u32)) {
        let (mut way, _) = self.way_to(tree, key);
        let Some((parent, child)) = way.steps().last().copied() else {
            return;
        };
        let inner = self.inners.get(parent);
        let child = child as usize;
        let fits = |left: u32, right: u32| {
            let values = self.leaves.get(left).len() + self.leaves.get(right).len();
            values <= LEAF * 3 / 4
        };
        let right = inner.get(child + 1).filter(|right| fits(id, *right));
        let left = || {
            let left = inner.get(child.checked_sub(1)?)?;
            fits(left, id).then_some(left)
        };
        let (left, right, at) = match right {
            Some(right) => (id, right, child + 1),
            None => match left() {
                Some(left) => (left, id, child),
                None => return,
            },
        };
        let (lesser, greater) = self.leaves.two(left, right);
        lesser.append(greater);
        for value in greater.values() {
            moved(value, left);
        }
        way.steps[way.len - 1].1 = at as u32;
        self.unhang(tree, &way, right);
    }

    /// Takes the leaf that `way` leads to out of the tree and out of the chain, and gives it back.
    fn unhang(&mut self, tree: &mut Tree, way: &Way, id: u32) {
        let leaf = self.leaves.get(id);
        let (previous, next) = (leaf.previous, leaf.next);
        match previous {
            NIL => tree.first = next,
            previous => self.leaves.get_mut(previous).next = next,
        }
        match next {
            NIL => tree.last = previous,
            next => self.leaves.get_mut(next).previous = previous,
        }
        self.leaves.give_back(id);
        for (parent, child) in way.steps().iter().rev() {
            let inner = self.inners.get_mut(*parent);
            inner.remove(*child as usize);
            if inner.len() > 0 {
                break;
            }
            self.inners.give_back(*parent);
        }
        self.lower(tree);
    }

    /// Takes inner nodes off the top that have one child only.
    fn lower(&mut self, tree: &mut Tree) {
        while tree.height > 0 {
            let root = self.inners.get(tree.root);
            if root.len() > 1 {
                return;
            }
            let child = root.child(0);
            self.inners.give_back(tree.root);
            tree.root = child;
            tree.height -= 1;
        }
    }
}

#[cfg(test)]
mod tests;
