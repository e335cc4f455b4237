//! Owns the authenticated map: a binary Merkle tree over 32-byte places, with inclusion proofs.
//!
//! An inner node stands only where two places first differ (a crit-bit tree), so that the shape and
//! the root depend on the content alone, never on the order of updates. A single update hashes one path, a
//! batch hashes each node above a change once; a clone shares every node. Never interprets what is stored at a place.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A BLAKE3 hash, or a place in the tree.
pub(super) type Hash = [u8; 32];

/// The root of an empty tree.
const EMPTY: Hash = [0; 32];

/// Hashes `bytes` under a domain that nothing else uses.
pub(super) fn hash(domain: &str, bytes: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(domain.as_bytes());
    hasher.update(&[0]);
    hasher.update(bytes);
    *hasher.finalize().as_bytes()
}

fn leaf_hash(place: &Hash, value: &Hash) -> Hash {
    let mut bytes = [0; 65];
    bytes[1..33].copy_from_slice(place);
    bytes[33..].copy_from_slice(value);
    *blake3::hash(&bytes).as_bytes()
}

fn inner_hash(bit: u8, left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [0; 66];
    bytes[0] = 1;
    bytes[1] = bit;
    bytes[2..34].copy_from_slice(left);
    bytes[34..].copy_from_slice(right);
    *blake3::hash(&bytes).as_bytes()
}

/// Returns bit `bit` of `place` as 0 or 1, the most significant bit of the first byte being bit 0.
fn side(place: &Hash, bit: u8) -> usize {
    usize::from(place[usize::from(bit / 8)] >> (7 - bit % 8) & 1)
}

/// Returns the first bit in which two places differ.
fn first_difference(a: &Hash, b: &Hash) -> Option<u8> {
    let index = a.iter().zip(b).position(|(a, b)| a != b)?;
    let bit = index * 8 + (a[index] ^ b[index]).leading_zeros() as usize;
    Some(u8::try_from(bit).expect("32 bytes have 256 bits"))
}

/// A map from places to values, with a root.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    root: Option<Node>,
}

#[derive(Debug, Clone)]
enum Node {
    Leaf { place: Hash, hash: Hash },
    Inner(Arc<Inner>),
}

#[derive(Debug, Clone)]
struct Inner {
    bit: u8,
    hash: Hash,
    children: [Node; 2],
}

impl Inner {
    fn rehash(&mut self) {
        let [left, right] = &self.children;
        self.hash = inner_hash(self.bit, left.hash(), right.hash());
    }
}

impl Node {
    fn hash(&self) -> &Hash {
        match self {
            Self::Leaf { hash, .. } => hash,
            Self::Inner(inner) => &inner.hash,
        }
    }

    /// Returns the place of the leaf that a walk by `place` ends at.
    fn nearest(&self, place: &Hash) -> &Hash {
        let mut node = self;
        loop {
            match node {
                Self::Leaf { place, .. } => return place,
                Self::Inner(inner) => node = &inner.children[side(place, inner.bit)],
            }
        }
    }
}

/// What happens at a place: a new value, or nothing is there any more.
type Change = (Hash, Option<Hash>);

/// Joins two subtrees, whose places first differ at `bit`.
fn join(bit: u8, left: Option<Node>, right: Option<Node>) -> Option<Node> {
    match (left, right) {
        (Some(left), Some(right)) => {
            let mut inner = Inner {
                bit,
                hash: EMPTY,
                children: [left, right],
            };
            inner.rehash();
            Some(Node::Inner(Arc::new(inner)))
        }
        (left, right) => left.or(right),
    }
}

/// Splits changes whose places agree up to `bit` by that bit.
fn split(changes: &[Change], bit: u8) -> (&[Change], &[Change]) {
    changes.split_at(changes.partition_point(|(place, _)| side(place, bit) == 0))
}

/// Makes a subtree of changes, which are in the order of their places.
fn build(changes: &[Change]) -> Option<Node> {
    let (first, last) = (changes.first()?, changes.last()?);
    match first_difference(&first.0, &last.0) {
        None => first.1.map(|value| Node::Leaf {
            place: first.0,
            hash: leaf_hash(&first.0, &value),
        }),
        Some(bit) => {
            let (left, right) = split(changes, bit);
            join(bit, build(left), build(right))
        }
    }
}

