//! Tests of the vector: the digest is what the CPU computes.

use super::*;
use crate::tile::Product;

fn entries() -> Vec<u32> {
    let product = Product::compute(&conformance_operands(), conformance_shape());
    product.words().to_vec()
}

#[test]
fn the_digest_is_that_of_the_entries_that_the_verifier_computes() {
    let bytes: Vec<u8> = entries()
        .iter()
        .flat_map(|bits| bits.to_le_bytes())
        .collect();
    assert_eq!(blake3::hash(&bytes).to_hex().as_str(), DIGEST);
}

#[test]
fn one_other_bit_or_number_of_entries_does_not_conform() {
    let mut changed = entries();
    assert!(conforms(&changed));
    changed[4_095] ^= 1;
    assert!(!conforms(&changed));
    assert!(!conforms(&entries()[..4_095]));
    assert!(!conforms(&[]));
}
