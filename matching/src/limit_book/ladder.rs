//! Owns one side of a limit order book: its orders in the order in which they trade, as a B+ tree over slabs.
//!
//! Never matches and never looks at what an order is. Every operation takes a number of steps that grows with
//! the logarithm of the orders, whatever a peer submits: there is no list to walk along.
//!
//! ```text
//!            [ root: least place of each child ]            price || priority, turned so that the
//!             /               |              \              best order has the greatest place
//!      [ leaf: 32 orders ] <-> [ leaf ] <-> [ leaf ]  <- best: taking from here is one step
//! ```
//! Nodes are reused through free lists, so that a book in its steady state allocates nothing. An empty leaf is
//! given back at once, and a leaf that is less than a quarter full joins a neighbour that has room for it.

mod node;

use market::{Amount, PricePerHour};

use super::order::{Direction, Priority};
pub(crate) use node::{Entry, Place};
use node::{INNER, Inner, LEAF, Leaf, NIL};

/// The most levels of inner nodes: more orders than an index can tell apart.
const MAX_HEIGHT: usize = 8;

/// A slab of nodes: those given back are handed out again, last first.
#[derive(Debug, Clone)]
struct Nodes<T> {
    nodes: Vec<T>,
    free: Vec<u32>,
}

impl<T> Nodes<T> {
    fn with_capacity(capacity: usize) -> Self {
        Self {
            nodes: Vec::with_capacity(capacity),
            free: Vec::with_capacity(capacity),
        }
    }

    fn add(&mut self, node: T) -> u32 {
        match self.free.pop() {
            Some(id) => {
                self.nodes[id as usize] = node;
                id
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32
            }
        }
    }

    fn give_back(&mut self, id: u32) {
        self.free.push(id);
    }

    fn get(&self, id: u32) -> &T {
        &self.nodes[id as usize]
    }

    fn get_mut(&mut self, id: u32) -> &mut T {
        &mut self.nodes[id as usize]
    }

    /// Returns two different nodes at once.
    fn two(&mut self, left: u32, right: u32) -> (&mut T, &mut T) {
        let (left, right) = (left as usize, right as usize);
        if left < right {
            let (low, high) = self.nodes.split_at_mut(right);
            (&mut low[left], &mut high[0])
        } else {
            let (low, high) = self.nodes.split_at_mut(left);
            (&mut high[0], &mut low[right])
        }
    }
}

/// The way from the root to a leaf: each inner node with the child that was taken.
#[derive(Debug, Clone, Copy)]
struct Way {
    steps: [(u32, u32); MAX_HEIGHT],
    len: usize,
}

/// One side of a book.
#[derive(Debug, Clone)]
pub(crate) struct Ladder {
    direction: Direction,
    leaves: Nodes<Leaf>,
    inners: Nodes<Inner>,
    root: u32,
    /// Levels of inner nodes above the leaves.
    height: usize,
    /// The leaf with the best order; empty only where the ladder is.
    best: u32,
    len: usize,
}

/// Where a walk along the orders stands: the next order is the one before `at`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor {
    leaf: u32,
    at: usize,
}

impl Ladder {
    /// Makes an empty side with room for about `orders` orders before anything is allocated again.
    pub(crate) fn new(direction: Direction, orders: usize) -> Self {
        let leaves = orders / (LEAF / 2) + 2;
        let mut ladder = Self {
            direction,
            leaves: Nodes::with_capacity(leaves),
            inners: Nodes::with_capacity(leaves / (INNER / 2) + MAX_HEIGHT),
            root: 0,
            height: 0,
            best: 0,
            len: 0,
        };
        ladder.root = ladder.leaves.add(Leaf::new());
        ladder.best = ladder.root;
        ladder
    }

    /// Returns how many orders stand.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the bytes that its nodes occupy.
    pub(crate) fn node_bytes(&self) -> usize {
        self.leaves.nodes.capacity() * size_of::<Leaf>()
            + self.inners.nodes.capacity() * size_of::<Inner>()
            + (self.leaves.free.capacity() + self.inners.free.capacity()) * size_of::<u32>()
    }

    /// Returns the place of an order: better is greater, for prices as for priorities.
    pub(crate) fn place(&self, price: PricePerHour, priority: Priority) -> Place {
        let price = price.0.nanocredits();
        let price = match self.direction {
            Direction::Buy => price,
            Direction::Sell => !price,
        };
        Place(u128::from(price) << 64 | u128::from(!priority.0))
    }

