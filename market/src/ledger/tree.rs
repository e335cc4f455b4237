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
    usize::from(place[usize::from(bit / 8)].rotate_left(u32::from(bit % 8)) >> 7)
}

/// Returns the first bit in which two places differ.
fn first_difference(a: &Hash, b: &Hash) -> Option<u8> {
    let index = a.iter().zip(b).position(|(a, b)| a != b)?;
    let bits = (a[index] ^ b[index]).leading_zeros() as usize;
    let bit = index.saturating_mul(8).saturating_add(bits);
    Some(u8::try_from(bit).expect("32 bytes have 256 bits"))
}

/// A map from places to values, with a root.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    root: Option<Node>,
}

/// A subtree: its hash, and what is below.
///
/// The hash stands with whoever points here, so that an inner node is hashed again without a look at the side that
/// has not changed.
#[derive(Debug, Clone)]
struct Node {
    hash: Hash,
    below: Below,
}

#[derive(Debug, Clone)]
enum Below {
    /// A leaf, at this place.
    Leaf(Hash),
    Inner(Arc<Inner>),
}

#[derive(Debug)]
struct Inner {
    /// The first bit in which places below differ.
    bit: u8,
    /// Agrees with all places below in the bits before that one; there need not be a leaf at it.
    prefix: Hash,
    children: [Node; 2],
}

impl Node {
    fn leaf(place: Hash, value: &Hash) -> Self {
        Self {
            hash: leaf_hash(&place, value),
            below: Below::Leaf(place),
        }
    }

    /// Returns a place that agrees with all places of the subtree, as far as these agree among each other.
    fn prefix(&self) -> &Hash {
        match &self.below {
            Below::Leaf(place) => place,
            Below::Inner(inner) => &inner.prefix,
        }
    }
}

/// What happens at a place: a new value, or nothing is there any more.
type Change = (Hash, Option<Hash>);

/// Where two subtrees part: all places of both agree with `prefix` before `bit`, and differ there.
#[derive(Clone, Copy)]
struct Fork<'a> {
    bit: u8,
    prefix: &'a Hash,
}

impl Fork<'_> {
    /// Joins the two subtrees, of which either may have become empty.
    fn join(self, left: Option<Node>, right: Option<Node>) -> Option<Node> {
        match (left, right) {
            (Some(left), Some(right)) => Some(Node {
                hash: inner_hash(self.bit, &left.hash, &right.hash),
                below: Below::Inner(Arc::new(Inner {
                    bit: self.bit,
                    prefix: *self.prefix,
                    children: [left, right],
                })),
            }),
            (left, right) => left.or(right),
        }
    }

    /// Splits changes, which are in the order of their places and agree before the fork.
    fn split(self, changes: &[Change]) -> (&[Change], &[Change]) {
        changes.split_at(changes.partition_point(|(place, _)| side(place, self.bit) == 0))
    }
}

/// Makes a subtree of changes, which are in the order of their places.
fn build(changes: &[Change]) -> Option<Node> {
    let (first, last) = (changes.first()?, changes.last()?);
    match first_difference(&first.0, &last.0) {
        None => first.1.map(|value| Node::leaf(first.0, &value)),
        Some(bit) => {
            let prefix = &first.0;
            let fork = Fork { bit, prefix };
            let (left, right) = fork.split(changes);
            fork.join(build(left), build(right))
        }
    }
}

/// Applies changes, which are in the order of their places, to a subtree.
fn merge(node: &Node, changes: &[Change]) -> Option<Node> {
    let (Some(first), Some(last)) = (changes.first(), changes.last()) else {
        return Some(node.clone());
    };
    let prefix = node.prefix();
    // In their order, whoever leaves the common way of the subtree first is the first or the last.
    let leaving = [&first.0, &last.0].map(|place| first_difference(place, prefix));
    let leaving = leaving.into_iter().flatten().min();
    match (&node.below, leaving) {
        (Below::Inner(inner), leaving) if leaving.is_none_or(|bit| bit >= inner.bit) => {
            let bit = inner.bit;
            let fork = Fork { bit, prefix };
            let (left, right) = fork.split(changes);
            let [below_left, below_right] = &inner.children;
            fork.join(merge(below_left, left), merge(below_right, right))
        }
        (_, Some(bit)) => {
            let fork = Fork { bit, prefix };
            let (left, right) = fork.split(changes);
            match side(prefix, bit) {
                0 => fork.join(merge(node, left), build(right)),
                _ => fork.join(build(left), merge(node, right)),
            }
        }
        // All that is changed is the leaf itself.
        (_, None) => build(changes),
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
            Some(root) => merge(&root, &changes),
        };
    }

    /// Returns the root, which is zero for an empty tree.
    pub(super) fn root(&self) -> Hash {
        self.root.as_ref().map_or(EMPTY, |node| node.hash)
    }

    /// Puts `value` at `place`, over what was there.
    pub(super) fn insert(&mut self, place: Hash, value: Hash) {
        self.update(vec![(place, Some(value))]);
    }

    /// Returns the path from `place` to the root, or `None` when nothing is there.
    pub(super) fn path(&self, place: &Hash) -> Option<Path> {
        let mut node = self.root.as_ref()?;
        let mut steps = Vec::new();
        let found = loop {
            match &node.below {
                Below::Leaf(found) => break found,
                Below::Inner(inner) => {
                    let side = side(place, inner.bit);
                    steps.push(Step {
                        bit: inner.bit,
                        sibling: inner.children[side ^ 1].hash,
                    });
                    node = &inner.children[side];
                }
            }
        };
        steps.reverse();
        (found == place).then_some(Path { steps })
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
