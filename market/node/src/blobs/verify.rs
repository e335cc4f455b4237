//! Owns the proof that bytes belong to a blob: the BLAKE3 tree, cut in groups of 16 KiB.
//!
//! Never hands on a byte before its group was checked against the root. The encoding is that of
//! verified streaming in the crate `bao-tree`: the hash pairs from the root down to each group, in
//! pre-order, each followed by its data.

use std::fs::File;
use std::io::{self, BufReader, Cursor};
use std::ops::Range;

use bao_tree::io::outboard::PreOrderOutboard;
use bao_tree::io::sync::{self, DecodeResponseIter};
use bao_tree::io::{BaoContentItem, EncodeError};
use bao_tree::{BaoTree, BlockSize, ChunkNum, ChunkRanges};
use market::BlobHash;

use super::protocol::GROUP_BYTES;
use super::store::Blob;

/// 2^4 chunks of 1 KiB make a group.
const BLOCK_SIZE: BlockSize = BlockSize::from_chunk_log(4);

fn tree_of(size: u64) -> BaoTree {
    BaoTree::new(size, BLOCK_SIZE)
}

fn root_of(hash: BlobHash) -> blake3::Hash {
    blake3::Hash::from_bytes(*hash.as_bytes())
}

/// Returns the chunks of `range`; a range that reaches the end takes the end's proof with it.
fn chunks_of(range: &Range<u64>, size: u64) -> ChunkRanges {
    let start = ChunkNum::full_chunks(range.start);
    if range.end >= size {
        ChunkRanges::from(start..)
    } else {
        ChunkRanges::from(start..ChunkNum::full_chunks(range.end))
    }
}

/// Returns a request's range of bytes where it lies in the blob and is cut at groups.
pub(super) fn valid_range(start: u64, length: u32, size: u64) -> Option<Range<u64>> {
    let end = start.checked_add(length.into())?;
    let is_cut_right =
        start.is_multiple_of(GROUP_BYTES) && (end == size || end.is_multiple_of(GROUP_BYTES));
    (start < end && end <= size && is_cut_right).then_some(start..end)
}

/// Hashes a whole file of `size` bytes and writes the tree's inner hashes to `outboard`.
pub(super) fn hash_file(data: &File, size: u64, outboard: &mut File) -> io::Result<BlobHash> {
    let tree = tree_of(size);
    let sink = PreOrderOutboard {
        tree,
        root: root_of(BlobHash::of(b"")),
        data: outboard,
    };
    let root = sync::outboard(BufReader::with_capacity(1 << 20, data), tree, sink)?;
    Ok(BlobHash::from_bytes(*root.as_bytes()))
}

/// Reads `range` of a blob and encodes it with its proof; fails where the file no longer is the blob.
pub(super) fn encode(
    blob: Blob,
    range: &Range<u64>,
    data: &File,
    outboard: &File,
) -> Result<Vec<u8>, EncodeError> {
    let outboard = PreOrderOutboard {
        tree: tree_of(blob.size),
        root: root_of(blob.hash),
        data: outboard,
    };
    let mut encoded = Vec::new();
    let chunks = chunks_of(range, blob.size);
    sync::encode_ranges_validated(data, outboard, &chunks, &mut encoded)?;
    Ok(encoded)
}

/// Why an encoded range was not taken.
#[derive(Debug)]
pub(super) enum Rejection {
    /// It does not prove what it should.
    Corrupt,
    /// The checked bytes could not be written.
    Write(io::Error),
}

/// Checks an encoded `range` of a blob and hands each checked piece, with its offset, to `write`.
pub(super) fn decode(
    blob: Blob,
    range: &Range<u64>,
    encoded: &[u8],
    write: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
) -> Result<(), Rejection> {
    let chunks = chunks_of(range, blob.size);
    let mut reader = Cursor::new(encoded);
    let items =
        DecodeResponseIter::new(root_of(blob.hash), tree_of(blob.size), &mut reader, &chunks);
    let mut next = range.start;
    for item in items {
        match item {
            Ok(BaoContentItem::Parent(_)) => {}
            Ok(BaoContentItem::Leaf(leaf)) => {
                if leaf.offset != next {
                    return Err(Rejection::Corrupt);
                }
                write(leaf.offset, &leaf.data).map_err(Rejection::Write)?;
                next += leaf.data.len() as u64;
            }
            Err(_) => return Err(Rejection::Corrupt),
        }
    }
    let is_whole = next == range.end && reader.position() == encoded.len() as u64;
    is_whole.then_some(()).ok_or(Rejection::Corrupt)
}
