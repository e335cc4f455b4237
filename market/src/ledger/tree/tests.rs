//! The tree: its root depends on content alone, and its paths prove membership and nothing else.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn place(n: u64) -> Hash {
    hash("test", &n.to_le_bytes())
}

fn tree_of(content: &BTreeMap<Hash, Hash>) -> Tree {
    let mut tree = Tree::default();
    for (place, value) in content {
        tree.insert(*place, *value);
    }
    tree
}

#[test]
fn an_empty_tree_has_the_zero_root_and_no_paths() {
    let mut tree = Tree::default();
    assert_eq!(tree.root(), [0; 32]);
    assert_eq!(tree.path(&place(1)), None);
    tree.insert(place(1), place(2));
    tree.update(vec![(place(3), None)]);
    assert_ne!(tree.root(), [0; 32]);
    tree.update(vec![(place(1), None)]);
    assert_eq!(tree.root(), [0; 32]);
}

#[test]
fn a_clone_keeps_its_content_when_the_original_changes() {
    let mut tree = Tree::of_list((0..50).map(place));
    let (before, kept) = (tree.root(), tree.clone());
    tree.insert(list_place(7), place(99));
    tree.update(vec![(list_place(8), None)]);
    assert_ne!(tree.root(), before);
    assert_eq!(kept.root(), before);
    let path = kept.path(&list_place(8)).unwrap();
    assert_eq!(path.root(&list_place(8), &place(8)), Some(before));
}

#[test]
fn a_path_whose_bits_do_not_fall_proves_nothing() {
    let step = Step {
        bit: 3,
        sibling: [7; 32],
    };
    let endless = Path {
        steps: vec![step; 2],
    };
    assert_eq!(endless.root(&place(1), &place(2)), None);
}

#[test]
fn a_path_holds_only_with_the_very_bits_of_the_tree() {
    let tree = Tree::of_list((0..9).map(place));
    let path = tree.path(&list_place(5)).unwrap();
    for (step, bit) in (0..path.steps.len()).flat_map(|step| (0..=255).map(move |bit| (step, bit)))
    {
        let mut other = path.clone();
        other.steps[step].bit = bit;
        let holds = other.root(&list_place(5), &place(5)) == Some(tree.root());
        assert_eq!(holds, other == path, "step {step}, bit {bit}");
    }
}

#[test]
fn paths_stay_short_in_a_large_tree() {
    let mut tree = Tree::default();
    for n in 0..20_000 {
        tree.insert(place(n), place(n));
    }
    let longest = (0..20_000)
        .filter_map(|n| tree.path(&place(n)))
        .map(|path| path.steps.len())
        .max();
    assert!(longest.unwrap() <= 40, "{longest:?} steps");
}

#[test]
fn of_several_changes_at_one_place_the_last_counts() {
    let content = BTreeMap::from([(place(1), place(10)), (place(2), place(20))]);
    let mut tree = Tree::default();
    let changes = [(1, Some(3)), (2, Some(20)), (1, None), (1, Some(10))];
    tree.update(
        changes
            .map(|(key, value)| (place(key), value.map(place)))
            .to_vec(),
    );
    assert_eq!(tree.root(), tree_of(&content).root());
}

proptest! {
    #[test]
    fn batches_of_changes_give_the_tree_of_what_is_left(
        batches in prop::collection::vec(
            prop::collection::btree_map(0u64..60, prop::option::of(any::<u64>()), 0..30),
            1..8,
        ),
    ) {
        let (mut tree, mut singly, mut content) = (Tree::default(), Tree::default(), BTreeMap::new());
        for batch in batches {
            let changes = batch.iter().map(|(key, value)| (place(*key), value.map(place)));
            let changes: Vec<_> = changes.collect();
            for (place, value) in &changes {
                singly.update(vec![(*place, *value)]);
                match value {
                    Some(value) => content.insert(*place, *value),
                    None => content.remove(place),
                };
            }
            tree.update(changes);
            let all = content.iter().map(|(place, value)| (*place, Some(*value)));
            let all: Vec<_> = all.collect();
            let anew = Tree { root: build(&all) };
            prop_assert_eq!(tree.root(), anew.root());
            prop_assert_eq!(singly.root(), anew.root());
            for key in 0..60 {
                prop_assert_eq!(tree.path(&place(key)), anew.path(&place(key)));
                prop_assert_eq!(singly.path(&place(key)), anew.path(&place(key)));
            }
        }
    }

    #[test]
    fn root_and_paths_agree_with_a_plain_map(
        updates in prop::collection::vec((0u64..40, prop::option::of(any::<u64>())), 1..120),
    ) {
        let (mut tree, mut content) = (Tree::default(), BTreeMap::new());
        for (key, value) in updates {
            match value {
                Some(value) => {
                    tree.insert(place(key), place(value));
                    content.insert(place(key), place(value));
                }
                None => {
                    tree.update(vec![(place(key), None)]);
                    content.remove(&place(key));
                }
            }
            prop_assert_eq!(tree.root(), tree_of(&content).root());
        }
        for key in 0..40 {
            let path = tree.path(&place(key));
            prop_assert_eq!(path.is_some(), content.contains_key(&place(key)));
            if let (Some(path), Some(value)) = (path, content.get(&place(key))) {
                prop_assert_eq!(path.root(&place(key), value), Some(tree.root()));
                prop_assert_ne!(path.root(&place(key), &place(u64::MAX)), Some(tree.root()));
                prop_assert_ne!(path.root(&place(u64::MAX), value), Some(tree.root()));
            }
        }
    }
}
