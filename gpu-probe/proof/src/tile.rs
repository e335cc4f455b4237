//! Owns tiles: blocks of 32 x 32 entries, their bytes and their leaves, and whole products made on the CPU.
//!
//! Never hashes part of a tile: what is opened is what was committed to.

use std::fmt;

use crate::operands::Operands;
use crate::sample::Position;
use crate::shape::Shape;
use crate::workload::TILE_SIDE;

/// The entries of a tile.
pub const TILE_ENTRIES: usize = 1_024;

/// BLAKE3 of the 4,096 bytes of a tile.
pub type Leaf = [u8; 32];

/// The bits of a tile's entries, row by row.
#[derive(Clone, PartialEq, Eq)]
pub struct Tile(Box<[u32; TILE_ENTRIES]>);

impl Tile {
    /// Makes a tile of its words, row by row; any other number than 1,024 is no tile.
    pub fn from_words(words: Vec<u32>) -> Option<Self> {
        words.try_into().ok().map(Self)
    }

    /// Computes tile `tile` of a product on the CPU: `1024 * depth` multiply-adds; `None` where the product has no such
    /// tile.
    pub fn compute(operands: &Operands, shape: Shape, tile: u32) -> Option<Self> {
        let tiles = (shape.rows() / TILE_SIDE) * (shape.columns() / TILE_SIDE);
        if tile >= tiles {
            return None;
        }
        let places = 0..TILE_SIDE * TILE_SIDE;
        let positions: Vec<Position> = places.map(|place| position(shape, tile, place)).collect();
        let words = operands.entries_bits(shape, &positions);
        Self::from_words(words)
    }

    /// Returns the words, row by row.
    pub fn words(&self) -> &[u32; TILE_ENTRIES] {
        &self.0
    }

    /// Returns BLAKE3 of the words as little-endian bytes.
    pub fn leaf(&self) -> Leaf {
        let bytes: Vec<u8> = self.0.iter().flat_map(|word| word.to_le_bytes()).collect();
        *blake3::hash(&bytes).as_bytes()
    }
}

impl fmt::Debug for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, .., last] = *self.0;
        write!(f, "Tile({first:#010x} .. {last:#010x})")
    }
}

/// Returns the position in the product of entry `place` of tile `tile`; tiles are counted row by row too.
pub(crate) fn position(shape: Shape, tile: u32, place: u32) -> Position {
    let across = shape.columns() / TILE_SIDE;
    Position {
        row: tile / across * TILE_SIDE + place / TILE_SIDE,
        column: tile % across * TILE_SIDE + place % TILE_SIDE,
    }
}

/// A product in memory: what a device leaves, and what a CPU can make for a test or a vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    shape: Shape,
    words: Vec<u32>,
}

impl Product {
    /// Computes a product on the CPU: `rows * columns * depth` multiply-adds, for small shapes.
    pub fn compute(operands: &Operands, shape: Shape) -> Self {
        let positions: Vec<Position> = (0..shape.rows())
            .flat_map(|row| (0..shape.columns()).map(move |column| Position { row, column }))
            .collect();
        let words = operands.entries_bits(shape, &positions);
        Self { shape, words }
    }

    /// Takes entries that a device computed, row by row; `None` if they are not as many as the shape has, or the
    /// shape has no whole tiles.
    pub fn from_words(shape: Shape, words: Vec<u32>) -> Option<Self> {
        let is_tiled = [shape.rows(), shape.columns()]
            .iter()
            .all(|side| side.is_multiple_of(TILE_SIDE));
        (is_tiled && words.len() as u64 == shape.entries()).then_some(Self { shape, words })
    }

    /// Returns the entries, row by row.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// Returns a tile, if there is one of this number.
    pub fn tile(&self, tile: u32) -> Option<Tile> {
        if tile >= self.tiles() {
            return None;
        }
        let columns = self.shape.columns() as usize;
        let places = 0..TILE_SIDE * TILE_SIDE;
        let words = places.map(|place| {
            let at = position(self.shape, tile, place);
            self.words[at.row as usize * columns + at.column as usize]
        });
        Tile::from_words(words.collect())
    }

    /// Returns the leaves in the order of the tiles.
    pub fn leaves(&self) -> Vec<Leaf> {
        let tiles = (0..self.tiles()).filter_map(|tile| self.tile(tile));
        tiles.map(|tile| tile.leaf()).collect()
    }

    fn tiles(&self) -> u32 {
        (self.shape.rows() / TILE_SIDE) * (self.shape.columns() / TILE_SIDE)
    }
}

#[cfg(test)]
mod tests;