    /// Returns the price of a place.
    pub(crate) fn price(&self, place: Place) -> PricePerHour {
        let price = (place.0 >> 64) as u64;
        PricePerHour(Amount::from_nanocredits(match self.direction {
            Direction::Buy => price,
            Direction::Sell => !price,
        }))
    }

    /// Returns the priority of a place.
    pub(crate) fn priority(place: Place) -> Priority {
        Priority(!(place.0 as u64))
    }

    /// Returns the best order.
    pub(crate) fn best(&self) -> Option<(Place, Entry)> {
        let leaf = self.leaves.get(self.best);
        let at = leaf.len().checked_sub(1)?;
        Some((leaf.places[at], leaf.entries[at]))
    }

    /// Returns the order at a place.
    pub(crate) fn get(&self, place: Place) -> Option<Entry> {
        let leaf = self.leaves.get(self.leaf_of(place));
        let at = leaf.worse_than(place);
        (at < leaf.len() && leaf.places[at] == place).then(|| leaf.entries[at])
    }

    fn leaf_of(&self, place: Place) -> u32 {
        let mut node = self.root;
        for _ in 0..self.height {
            let inner = self.inners.get(node);
            node = inner.children[inner.child_of(place)];
        }
        node
    }

    fn way_to(&self, place: Place) -> (Way, u32) {
        let mut way = Way {
            steps: [(NIL, 0); MAX_HEIGHT],
            len: self.height,
        };
        let mut node = self.root;
        for step in &mut way.steps[..self.height] {
            let inner = self.inners.get(node);
            let child = inner.child_of(place);
            *step = (node, child as u32);
            node = inner.children[child];
        }
        (way, node)
    }

    /// Puts an order in; returns whether its place was free.
    pub(crate) fn insert(&mut self, place: Place, entry: Entry) -> bool {
        let (way, id) = self.way_to(place);
        let leaf = self.leaves.get_mut(id);
        let at = leaf.worse_than(place);
        if at < leaf.len() && leaf.places[at] == place {
            return false;
        }
        if leaf.len() < LEAF {
            leaf.insert(at, place, entry);
        } else {
            self.insert_split((&way, id), at, (place, entry));
        }
        self.len += 1;
        true
    }

    /// Splits a full leaf in two and puts the order into the half that it belongs to.
    fn insert_split(&mut self, (way, id): (&Way, u32), at: usize, (place, entry): (Place, Entry)) {
        let new = self.leaves.add(Leaf::new());
        let (leaf, better) = self.leaves.two(id, new);
        leaf.split_into(better);
        let half = leaf.len();
        if at <= half {
            leaf.insert(at, place, entry);
        } else {
            better.insert(at - half, place, entry);
        }
        let from = better.places[0];
        better.worse = id;
        better.better = std::mem::replace(&mut leaf.better, new);
        match better.better {
            NIL => self.best = new,
            next => self.leaves.get_mut(next).worse = new,
        }
        self.hang(way, from, new);
    }

    /// Hangs a new node into the tree, right behind the one that `way` leads to.
    fn hang(&mut self, way: &Way, mut from: Place, mut node: u32) {
        for (parent, child) in way.steps[..way.len].iter().rev() {
            let inner = self.inners.get_mut(*parent);
            let at = *child as usize + 1;
            if inner.len() < INNER {
                inner.insert(at, from, node);
                return;
            }
            let new = self.inners.add(Inner::new());
            let (inner, better) = self.inners.two(*parent, new);
            let split_from = inner.split_into(better);
            let half = inner.len();
            if at <= half {
                inner.insert(at, from, node);
            } else {
                better.insert(at - half, from, node);
            }
            (from, node) = (split_from, new);
        }
        let mut root = Inner::new();
        root.insert(0, Place::LEAST, self.root);
        root.insert(1, from, node);
        self.root = self.inners.add(root);
        self.height += 1;
    }

    /// Takes an order out.
    pub(crate) fn remove(&mut self, place: Place) -> Option<Entry> {
        let (way, id) = self.way_to(place);
        let leaf = self.leaves.get_mut(id);
        let at = leaf.worse_than(place);
        if at >= leaf.len() || leaf.places[at] != place {
            return None;
        }
        let entry = leaf.remove(at);
        self.len -= 1;
        if leaf.len() < LEAF / 4 {
            self.thin(&way, id);
        }
        Some(entry)
    }

