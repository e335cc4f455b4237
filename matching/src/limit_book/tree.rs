//! Owns sorted maps from whole numbers to items: many B+ trees whose nodes lie in common slabs.
//!
//! Never matches and never knows what the items are. Every operation takes a number of steps that grows with
//! the logarithm of their number, whatever a peer submits: there is no list to walk along. Taking the least and
//! putting in the greatest, which is what a queue does, find their leaf at once.
//!
//! ```text
//!                 [ inner: least key of each child ]
//!                /                |                 \
//! first ─► [ leaf: 15 items ] ◄─► [ leaf ] ◄─► [ leaf ] ◄─ last
//! ```
//! An empty leaf is given back at once, and a leaf that is less than half full joins a neighbour under the same
//! parent if three quarters of a leaf hold both.

#[cfg(any(test, fuzzing))]
mod check;
mod node;

use super::slab::Slab;
use node::{INNER, Inner, LEAF, Leaf, NIL};

/// The most levels of inner nodes: at least 7 children each, so more leaves than numbers for them.
const MAX_HEIGHT: usize = 12;

/// What a map holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    /// What it is sorted by; unique in its map.
    pub(super) key: u64,
    /// What it is; not the greatest number.
    pub(super) id: u32,
    /// How much there is of it.
    pub(super) quantity: u32,
}

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

/// Where an item lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) leaf: u32,
    at: usize,
}

/// Where an item would lie that is not there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vacancy(Spot);

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
pub(super) struct Trees {
    leaves: Slab<Leaf>,
    inners: Slab<Inner>,
}

impl Trees {
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

    /// Returns where the item with a key lies, or where it would.
    pub(super) fn seek(&self, tree: &Tree, key: u64) -> Result<Spot, Vacancy> {
        let leaf = self.leaf_of(tree, key);
        let it = self.leaves.get(leaf);
        let at = it.search(key);
        let spot = Spot { leaf, at };
        if it.holds(at, key) {
            Ok(spot)
        } else {
            Err(Vacancy(spot))
        }
    }

    /// Returns where the item with a key lies.
    pub(super) fn find(&self, tree: &Tree, key: u64) -> Option<Spot> {
        self.seek(tree, key).ok()
    }

    /// Returns where an item lies, in a leaf of which it is known that it lies there.
    pub(super) fn find_in(&self, leaf: u32, id: u32) -> Option<Spot> {
        let at = self.leaves.get(leaf).find(id)?;
        Some(Spot { leaf, at })
    }

    /// Returns where the item with the least key lies.
    pub(super) fn first(&self, tree: &Tree) -> Option<Spot> {
        let leaf = self.leaves.get(tree.first);
        let at = leaf.first();
        (leaf.len() > 0).then_some(Spot {
            leaf: tree.first,
            at,
        })
    }

    /// Returns where the item with the next greater key lies.
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

    /// Returns an item.
    pub(super) fn get(&self, spot: Spot) -> Item {
        self.leaves.get(spot.leaf).get(spot.at)
    }

    /// Writes how much there is of an item.
    pub(super) fn set_quantity(&mut self, spot: Spot, quantity: u32) {
        self.leaves
            .get_mut(spot.leaf)
            .set_quantity(spot.at, quantity);
    }

    /// Puts an item in, tells the id of each other one that came to lie in another leaf by that, and returns the
    /// leaf that it lies in; `None` where its key is taken.
    pub(super) fn insert(
        &mut self,
        tree: &mut Tree,
        item: Item,
        moved: impl FnMut(u32, u32),
    ) -> Option<u32> {
        // What comes last in a queue.
        let last = self.leaves.get_mut(tree.last);
        let end = last.end();
        if end > last.first() && last.get(end - 1).key < item.key {
            if end < LEAF {
                last.push(item);
                return Some(tree.last);
            }
            return Some(self.insert_last(tree, item));
        }
        let vacancy = self.seek(tree, item.key).err()?;
        Some(self.insert_at(tree, vacancy, item, moved))
    }

    /// Puts an item in where there is none with its key: nothing was put in or taken out since that was seen.
    pub(super) fn insert_at(
        &mut self,
        tree: &mut Tree,
        Vacancy(spot): Vacancy,
        item: Item,
        moved: impl FnMut(u32, u32),
    ) -> u32 {
        let leaf = self.leaves.get_mut(spot.leaf);
        if leaf.len() < LEAF {
            leaf.insert(spot.at, item);
            return spot.leaf;
        }
        self.insert_split(tree, item, moved)
    }

    /// Puts the greatest item into a new leaf behind the last one, which has no room at its end.
    fn insert_last(&mut self, tree: &mut Tree, item: Item) -> u32 {
        let (way, id) = self.way_to(tree, item.key);
        let mut leaf = Leaf::new(tree.tag);
        leaf.push(item);
        let new = self.leaves.add(leaf);
        self.chain(tree, id, new);
        self.hang(tree, &way, (item.key, new));
        new
    }

    /// Splits a full leaf in two and puts the item into the half that it belongs to.
    fn insert_split(
        &mut self,
        tree: &mut Tree,
        item: Item,
        mut moved: impl FnMut(u32, u32),
    ) -> u32 {
        let (way, id) = self.way_to(tree, item.key);
        let new = self.leaves.add(Leaf::new(tree.tag));
        let (leaf, greater) = self.leaves.two(id, new);
        leaf.split_into(greater);
        for moving in greater.ids() {
            moved(*moving, new);
        }
        let from = greater.get(0).key;
        let (half, into) = match item.key < from {
            true => (leaf, id),
            false => (greater, new),
        };
        half.insert(half.search(item.key), item);
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

    /// Takes an item out, and tells the id of each other one that came to lie in another leaf by that.
    pub(super) fn remove(&mut self, tree: &mut Tree, spot: Spot, moved: impl FnMut(u32, u32)) {
        let leaf = self.leaves.get_mut(spot.leaf);
        let key = leaf.get(spot.at).key;
        leaf.remove(spot.at);
        let len = leaf.len();
        if len >= LEAF / 4 || tree.height == 0 {
            return;
        }
        if len == 0 {
            let (way, _) = self.way_to(tree, key);
            self.unhang(tree, &way, spot.leaf);
        } else if spot.leaf != tree.first {
            // A queue gets shorter from the front: what is left there goes soon.
            self.thin(tree, (key, spot.leaf), moved);
        }
    }

    /// Gives a leaf with few items back, if a neighbour under the same parent has room for them.
    fn thin(&mut self, tree: &mut Tree, (key, id): (u64, u32), mut moved: impl FnMut(u32, u32)) {
        let leaf = self.leaves.get(id);
        let room = LEAF * 3 / 4 - leaf.len();
        let has_room = |other: u32| other != NIL && self.leaves.get(other).len() <= room;
        if !has_room(leaf.next) && !has_room(leaf.previous) {
            return;
        }
        let (mut way, _) = self.way_to(tree, key);
        let Some((parent, child)) = way.steps().last().copied() else {
            return;
        };
        let inner = self.inners.get(parent);
        let child = child as usize;
        let right = inner.get(child + 1).filter(|right| has_room(*right));
        let left = || {
            let left = inner.get(child.checked_sub(1)?);
            left.filter(|left| has_room(*left))
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
        for moving in greater.ids() {
            moved(*moving, left);
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
