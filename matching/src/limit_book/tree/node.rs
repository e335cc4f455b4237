//! Owns the two kinds of nodes that a tree is made of, and the search inside one.
//!
//! Never knows of other nodes.

use std::ops::Range;

use super::Item;

/// Items in a leaf, which makes it four lines of a processor's cache.
pub(super) const LEAF: usize = 15;
/// Children of an inner node, which makes it three.
pub(super) const INNER: usize = 15;

/// No node.
pub(super) const NIL: u32 = u32::MAX;

/// A run of items in the order of their keys. They lie from `first` to `end`; keys before are 0 and behind the
/// greatest, so that they count as below and as not below any key, and ids of both are [`NIL`].
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(super) struct Leaf {
    first: u16,
    end: u16,
    /// Which tree it belongs to, in the words of the caller.
    pub(super) tag: u32,
    pub(super) previous: u32,
    pub(super) next: u32,
    keys: [u64; LEAF],
    ids: [u32; LEAF],
    quantities: [u32; LEAF],
}

impl Leaf {
    pub(super) const fn new(tag: u32) -> Self {
        Self {
            first: 0,
            end: 0,
            tag,
            previous: NIL,
            next: NIL,
            keys: [u64::MAX; LEAF],
            ids: [NIL; LEAF],
            quantities: [0; LEAF],
        }
    }

    pub(super) fn first(&self) -> usize {
        usize::from(self.first)
    }

    pub(super) fn end(&self) -> usize {
        usize::from(self.end).min(LEAF)
    }

    pub(super) fn len(&self) -> usize {
        self.end().saturating_sub(self.first())
    }

    pub(super) fn get(&self, at: usize) -> Item {
        Item {
            key: self.keys[at],
            id: self.ids[at],
            quantity: self.quantities[at],
        }
    }

    pub(super) fn set_quantity(&mut self, at: usize, quantity: u32) {
        self.quantities[at] = quantity;
    }

    /// Returns the ids of all items.
    pub(super) fn ids(&self) -> &[u32] {
        &self.ids[self.first()..self.end()]
    }

    /// Returns where `key` is or would be.
    pub(super) fn search(&self, key: u64) -> usize {
        count_while(&self.keys, |it| it < key).max(self.first())
    }

    /// Tells whether `at` holds `key`.
    pub(super) fn holds(&self, at: usize, key: u64) -> bool {
        at < self.end() && self.keys[at] == key
    }

    /// Returns where the item with this id is, if it is here.
    pub(super) fn find(&self, id: u32) -> Option<usize> {
        // At most one is equal; which one is told without a guess.
        let places = self.ids.iter().zip(1_u32..);
        let place: u32 = places.map(|(it, place)| u32::from(*it == id) * place).sum();
        (place as usize).checked_sub(1)
    }

    /// Puts an item in at `at`; the leaf is not full.
    pub(super) fn insert(&mut self, at: usize, item: Item) {
        let (first, end) = (self.first(), self.end());
        let at = if end < LEAF {
            self.shift(at..end, at + 1);
            self.end += 1;
            at
        } else {
            self.shift(first..at, first - 1);
            self.first -= 1;
            at - 1
        };
        self.keys[at] = item.key;
        self.ids[at] = item.id;
        self.quantities[at] = item.quantity;
    }

    /// Puts an item in behind all others; there is room at the end.
    pub(super) fn push(&mut self, item: Item) {
        let at = self.end().min(LEAF - 1);
        self.keys[at] = item.key;
        self.ids[at] = item.id;
        self.quantities[at] = item.quantity;
        self.end += 1;
    }

    fn shift(&mut self, items: Range<usize>, to: usize) {
        self.keys.copy_within(items.clone(), to);
        self.ids.copy_within(items.clone(), to);
        self.quantities.copy_within(items, to);
    }

    /// Takes the item at `at` out.
    pub(super) fn remove(&mut self, at: usize) {
        let end = self.end();
        if at == self.first() {
            self.keys[at] = 0;
            self.ids[at] = NIL;
            self.first += 1;
        } else {
            self.shift(at + 1..end, at);
            self.keys[end - 1] = u64::MAX;
            self.ids[end - 1] = NIL;
            self.end -= 1;
        }
    }

