//! Tests of what seeds and roots depend on.

use super::*;
use crate::mode::Mode;
use crate::shape::Shape;

fn workload(mode: Mode, columns: u32) -> Workload {
    Workload::new(mode, Shape::new(64, columns, 256).unwrap(), 3).unwrap()
}

#[test]
fn a_seed_depends_on_nonce_key_gpu_round_and_the_root_before() {
    let subject = Subject {
        key: [1; 32],
        gpu: 0,
    };
    let root = Root::from_bytes([9; 32]);
    let base = round_seed(&[0; 32], &subject, 0, None);
    let others = [
        round_seed(&[2; 32], &subject, 0, None),
        round_seed(
            &[0; 32],
            &Subject {
                key: [2; 32],
                gpu: 0,
            },
            0,
            None,
        ),
        round_seed(
            &[0; 32],
            &Subject {
                key: [1; 32],
                gpu: 1,
            },
            0,
            None,
        ),
        round_seed(&[0; 32], &subject, 1, Some(&root)),
        round_seed(&[0; 32], &subject, 3, Some(&root)),
        round_seed(&[0; 32], &subject, 1, Some(&Root::from_bytes([8; 32]))),
    ];
    for (index, seed) in others.iter().enumerate() {
        assert_ne!(*seed, base);
        assert!(!others[..index].contains(seed));
    }
}

#[test]
fn a_seed_is_derived_from_the_bytes_one_after_another() {
    let subject = Subject {
        key: [1; 32],
        gpu: 0x0403_0201,
    };
    let words = [1, 2, 3, 4, 5, 0, 0, 0];
    let material = [[7; 32].as_slice(), &[1; 32], &words, &[9; 32]].concat();
    let root = Root::from_bytes([9; 32]);
    assert_eq!(
        round_seed(&[7; 32], &subject, 5, Some(&root)),
        Seed::derive(&material)
    );
}

#[test]
fn a_root_depends_on_round_mode_shape_and_every_leaf() {
    let leaves = [[1; 32], [2; 32], [3; 32], [4; 32]];
    let base = Root::of(workload(Mode::F, 64), 0, &leaves).unwrap();
    let swapped = [[2; 32], [1; 32], [3; 32], [4; 32]];
    assert_ne!(Root::of(workload(Mode::F, 64), 1, &leaves), Some(base));
    assert_ne!(Root::of(workload(Mode::I, 64), 0, &leaves), Some(base));
    assert_ne!(Root::of(workload(Mode::F, 64), 0, &swapped), Some(base));
    let tall = Workload::new(Mode::F, Shape::new(128, 32, 256).unwrap(), 3).unwrap();
    assert_ne!(Root::of(tall, 0, &leaves), Some(base));
}

#[test]
fn leaves_that_are_not_one_for_each_tile_have_no_root() {
    assert_eq!(Root::of(workload(Mode::F, 64), 0, &[[1; 32]; 3]), None);
    assert_eq!(Root::of(workload(Mode::F, 64), 0, &[[1; 32]; 5]), None);
}

/// What two versions of this crate must agree on.
#[test]
fn a_root_has_the_bytes_that_it_always_had() {
    let leaves = [[1; 32], [2; 32], [3; 32], [4; 32]];
    let root = Root::of(workload(Mode::F, 64), 5, &leaves).unwrap();
    let digits: String = root
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        digits,
        "94d08d336a42a9ea1678d36d08871c79a5e2b60af85874a6a8d6f69a6d1bb9c5"
    );
}
