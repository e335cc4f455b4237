//! Owns the bytes of a segment: its header, its records, and telling a torn tail from damage.
//!
//! Never touches a file. All integers are little-endian.
//!
//! ```text
//! segment = magic 8 | version u32 | first record u64 | chain 32 | link before it 32 | check 8 | records
//! record  = magic 4 | length u32 | check of the length 4 | check 8 | link 32 | payload
//! link    = BLAKE3("nightshift/log/link/1" || link before || payload)
//! checks  = leading bytes of BLAKE3 over the fields they protect
//! ```

use market::ChainId;

use super::LogKind;

/// The hash that chains a record to all that came before it.
pub(crate) type Link = [u8; 32];

pub(super) const MAX_RECORD_BYTES: usize = market::wire::MAX_MESSAGE_BYTES;
pub(super) const HEADER_BYTES: usize = 8 + 4 + 8 + 32 + 32 + CHECK_BYTES;
pub(super) const RECORD_HEADER_BYTES: usize = LINK_AT + 32;

/// The version of the form that is drawn above; a newer one is refused.
pub(super) const VERSION: u32 = 1;
const RECORD_MAGIC: &[u8; 4] = b"NSRC";
const CHECK_BYTES: usize = 8;
const LENGTH_AT: usize = 4;
const LENGTH_CHECK_AT: usize = 8;
const CHECK_AT: usize = 12;
const LINK_AT: usize = CHECK_AT + CHECK_BYTES;

impl LogKind {
    /// Returns the first bytes of a segment.
    const fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Blocks => b"NSBLOCKS",
            Self::Journal => b"NSJOURNL",
        }
    }

    const fn not_one(self) -> &'static str {
        match self {
            Self::Blocks => "this is not a segment of a block log",
            Self::Journal => "this is not a segment of a node's journal",
        }
    }
}

/// What the first bytes of a segment state.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) first: u64,
    pub(super) chain: ChainId,
    pub(super) link: Link,
}

/// A verified record within a segment's bytes.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) payload: &'a [u8],
    pub(super) link: Link,
    /// Offset of the byte after it.
    pub(super) end: usize,
}

/// Why bytes are not the header of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadHeader {
    /// A newer program wrote it.
    Newer(u32),
    /// It does not verify, and why.
    Damaged(&'static str),
}

/// Why bytes are not a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// As an append leaves them that did not finish: nothing whole follows.
    Torn(&'static str),
    /// No unfinished append explains them.
    Broken(&'static str),
}

/// Copies `N` bytes at `offset`, or `None` past the end.
fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk::<N>().copied()
}

fn check<const N: usize>(domain: &str, parts: &[&[u8]]) -> [u8; N] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(domain.as_bytes());
    for part in parts {
        hasher.update(part);
    }
    let mut out = [0; N];
    out.copy_from_slice(&hasher.finalize().as_bytes()[..N]);
    out
}

/// The link before the first record of a chain's log.
pub(super) fn first_link(chain: &ChainId) -> Link {
    check("nightshift/log/start/1", &[chain.as_bytes()])
}

fn next_link(previous: &Link, payload: &[u8]) -> Link {
    check("nightshift/log/link/1", &[previous, payload])
}

fn length_check(length: &[u8; 4]) -> [u8; 4] {
    check("nightshift/log/length/1", &[length])
}

fn record_check(link: &Link, payload: &[u8]) -> [u8; CHECK_BYTES] {
    check("nightshift/log/record/1", &[link, payload])
}

