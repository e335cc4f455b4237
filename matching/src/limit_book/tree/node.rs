//! Owns the two kinds of nodes that a tree is made of, and the search inside one.
//!
//! Never knows of other nodes. A search looks at all keys of a node, one after the other: none of these loads
//! waits for another one and nothing is guessed, which is quicker than halving for as few as there are.

/// Values in a leaf.
pub(super) const LEAF: usize = 16;
/// Children of an inner node.
pub(super) const INNER: usize = 16;

/// No node.
pub(super) const NIL: u32 = u32::MAX;

/// A run of values in the order of their keys. They lie from `first` to `end`; keys before are 0, behind are the
/// greatest, so that they count as below and as not below any key.
#[derive(Debug, Clone)]
pub(super) struct Leaf<V> {
    first: u8,
    end: u8,
    /// Which tree it belongs to, in the words of the caller.
    pub(super) tag: u32,
    pub(super) previous: u32,
    pub(super) next: u32,
    keys: [u64; LEAF],
    values: [V; LEAF],
}

impl<V: Copy + Default> Leaf<V> {
    pub(super) fn new(tag: u32) -> Self {
        Self {
            first: 0,
            end: 0,
            tag,
            previous: NIL,
            next: NIL,
            keys: [u64::MAX; LEAF],
            values: [V::default(); LEAF],
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

    pub(super) fn key(&self, at: usize) -> u64 {
        self.keys[at]
    }

    pub(super) fn value(&self, at: usize) -> &V {
        &self.values[at]
    }

    pub(super) fn value_mut(&mut self, at: usize) -> &mut V {
        &mut self.values[at]
    }

    /// Returns all values.
    pub(super) fn values(&self) -> &[V] {
        &self.values[self.first()..self.end()]
    }

    /// Returns where `key` is or would be.
    pub(super) fn search(&self, key: u64) -> usize {
        let below: usize = self.keys.iter().map(|it| usize::from(*it < key)).sum();
        below.max(self.first())
    }

    /// Tells whether `at` holds `key`.
    pub(super) fn holds(&self, at: usize, key: u64) -> bool {
        at < self.end() && self.keys[at] == key
    }

    /// Puts a value in at `at`, within a leaf that is not full, and returns whether those behind it moved up.
    pub(super) fn insert(&mut self, at: usize, key: u64, value: V) {
        let (first, end) = (self.first(), self.end());
        let at = if end < LEAF {
            self.keys.copy_within(at..end, at + 1);
            self.values.copy_within(at..end, at + 1);
            self.end += 1;
            at
        } else {
            self.keys.copy_within(first..at, first - 1);
            self.values.copy_within(first..at, first - 1);
            self.first -= 1;
            at - 1
        };
        self.keys[at] = key;
        self.values[at] = value;
    }

    /// Takes the value at `at` out.
    pub(super) fn remove(&mut self, at: usize) -> V {
        let end = self.end();
        let value = self.values[at];
        if at == self.first() {
            self.keys[at] = 0;
            self.first += 1;
        } else {
            self.keys.copy_within(at + 1..end, at);
            self.values.copy_within(at + 1..end, at);
            self.keys[end - 1] = u64::MAX;
            self.end -= 1;
        }
        value
    }

    /// Moves the greater half of a full leaf into `other`, which is empty.
    pub(super) fn split_into(&mut self, other: &mut Self) {
        const HALF: usize = LEAF / 2;
        other.keys[..HALF].copy_from_slice(&self.keys[HALF..]);
        other.values[..HALF].copy_from_slice(&self.values[HALF..]);
        other.end = HALF as u8;
        self.keys[HALF..].fill(u64::MAX);
        self.end = HALF as u8;
    }

    /// Moves all of `other`, whose keys are greater, behind its own; there is room.
    pub(super) fn append(&mut self, other: &Self) {
        let (first, end) = (self.first(), self.end());
        let (len, more) = (end - first, other.len());
        self.keys.copy_within(first..end, 0);
        self.values.copy_within(first..end, 0);
        self.keys[len..len + more].copy_from_slice(&other.keys[other.first()..other.end()]);
        self.values[len..len + more].copy_from_slice(other.values());
        self.keys[len + more..].fill(u64::MAX);
        self.first = 0;
        self.end = (len + more) as u8;
    }
}

/// A run of children; each with the least key that it may hold.
#[derive(Debug, Clone)]
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

    /// Returns the child at `at`, if there is one.
    pub(super) fn get(&self, at: usize) -> Option<u32> {
        self.children[..self.len()].get(at).copied()
    }

    /// Returns which child holds `key`, if any does.
    pub(super) fn search(&self, key: u64) -> usize {
        let from: usize = self.from.iter().map(|it| usize::from(*it <= key)).sum();
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
        other.from[..HALF].copy_from_slice(&self.from[HALF..]);
        other.children[..HALF].copy_from_slice(&self.children[HALF..]);
        other.from[0] = 0;
        other.len = HALF as u32;
        self.from[HALF..].fill(u64::MAX);
        self.len = HALF as u32;
        from
    }
}
