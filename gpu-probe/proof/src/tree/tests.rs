//! Tests of tops and paths.

use super::*;

fn leaves(count: usize) -> Vec<Leaf> {
    (0..count)
        .map(|index| *blake3::hash(&index.to_le_bytes()).as_bytes())
        .collect()
}

/// Numbers of leaves around every kind of edge.
const COUNTS: [usize; 14] = [
    1, 2, 31, 32, 33, 63, 64, 65, 96, 97, 128, 1_000, 1_024, 4_096,
];

#[test]
fn every_leaf_has_a_path_to_the_top() {
    for count in COUNTS {
        let leaves = leaves(count);
        for index in (0..count).step_by(7).chain([count - 1]) {
            let path = path(&leaves, index).unwrap();
            let above = top_above(&leaves[index], (index, count), &path);
            assert_eq!(above, Some(top(&leaves)), "{index} of {count}");
        }
        assert_eq!(path(&leaves, count), None);
    }
}

#[test]
fn another_leaf_number_or_path_never_reaches_the_top() {
    for count in COUNTS.into_iter().filter(|count| *count > 1) {
        let leaves = leaves(count);
        let index = count / 2;
        let honest = path(&leaves, index).unwrap();
        let top = Some(top(&leaves));
        let differs = |leaf, place, path: &Path| assert_ne!(top_above(leaf, place, path), top);
        differs(&[0; 32], (index, count), &honest);
        differs(&leaves[index], (index - 1, count), &honest);
        differs(&leaves[index], (count, count), &honest);
        for changed in 0..honest.neighbours.len() {
            let mut path = honest.clone();
            path.neighbours[changed][31] ^= 1;
            differs(&leaves[index], (index, count), &path);
        }
        for changed in 0..honest.siblings.len() {
            let mut path = honest.clone();
            path.siblings[changed][0] ^= 1;
            differs(&leaves[index], (index, count), &path);
        }
    }
}

#[test]
fn paths_of_other_lengths_are_refused() {
    let leaves = leaves(256);
    let honest = path(&leaves, 100).unwrap();
    let reached = |path: &Path| top_above(&leaves[100], (100, 256), path);
    let mut short = honest.clone();
    short.siblings.pop();
    assert_eq!(reached(&short), None);
    let mut long = honest.clone();
    long.siblings.push([0; 32]);
    assert_eq!(reached(&long), None);
    let mut narrow = honest;
    narrow.neighbours.pop();
    assert_eq!(reached(&narrow), None);
}

#[test]
fn the_largest_tree_has_the_longest_path() {
    let largest = leaves(1 << 18);
    let path = path(&largest, 200_000).unwrap();
    assert_eq!(path.siblings.len(), MAX_SIBLINGS);
    assert_eq!(path.neighbours.len(), MAX_NEIGHBOURS);
}
