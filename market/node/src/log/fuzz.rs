//! Owns what the bytes of the block log must hold to, whatever they are.
//!
//! Never touches a file and never makes bytes up.

use market::ChainId;

use super::LogKind;
use super::segment::{
    HEADER_BYTES, MAX_RECORD_BYTES, SegmentHeader, encode_record, first_link, read_record,
};

/// The chain whose log the bytes are read as.
pub(crate) const CHAIN: ChainId = ChainId::from_bytes([7; 32]);

/// The header of a segment: what is read is what it was written from.
pub fn segment_header(bytes: &[u8]) -> bool {
    let read = |kind| {
        let header = SegmentHeader::decode(kind, bytes).ok()?;
        assert_eq!(header.encode(kind), bytes[..HEADER_BYTES]);
        Some(header)
    };
    let (blocks, journal) = (read(LogKind::Blocks), read(LogKind::Journal));
    assert!(blocks.is_none() || journal.is_none(), "one log for another");
    blocks.or(journal).is_some()
}

/// The records of a log from its beginning: each that is read is the bytes that its payload would be written as, and
/// follows the one before. Whatever the bytes are, they can be written as a record and read back.
pub fn record(bytes: &[u8]) -> bool {
    let (mut offset, mut link) = (0, first_link(&CHAIN));
    let mut is_any = false;
    while let Ok(Some(record)) = read_record(bytes, offset, &link) {
        assert!(record.payload.len() <= MAX_RECORD_BYTES && record.end > offset);
        let (written, next) = encode_record(&link, record.payload);
        assert_eq!(written, bytes[offset..record.end]);
        assert_eq!(next, record.link);
        (offset, link, is_any) = (record.end, next, true);
    }
    if bytes.len() <= MAX_RECORD_BYTES {
        let (written, next) = encode_record(&link, bytes);
        let read = read_record(&written, 0, &link);
        let read = read.ok().flatten().expect("what was written is read");
        assert_eq!(
            (read.payload, read.link, read.end),
            (bytes, next, written.len())
        );
    }
    is_any
}

/// Returns the bytes of a segment's header and of records with these payloads.
#[cfg(test)]
pub(crate) fn segment(payloads: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>) {
    let mut link = first_link(&CHAIN);
    let header = SegmentHeader {
        first: 0,
        chain: CHAIN,
        link,
    };
    let mut records = Vec::new();
    for payload in payloads {
        let (written, next) = encode_record(&link, payload);
        records.extend(written);
        link = next;
    }
    (header.encode(LogKind::Blocks), records)
}
