//! Tests of where tiles lie and of their bytes.

use super::*;
use crate::operands::Seed;

fn shape() -> Shape {
    Shape::new(64, 96, 256).unwrap()
}

#[test]
fn tiles_are_counted_row_by_row_and_cover_the_product_once() {
    let words: Vec<u32> = (0..64 * 96).collect();
    let product = Product::from_words(shape(), words).unwrap();
    // Row of tiles 1, column of tiles 2: the entry at row 32, column 64.
    assert_eq!(product.tile(5).unwrap().words()[0], 32 * 96 + 64);
    assert_eq!(product.tile(5).unwrap().words()[33], 33 * 96 + 65);
    assert_eq!(product.tile(6), None);
    let mut covered: Vec<u32> = (0..6)
        .flat_map(|tile| *product.tile(tile).unwrap().words())
        .collect();
    covered.sort_unstable();
    assert_eq!(covered, (0..64 * 96).collect::<Vec<u32>>());
}

#[test]
fn a_leaf_is_blake3_of_the_little_endian_words() {
    let tile = Tile::from_words((0..1_024).collect()).unwrap();
    let mut bytes = Vec::new();
    for word in 0..1_024_u32 {
        bytes.extend(word.to_le_bytes());
    }
    assert_eq!(tile.leaf(), *blake3::hash(&bytes).as_bytes());
}

#[test]
fn a_computed_product_has_the_bits_of_its_entries() {
    let operands = Operands::new(&Seed::derive(b"tests"));
    let product = Product::compute(&operands, shape());
    let at = Position {
        row: 33,
        column: 70,
    };
    assert_eq!(
        product.words()[33 * 96 + 70],
        operands.entry_bits(shape(), at)
    );
    assert_eq!(product.leaves().len(), 6);
    assert_eq!(product.leaves()[5], product.tile(5).unwrap().leaf());
    assert_eq!(Tile::compute(&operands, shape(), 5), product.tile(5));
    assert_eq!(Tile::compute(&operands, shape(), 6), None);
    let narrow = Shape::new(32, 16, 256).unwrap();
    assert_eq!(Tile::compute(&operands, narrow, 0), None);
}

#[test]
fn other_numbers_of_words_are_refused() {
    assert!(Tile::from_words(vec![0; 1_023]).is_none());
    assert!(Product::from_words(shape(), vec![0; 64 * 96 - 1]).is_none());
    let untiled = Shape::new(48, 64, 4).unwrap();
    assert!(Product::from_words(untiled, vec![0; 48 * 64]).is_none());
}
