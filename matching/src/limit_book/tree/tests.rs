//! Trees compared with the map of the standard library, after every step.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What is done to one of two trees.
#[derive(Debug, Clone)]
enum Step {
    /// Puts an item in under a key.
    Insert(u64),
    /// Puts an item in behind all others.
    Push,
    /// Takes the least out.
    PopFirst,
    /// Takes out the item whose place among all is this share of 256.
    Remove(u8),
}

fn any_step() -> impl Strategy<Value = (bool, Step)> {
    let step = prop_oneof![
        4 => (0_u64..300).prop_map(Step::Insert),
        1 => any::<u64>().prop_map(Step::Insert),
        3 => Just(Step::Push),
        2 => Just(Step::PopFirst),
        3 => any::<u8>().prop_map(Step::Remove),
    ];
    (any::<bool>(), step)
}

/// A tree beside a map, and in which leaf each id was last said to lie.
struct Pair {
    tree: Tree,
    map: BTreeMap<u64, u32>,
    leaves: BTreeMap<u32, u32>,
}

impl Pair {
    fn insert(&mut self, trees: &mut Trees, key: u64, id: u32) {
        let item = Item {
            key,
            id,
            quantity: id % 7,
        };
        let leaves = &mut self.leaves;
        let moved = |id, leaf| {
            leaves.insert(id, leaf);
        };
        let leaf = trees.insert(&mut self.tree, item, moved);
        assert_eq!(leaf.is_none(), self.map.contains_key(&key));
        if let Some(leaf) = leaf {
            self.map.insert(key, id);
            self.leaves.insert(id, leaf);
        }
    }

    fn remove(&mut self, trees: &mut Trees, key: u64) {
        let id = self.map.remove(&key).unwrap();
        let leaf = self.leaves.remove(&id).unwrap();
        let spot = trees.find_in(leaf, id).unwrap();
        assert_eq!(trees.find(&self.tree, key), Some(spot));
        let leaves = &mut self.leaves;
        trees.remove(&mut self.tree, spot, |id, leaf| {
            leaves.insert(id, leaf);
        });
    }

    fn check(&self, trees: &Trees) {
        let keys: Vec<u64> = self.map.keys().copied().collect();
        assert_eq!(trees.check(&self.tree), keys);
        let first = trees.first(&self.tree);
        let spots = std::iter::successors(first, |spot| trees.next(*spot));
        let items: Vec<(u64, u32)> = spots
            .map(|spot| (trees.get(spot).key, trees.get(spot).id))
            .collect();
        assert!(
            items
                .iter()
                .copied()
                .eq(self.map.iter().map(|(key, id)| (*key, *id)))
        );
        for (id, leaf) in &self.leaves {
            assert!(trees.find_in(*leaf, *id).is_some());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn two_trees_of_common_nodes_hold_what_two_maps_hold(
        steps in prop::collection::vec(any_step(), 1..700),
    ) {
        let mut trees = Trees::new(1);
        let mut pairs = [1, 2].map(|tag| Pair {
            tree: trees.plant(tag),
            map: BTreeMap::new(),
            leaves: BTreeMap::new(),
        });
        for (id, (which, step)) in (0_u32..).zip(steps) {
            let pair = &mut pairs[usize::from(which)];
            let last = pair.map.last_key_value().map(|(key, _)| *key);
            match step {
                Step::Insert(key) => pair.insert(&mut trees, key, id),
                Step::Push => {
                    let key = last.map_or(1_000, |last| last.saturating_add(1));
                    pair.insert(&mut trees, key, id);
                }
                Step::PopFirst => {
                    if let Some(key) = pair.map.first_key_value().map(|(key, _)| *key) {
                        pair.remove(&mut trees, key);
                    }
                }
                Step::Remove(share) => {
                    let place = pair.map.len() * usize::from(share) / 256;
                    if let Some(key) = pair.map.keys().nth(place).copied() {
                        pair.remove(&mut trees, key);
                    }
                }
            }
            pair.check(&trees);
        }
        for pair in &mut pairs {
            while let Some(key) = pair.map.first_key_value().map(|(key, _)| *key) {
                pair.remove(&mut trees, key);
            }
            pair.check(&trees);
            trees.fell(&pair.tree);
        }
        prop_assert!(trees.nothing_is_left());
    }
}