    /// Moves the greater half of a full leaf into `other`, which is empty.
    pub(super) fn split_into(&mut self, other: &mut Self) {
        const HALF: usize = LEAF / 2;
        other.copy(0, self, HALF..LEAF);
        other.end = (LEAF - HALF) as u16;
        self.keys[HALF..].fill(u64::MAX);
        self.ids[HALF..].fill(NIL);
        self.end = HALF as u16;
    }

    /// Moves all of `other`, whose keys are greater, behind its own; there is room.
    pub(super) fn append(&mut self, other: &Self) {
        let (first, end) = (self.first(), self.end());
        let (len, more) = (end - first, other.len());
        self.shift(first..end, 0);
        self.copy(len, other, other.first()..other.end());
        self.keys[len + more..].fill(u64::MAX);
        self.ids[len + more..].fill(NIL);
        self.first = 0;
        self.end = (len + more) as u16;
    }

    fn copy(&mut self, to: usize, other: &Self, items: Range<usize>) {
        let here = to..to + items.len();
        self.keys[here.clone()].copy_from_slice(&other.keys[items.clone()]);
        self.ids[here.clone()].copy_from_slice(&other.ids[items.clone()]);
        self.quantities[here].copy_from_slice(&other.quantities[items]);
    }
}

/// A run of children; each with the least key that it may hold.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub(super) struct Inner {
    len: u32,
    /// The first is 0, those behind the last the greatest.
    from: [u64; INNER],
    children: [u32; INNER],
}

impl Inner {
    pub(super) const fn new() -> Self {
        Self {
            len: 0,
            from: [u64::MAX; INNER],
            children: [NIL; INNER],
        }
    }

    pub(super) fn len(&self) -> usize {
        (self.len as usize).min(INNER)
    }

    pub(super) fn child(&self, at: usize) -> u32 {
        self.children[at]
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn from(&self, at: usize) -> u64 {
        self.from[at]
    }

    /// Returns the child at `at`, if there is one.
    pub(super) fn get(&self, at: usize) -> Option<u32> {
        self.children[..self.len()].get(at).copied()
    }

    /// Returns which child holds `key`, if any does.
    pub(super) fn search(&self, key: u64) -> usize {
        let from = count_while(&self.from, |it| it <= key);
        from.clamp(1, self.len().max(1)) - 1
    }

    /// Puts a child in at `at`; the node has room.
    pub(super) fn insert(&mut self, at: usize, from: u64, child: u32) {
        let len = self.len();
        self.from.copy_within(at..len, at + 1);
        self.children.copy_within(at..len, at + 1);
        self.from[at] = from;
        self.children[at] = child;
        self.len += 1;
    }

    /// Takes the child at `at` out.
    pub(super) fn remove(&mut self, at: usize) {
        let len = self.len();
        self.from.copy_within(at + 1..len, at);
        self.children.copy_within(at + 1..len, at);
        self.from[len - 1] = u64::MAX;
        self.len -= 1;
        if self.len > 0 {
            self.from[0] = 0;
        }
    }

    /// Moves the greater half of a full node into `other`, which is empty, and returns the least key of that half.
    pub(super) fn split_into(&mut self, other: &mut Self) -> u64 {
        const HALF: usize = INNER / 2;
        let from = self.from[HALF];
        const MORE: usize = INNER - HALF;
        other.from[..MORE].copy_from_slice(&self.from[HALF..]);
        other.children[..MORE].copy_from_slice(&self.children[HALF..]);
        other.from[0] = 0;
        other.len = MORE as u32;
        self.from[HALF..].fill(u64::MAX);
        self.len = HALF as u32;
        from
    }
}

/// Returns how many of the sorted keys come before the first that is not `before`: in two rounds of three comparisons
/// that do not wait for each other, and without a branch that a processor could guess wrong.
#[inline]
fn count_while(keys: &[u64; 15], before: impl Fn(u64) -> bool) -> usize {
    let count = |places: [usize; 3]| -> usize {
        // Never beyond the last key; the remainder tells the compiler.
        places
            .map(|at| usize::from(before(keys[at % 15])))
            .iter()
            .sum()
    };
    let quarter = 4 * count([3, 7, 11]);
    quarter + count([quarter, quarter + 1, quarter + 2])
}

const _: () = assert!(size_of::<Leaf>() == 256 && size_of::<Inner>() == 192);
