//! Owns the messages by which a node fetches parts of a blob from another.
//!
//! Never carries a whole blob: a request asks for at most a mebibyte.

use std::fmt;

use market::BlobHash;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What is checked at a time: groups of 16 BLAKE3 chunks, 16 KiB.
pub const GROUP_BYTES: u64 = 16 << 10;

/// The most bytes of a blob that one request may ask for.
pub const MAX_RANGE_BYTES: u32 = 1 << 20;

/// The most bytes of an encoded request.
pub const MAX_REQUEST_BYTES: usize = 256;

/// The most bytes of an encoded answer: the data and the hashes that prove it.
pub const MAX_RESPONSE_BYTES: usize = (1 << 20) + (64 << 10);

/// What is asked of the node that has a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlobRequest {
    /// A part of a blob, with the hashes that prove it.
    Range {
        /// Which blob.
        hash: BlobHash,
        /// Where the part begins, in bytes; a multiple of [`GROUP_BYTES`].
        start: u64,
        /// How long it is, in bytes; at most [`MAX_RANGE_BYTES`], a multiple of [`GROUP_BYTES`] unless
        /// the part ends the blob.
        length: u32,
    },
}

/// The answer to a [`BlobRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlobResponse {
    /// The part: tree hashes and data in the order in which they are checked.
    Range(RangeBytes),
    /// The blob is not here, or was not shared with the asker; which of the two is not told.
    NotShared,
    /// The part does not lie in the blob, or is not cut at the borders of groups.
    BadRange,
    /// The blob is here but could not be read.
    Unreadable,
}

/// Bytes that are copied as one piece when encoded, instead of one by one.
#[derive(Clone, PartialEq, Eq)]
pub struct RangeBytes(pub Vec<u8>);

impl fmt::Debug for RangeBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RangeBytes({})", self.0.len())
    }
}

impl Serialize for RangeBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = RangeBytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<RangeBytes, E> {
        Ok(RangeBytes(bytes.to_vec()))
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<RangeBytes, E> {
        Ok(RangeBytes(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RangeBytes, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = items.next_element()? {
            bytes.push(byte);
        }
        Ok(RangeBytes(bytes))
    }
}

impl<'de> Deserialize<'de> for RangeBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}