/// Applies changes, which are in the order of their places, to a subtree. `within` is the place of any leaf of it.
fn merge(node: &Node, within: &Hash, changes: &[Change]) -> Option<Node> {
    let (Some(first), Some(last)) = (changes.first(), changes.last()) else {
        return Some(node.clone());
    };
    let of = |place| first_difference(place, within);
    // In their order, whoever leaves the common way of the subtree first is the first or the last.
    let leaving = [of(&first.0), of(&last.0)].into_iter().flatten().min();
    let ends_before = |bit| match node {
        Node::Leaf { .. } => true,
        Node::Inner(inner) => bit < inner.bit,
    };
    match (node, leaving) {
        (_, Some(bit)) if ends_before(bit) => {
            let (left, right) = split(changes, bit);
            if side(within, bit) == 0 {
                join(bit, merge(node, within, left), build(right))
            } else {
                join(bit, build(left), merge(node, within, right))
            }
        }
        (Node::Leaf { .. }, _) => build(changes),
        (Node::Inner(inner), _) => {
            let (left, right) = split(changes, inner.bit);
            let below = |index: usize, changes| {
                let child = &inner.children[index];
                if side(within, inner.bit) == index {
                    merge(child, within, changes)
                } else {
                    merge(child, child.nearest(within), changes)
                }
            };
            join(inner.bit, below(0, left), below(1, right))
        }
    }
}

impl Tree {
    /// Makes the tree of a list, item `n` at the place of `n`.
    pub(super) fn of_list(values: impl IntoIterator<Item = Hash>) -> Self {
        let places = (0u64..).map(list_place);
        let changes: Vec<Change> = places.zip(values.into_iter().map(Some)).collect();
        Self {
            root: build(&changes),
        }
    }

    /// Applies many changes: a value that is put at a place, or `None` for nothing. Of several at one place the last
    /// counts.
    pub(super) fn update(&mut self, mut changes: Vec<Change>) {
        changes.sort_by_key(|(place, _)| *place);
        changes.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                *earlier = *later;
            }
            is_same
        });
        self.root = match self.root.take() {
            None => build(&changes),
            Some(root) => merge(&root, root.nearest(&EMPTY), &changes),
        };
    }

    /// Returns the root, which is zero for an empty tree.
    pub(super) fn root(&self) -> Hash {
        self.root.as_ref().map_or(EMPTY, |node| *node.hash())
    }

    /// Puts `value` at `place`, over what was there.
    pub(super) fn insert(&mut self, place: Hash, value: Hash) {
        self.update(vec![(place, Some(value))]);
    }

    /// Returns the path from `place` to the root, or `None` when nothing is there.
    pub(super) fn path(&self, place: &Hash) -> Option<Path> {
        let mut node = self.root.as_ref()?;
        let mut steps = Vec::new();
        while let Node::Inner(inner) = node {
            let side = side(place, inner.bit);
            steps.push(Step {
                bit: inner.bit,
                sibling: *inner.children[1 - side].hash(),
            });
            node = &inner.children[side];
        }
        steps.reverse();
        matches!(node, Node::Leaf { place: found, .. } if found == place).then_some(Path { steps })
    }
}

/// Returns the place of item `index` of a list.
pub(super) fn list_place(index: u64) -> Hash {
    let mut place = EMPTY;
    place[..8].copy_from_slice(&index.to_be_bytes());
    place
}

/// One inner node on the way from a leaf to the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The bit of the place that chooses the side.
    pub bit: u8,
    /// The hash of the other side.
    pub sibling: [u8; 32],
}

/// The way from a leaf to the root: one step an inner node, the lowest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Path {
    /// The steps; their bits fall strictly.
    pub steps: Vec<Step>,
}

impl Path {
    /// Returns the root that this path gives `value` at `place`, or `None` when its bits do not fall,
    /// which also bounds its length.
    pub(super) fn root(&self, place: &Hash, value: &Hash) -> Option<Hash> {
        let mut hash = leaf_hash(place, value);
        let mut below = 256;
        for step in &self.steps {
            let bit = u16::from(step.bit);
            if bit >= below {
                return None;
            }
            below = bit;
            hash = if side(place, step.bit) == 0 {
                inner_hash(step.bit, &hash, &step.sibling)
            } else {
                inner_hash(step.bit, &step.sibling, &hash)
            };
        }
        Some(hash)
    }
}

#[cfg(test)]
mod tests;