impl SegmentHeader {
    pub(super) fn encode(&self, kind: LogKind) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(kind.magic());
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.first.to_le_bytes());
        bytes.extend_from_slice(self.chain.as_bytes());
        bytes.extend_from_slice(&self.link);
        let sum: [u8; CHECK_BYTES] = check("nightshift/log/segment/1", &[&bytes]);
        bytes.extend_from_slice(&sum);
        bytes
    }

    pub(super) fn decode(kind: LogKind, bytes: &[u8]) -> Result<Self, BadHeader> {
        const SHORT: BadHeader = BadHeader::Damaged("the segment's header is incomplete");
        let damaged = |what| Err(BadHeader::Damaged(what));
        let magic = kind.magic();
        if bytes.len() >= magic.len() && !bytes.starts_with(magic) {
            return damaged(kind.not_one());
        }
        // Only magic and version stay where they are in every version.
        match array(bytes, magic.len()).map(u32::from_le_bytes) {
            None => return Err(SHORT),
            Some(VERSION) => {}
            Some(newer) if newer > VERSION => return Err(BadHeader::Newer(newer)),
            Some(_) => return damaged("the segment has a version that no release wrote"),
        }
        let stated = bytes.get(..HEADER_BYTES - CHECK_BYTES).ok_or(SHORT)?;
        let sum: [u8; CHECK_BYTES] = array(bytes, stated.len()).ok_or(SHORT)?;
        if sum != check("nightshift/log/segment/1", &[stated]) {
            return damaged("the segment's header does not verify");
        }
        Ok(Self {
            first: u64::from_le_bytes(array(stated, 12).ok_or(SHORT)?),
            chain: ChainId::from_bytes(array(stated, 20).ok_or(SHORT)?),
            link: array(stated, 52).ok_or(SHORT)?,
        })
    }
}

/// Returns the bytes of the record that follows `previous`, and its link.
pub(super) fn encode_record(previous: &Link, payload: &[u8]) -> (Vec<u8>, Link) {
    let length = u32::try_from(payload.len())
        .expect("the writer refuses payloads above MAX_RECORD_BYTES")
        .to_le_bytes();
    let link = next_link(previous, payload);
    let mut bytes = Vec::with_capacity(RECORD_HEADER_BYTES + payload.len());
    bytes.extend_from_slice(RECORD_MAGIC);
    bytes.extend_from_slice(&length);
    bytes.extend_from_slice(&length_check(&length));
    bytes.extend_from_slice(&record_check(&link, payload));
    bytes.extend_from_slice(&link);
    bytes.extend_from_slice(payload);
    (bytes, link)
}

/// Returns the payload's length that an intact record header states.
pub(super) fn payload_length(bytes: &[u8]) -> Option<usize> {
    if !bytes.starts_with(RECORD_MAGIC) {
        return None;
    }
    let length: [u8; 4] = array(bytes, LENGTH_AT)?;
    if array(bytes, LENGTH_CHECK_AT)? != length_check(&length) {
        return None;
    }
    let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
    (length <= MAX_RECORD_BYTES).then_some(length)
}

/// Returns the payload of the record that `bytes` begin with, if all of it is there and its checks hold.
pub(super) fn intact_record(bytes: &[u8]) -> Option<&[u8]> {
    let length = payload_length(bytes)?;
    let payload = bytes.get(RECORD_HEADER_BYTES..RECORD_HEADER_BYTES + length)?;
    let link: Link = array(bytes, LINK_AT)?;
    (array(bytes, CHECK_AT)? == record_check(&link, payload)).then_some(payload)
}

/// Reads the record at `offset` that must follow `previous`; `None` at the end of the bytes.
pub(super) fn read_record<'a>(
    bytes: &'a [u8],
    offset: usize,
    previous: &Link,
) -> Result<Option<Record<'a>>, Damage> {
    let rest = bytes.get(offset..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(None);
    }
    if rest.len() < RECORD_HEADER_BYTES {
        return Err(Damage::Torn("a record's header is incomplete"));
    }
    let Some(length) = payload_length(rest) else {
        return Err(unreadable_header(rest));
    };
    let length = RECORD_HEADER_BYTES + length;
    if rest.len() < length {
        return Err(Damage::Torn("a record is incomplete"));
    }
    let Some(payload) = intact_record(rest) else {
        let what = "a record's checksum does not verify";
        return Err(if rest.len() == length {
            Damage::Torn(what)
        } else {
            Damage::Broken(what)
        });
    };
    let link = next_link(previous, payload);
    if array(rest, LINK_AT) != Some(link) {
        return Err(Damage::Broken("a record does not follow the one before it"));
    }
    Ok(Some(Record {
        payload,
        link,
        end: offset + length,
    }))
}

/// An append that did not finish is the last thing in the file: a whole record after it means damage.
fn unreadable_header(rest: &[u8]) -> Damage {
    let is_followed = (1..rest.len()).any(|start| intact_record(&rest[start..]).is_some());
    if is_followed {
        Damage::Broken("a record's header does not verify")
    } else {
        Damage::Torn("a record's header does not verify")
    }
}
