//! Owns which protocol the two ends of a stream agree on, as the side says it that answers.
//!
//! Never takes part: libp2p negotiates, this listens. It reads lines with their length in front: the header, `na` for
//! each refused proposal, then the protocol's name.

use super::frames::Varint;

/// The longest line that may be the name of a protocol that is watched.
const MAX_NAME_BYTES: usize = 96;

/// The most bytes of a line's length.
const MAX_LINE_BYTES: u64 = (1 << 14) - 1;

const HEADER: &[u8] = b"/multistream/1.0.0\n";

/// These bytes are no negotiation. What becomes of the stream is between libp2p and its other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// A line that is being read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Negotiation {
    length: Varint,
    /// How many bytes the line has left, once that is known.
    left: Option<usize>,
    line: [u8; MAX_NAME_BYTES],
    /// How many bytes of the line were read; those beyond the buffer are not kept.
    read: usize,
}

impl Default for Negotiation {
    fn default() -> Self {
        Self {
            length: Varint::default(),
            left: None,
            line: [0; MAX_NAME_BYTES],
            read: 0,
        }
    }
}

impl Negotiation {
    /// Reads bytes; returns the name of the protocol with its last byte, and how many bytes were read by then.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Option<(&str, usize)>, Unreadable> {
        for (index, byte) in bytes.iter().enumerate() {
            self.byte(*byte)?;
            if self.left == Some(0) {
                self.left = None;
                let read = std::mem::take(&mut self.read);
                if is_name(self.line.get(..read)) {
                    let name = self.line.get(..read - 1).unwrap_or_default();
                    let name = std::str::from_utf8(name).map_err(|_| Unreadable)?;
                    return Ok(Some((name, index + 1)));
                }
            }
        }
        Ok(None)
    }

    fn byte(&mut self, byte: u8) -> Result<(), Unreadable> {
        let Some(left) = &mut self.left else {
            let length = self.length.read(byte).map_err(|_| Unreadable)?;
            self.left = match length {
                Some(length) if length > MAX_LINE_BYTES => return Err(Unreadable),
                Some(length) => Some(usize::try_from(length).map_err(|_| Unreadable)?),
                None => None,
            };
            return Ok(());
        };
        *left -= 1;
        if let Some(place) = self.line.get_mut(self.read) {
            *place = byte;
        }
        self.read += 1;
        Ok(())
    }
}

/// Tells whether a line names a protocol. An overlong line names none that is watched, and a list of protocols has
/// more than one line feed.
fn is_name(line: Option<&[u8]>) -> bool {
    let Some(line) = line else {
        return false;
    };
    let ends = line.iter().position(|byte| *byte == b'\n');
    line != HEADER && line.first() == Some(&b'/') && ends == Some(line.len() - 1)
}

#[cfg(test)]
mod tests;
