//! Owns the two kinds of nodes that a ladder is made of, and the search inside one.
//!
//! Never knows of other nodes. What lies behind the last key of a node is the greatest key there is, so that a
//! search looks at whole nodes in a fixed number of steps, without a branch that a processor could guess wrong.

/// A place in a ladder: the price above, the priority below, each turned such that better is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(pub(in crate::limit_book) u128);

impl Place {
    /// Below every place.
    pub(super) const LEAST: Self = Self(0);
    /// What fills the rest of a node; no order has it.
    pub(super) const NONE: Self = Self(u128::MAX);
}

/// The part of a resting order that matching looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Entry {
    /// The index of its record.
    pub(crate) order: u32,
    pub(crate) quantity: u32,
    pub(crate) owner: u32,
}

/// Orders in a leaf.
pub(super) const LEAF: usize = 32;
/// Children of an inner node.
pub(super) const INNER: usize = 64;

/// No node.
pub(super) const NIL: u32 = u32::MAX;

/// A run of orders, worst first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) len: u32,
    /// The next worse leaf.
    pub(super) worse: u32,
    /// The next better leaf.
    pub(super) better: u32,
    pub(super) places: [Place; LEAF],
    pub(super) entries: [Entry; LEAF],
}

impl Leaf {
    pub(super) const fn new() -> Self {
        Self {
            len: 0,
            worse: NIL,
            better: NIL,
            places: [Place::NONE; LEAF],
            entries: [Entry {
                order: 0,
                quantity: 0,
                owner: 0,
            }; LEAF],
        }
    }

    pub(super) fn len(&self) -> usize {
        (self.len as usize).min(LEAF)
    }

    /// Returns how many of its orders stand at a worse place.
    pub(super) fn worse_than(&self, place: Place) -> usize {
        count_below(&self.places, place)
    }

    /// Puts an order in at `at`; the leaf has room.
    pub(super) fn insert(&mut self, at: usize, place: Place, entry: Entry) {
        let len = self.len();
        self.places.copy_within(at..len, at + 1);
        self.entries.copy_within(at..len, at + 1);
        self.places[at] = place;
        self.entries[at] = entry;
        self.len += 1;
    }

    /// Takes the order at `at` out.
    pub(super) fn remove(&mut self, at: usize) -> Entry {
        let len = self.len();
        let entry = self.entries[at];
        self.places.copy_within(at + 1..len, at);
        self.entries.copy_within(at + 1..len, at);
        self.places[len - 1] = Place::NONE;
        self.len -= 1;
        entry
    }

    /// Moves the better half into `other`, which is empty.
    pub(super) fn split_into(&mut self, other: &mut Self) {
        const HALF: usize = LEAF / 2;
        other.places[..HALF].copy_from_slice(&self.places[HALF..]);
        other.entries[..HALF].copy_from_slice(&self.entries[HALF..]);
        other.len = HALF as u32;
        self.places[HALF..].fill(Place::NONE);
        self.len = HALF as u32;
    }

    /// Moves all of `other`, whose orders are better, behind its own; there is room.
    pub(super) fn append(&mut self, other: &Self) {
        let (len, more) = (self.len(), other.len());
        self.places[len..len + more].copy_from_slice(&other.places[..more]);
        self.entries[len..len + more].copy_from_slice(&other.entries[..more]);
        self.len += other.len;
    }
}

/// A run of children, worst first; each with the least place that it may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inner {
    pub(super) len: u32,
    /// The first is [`Place::LEAST`].
    pub(super) from: [Place; INNER],
    pub(super) children: [u32; INNER],
}

impl Inner {
    pub(super) const fn new() -> Self {
        Self {
            len: 0,
            from: [Place::NONE; INNER],
            children: [NIL; INNER],
        }
    }

    pub(super) fn len(&self) -> usize {
        (self.len as usize).min(INNER)
    }

    /// Returns which child holds `place`, if any does.
    pub(super) fn child_of(&self, place: Place) -> usize {
        // Places are whole numbers, and none is the greatest.
        let next = Place(place.0.saturating_add(1));
        count_below(&self.from, next).saturating_sub(1)
    }

    /// Puts a child in at `at`; the node has room.
    pub(super) fn insert(&mut self, at: usize, from: Place, child: u32) {
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
        self.from[len - 1] = Place::NONE;
        self.len -= 1;
        if len > 1 {
            self.from[0] = Place::LEAST;
        }
    }

    /// Moves the better half into `other`, which is empty, and returns the least place of that half.
    pub(super) fn split_into(&mut self, other: &mut Self) -> Place {
        const HALF: usize = INNER / 2;
        let from = self.from[HALF];
        other.from[..HALF].copy_from_slice(&self.from[HALF..]);
        other.children[..HALF].copy_from_slice(&self.children[HALF..]);
        other.from[0] = Place::LEAST;
        other.len = HALF as u32;
        self.from[HALF..].fill(Place::NONE);
        self.len = HALF as u32;
        from
    }
}

/// Returns how many of the sorted places lie below `place`. `N` is a power of two, and the last place is at
/// least `place` wherever a node is not full.
fn count_below<const N: usize>(places: &[Place; N], place: Place) -> usize {
    const { assert!(N.is_power_of_two()) };
    let mut below = 0;
    let mut step = N / 2;
    while step > 0 {
        if places[(below + step - 1) % N] < place {
            below += step;
        }
        step /= 2;
    }
    // The steps add up to N - 1: one place is left to look at.
    below + usize::from(places[below % N] < place)
}