    /// Gives a leaf with few orders back, if it is empty or a neighbour under the same parent has room for them.
    fn thin(&mut self, way: &Way, id: u32) {
        let Some((parent, child)) = way.steps[..way.len].last().copied() else {
            return;
        };
        if self.leaves.get(id).len == 0 {
            self.unhang(way, id);
            return;
        }
        let inner = self.inners.get(parent);
        let child = child as usize;
        let fits = |left: u32, right: u32| {
            let orders = self.leaves.get(left).len() + self.leaves.get(right).len();
            orders <= LEAF * 3 / 4
        };
        let (left, right, at) = match inner.children[..inner.len()].get(child + 1) {
            Some(right) if fits(id, *right) => (id, *right, child + 1),
            _ if child > 0 && fits(inner.children[child - 1], id) => {
                (inner.children[child - 1], id, child)
            }
            _ => return,
        };
        let (worse, better) = self.leaves.two(left, right);
        worse.append(better);
        let mut way = *way;
        way.steps[way.len - 1].1 = at as u32;
        self.unhang(&way, right);
    }

    /// Takes the leaf that `way` leads to out of the tree and out of the chain, and gives it back.
    fn unhang(&mut self, way: &Way, id: u32) {
        let (worse, better) = {
            let leaf = self.leaves.get(id);
            (leaf.worse, leaf.better)
        };
        match worse {
            NIL => {}
            worse => self.leaves.get_mut(worse).better = better,
        }
        match better {
            NIL => self.best = worse,
            better => self.leaves.get_mut(better).worse = worse,
        }
        self.leaves.give_back(id);
        for (parent, child) in way.steps[..way.len].iter().rev() {
            let inner = self.inners.get_mut(*parent);
            inner.remove(*child as usize);
            if inner.len > 0 {
                break;
            }
            self.inners.give_back(*parent);
        }
        self.lower();
    }

    /// Takes inner nodes off the top that have one child only.
    fn lower(&mut self) {
        while self.height > 0 {
            let root = self.inners.get(self.root);
            if root.len > 1 {
                return;
            }
            let child = root.children[0];
            self.inners.give_back(self.root);
            self.root = child;
            self.height -= 1;
        }
    }

    /// Takes the best order out.
    pub(crate) fn pop_best(&mut self) {
        let leaf = self.leaves.get_mut(self.best);
        let Some(last) = leaf.len().checked_sub(1) else {
            return;
        };
        leaf.places[last] = Place::NONE;
        leaf.len -= 1;
        self.len -= 1;
        if last == 0 && self.height > 0 {
            self.drop_best_leaf();
        }
    }

    fn drop_best_leaf(&mut self) {
        let mut way = Way {
            steps: [(NIL, 0); MAX_HEIGHT],
            len: self.height,
        };
        let mut node = self.root;
        for step in &mut way.steps[..self.height] {
            let inner = self.inners.get(node);
            let child = inner.len().saturating_sub(1);
            *step = (node, child as u32);
            node = inner.children[child];
        }
        self.unhang(&way, node);
    }

    /// Writes what is left of the best order.
    pub(crate) fn set_best_quantity(&mut self, quantity: u32) {
        let leaf = self.leaves.get_mut(self.best);
        if let Some(last) = leaf.len().checked_sub(1) {
            leaf.entries[last].quantity = quantity;
        }
    }

    /// Writes what is left of the order at a place; returns whether there is one.
    pub(crate) fn set_quantity(&mut self, place: Place, quantity: u32) -> bool {
        let id = self.leaf_of(place);
        let leaf = self.leaves.get_mut(id);
        let at = leaf.worse_than(place);
        let found = at < leaf.len() && leaf.places[at] == place;
        if found {
            leaf.entries[at].quantity = quantity;
        }
        found
    }

    /// Returns where a walk from the best order begins.
    pub(crate) fn top(&self) -> Cursor {
        Cursor {
            leaf: self.best,
            at: self.leaves.get(self.best).len(),
        }
    }

    /// Returns the next order of a walk and moves on.
    pub(crate) fn next(&self, cursor: &mut Cursor) -> Option<(Place, Entry)> {
        let mut leaf = self.leaves.get(cursor.leaf);
        if cursor.at == 0 {
            if leaf.worse == NIL {
                return None;
            }
            cursor.leaf = leaf.worse;
            leaf = self.leaves.get(cursor.leaf);
            cursor.at = leaf.len();
        }
        cursor.at = cursor.at.checked_sub(1)?;
        Some((leaf.places[cursor.at], leaf.entries[cursor.at]))
    }

    /// Returns the orders, best first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Place, Entry)> + '_ {
        let mut cursor = self.top();
        std::iter::from_fn(move || self.next(&mut cursor))
    }
}

#[cfg(test)]
mod tests;
