//! Owns the check that a tree is sound.
//!
//! Never part of the program.

use super::node::NIL;
use super::{Tree, Trees};

impl Trees {
    /// Tells whether every node was given back.
    #[cfg(test)]
    pub(super) fn nothing_is_left(&self) -> bool {
        self.leaves.is_all_free() && self.inners.is_all_free()
    }

    /// Panics where a tree is not sound, and returns its keys.
    pub(in crate::limit_book) fn check(&self, tree: &Tree) -> Vec<u64> {
        let mut leaves = Vec::new();
        self.check_node((tree.root, tree.height), (0, u64::MAX), &mut leaves);
        assert_eq!(leaves.first(), Some(&tree.first));
        assert_eq!(leaves.last(), Some(&tree.last));
        let mut previous = NIL;
        let mut keys = Vec::new();
        for (place, id) in leaves.iter().enumerate() {
            let leaf = self.leaves.get(*id);
            assert_eq!(leaf.previous, previous, "the chain leads back");
            let next = leaves.get(place + 1).copied().unwrap_or(NIL);
            assert_eq!(leaf.next, next, "the chain leads on");
            assert_eq!(leaf.tag, tree.tag);
            assert!(leaf.len() > 0 || leaves.len() == 1, "no leaf is empty");
            keys.extend((leaf.first()..leaf.end()).map(|at| leaf.get(at).key));
            previous = *id;
        }
        assert!(keys.is_sorted_by(|left, right| left < right));
        keys
    }

    /// Checks that all keys below a node lie from `from` to `to`, and notes its leaves.
    fn check_node(
        &self,
        (node, height): (u32, u32),
        (from, to): (u64, u64),
        leaves: &mut Vec<u32>,
    ) {
        if height == 0 {
            let leaf = self.leaves.get(node);
            let keys = (leaf.first()..leaf.end()).map(|at| leaf.get(at).key);
            assert!(keys.clone().all(|key| from <= key && key <= to));
            leaves.push(node);
            return;
        }
        let inner = self.inners.get(node);
        assert!(inner.len() > 0, "no inner node is empty");
        for at in 0..inner.len() {
            let least = if at == 0 { from } else { inner.from(at) };
            let most = match at + 1 < inner.len() {
                true => inner.from(at + 1) - 1,
                false => to,
            };
            assert!(from <= least && least <= most && most <= to);
            self.check_node((inner.child(at), height - 1), (least, most), leaves);
        }
    }
}
