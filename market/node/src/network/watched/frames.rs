//! Owns whether bytes are messages: each has its length in front of it, as a varint, and is in the protocol buffers
//! encoding. It is read as the bytes come, in pieces of any size.
//!
//! Never keeps a message. Says nothing about what a message means, only whether it is one.

use super::fields::{Holds, Kind, Shape};
use crate::network::offences::Offence;

/// How deep messages are nested in messages, the outermost included.
const MAX_DEPTH: usize = 4;

/// The most bytes of a varint.
const MAX_VARINT_BYTES: u32 = 10;

/// A varint that is being read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Varint {
    value: u64,
    bytes: u32,
}

impl Varint {
    /// Tells whether no byte of it has been read.
    pub(super) fn is_empty(self) -> bool {
        self.bytes == 0
    }

    /// Reads a byte; returns the number with its last one.
    pub(super) fn read(&mut self, byte: u8) -> Result<Option<u64>, Offence> {
        if self.bytes == MAX_VARINT_BYTES - 1 && byte > 1 {
            return Err(Offence::Undecodable);
        }
        self.value |= u64::from(byte & 0x7f) << (7 * self.bytes);
        self.bytes += 1;
        if byte & 0x80 != 0 {
            return Ok(None);
        }
        Ok(Some(std::mem::take(self).value))
    }
}

/// The character that a text broke off in.
#[derive(Debug, Clone, Copy, Default)]
struct Character {
    bytes: [u8; 4],
    length: usize,
}

impl Character {
    /// Reads more of the text.
    fn read(&mut self, mut bytes: &[u8]) -> Result<(), Offence> {
        while self.length > 0 {
            let Some((first, rest)) = bytes.split_first() else {
                return Ok(());
            };
            let place = self.bytes.get_mut(self.length);
            *place.ok_or(Offence::Undecodable)? = *first;
            bytes = rest;
            let length = self.length + 1;
            let begun = self.bytes;
            self.length = 0;
            self.keep_unfinished(&begun[..length])?;
        }
        self.keep_unfinished(bytes)
    }

    /// Checks a text, and keeps the bytes of an unfinished character at its end.
    fn keep_unfinished(&mut self, bytes: &[u8]) -> Result<(), Offence> {
        let Err(error) = std::str::from_utf8(bytes) else {
            return Ok(());
        };
        if error.error_len().is_some() {
            return Err(Offence::Undecodable);
        }
        let unfinished = &bytes[error.valid_up_to()..];
        self.bytes[..unfinished.len()].copy_from_slice(unfinished);
        self.length = unfinished.len();
        Ok(())
    }
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The length of a message.
    Length,
    /// The number of a field and the way it is encoded.
    Key,
    /// A number that is a field, and how many variants there are where it stands for one.
    Number(Option<u64>),
    /// The length of a field.
    Size(Holds),
    /// This many bytes of a field.
    Content { left: u64, holds: Holds },
}

/// A message that has begun.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    shape: Shape,
    /// Where it ends, counted from where the outermost began.
    end: u64,
    /// Whether the last number for a variant stood for none. An earlier one does not matter: the last one counts.
    has_no_variant: bool,
}

/// The messages that arrive on one stream.
#[derive(Debug)]
pub(super) struct Frames {
    kind: &'static Kind,
    next: Next,
    varint: Varint,
    character: Character,
    /// Bytes since the outermost message began.
    at: u64,
    open: [Level; MAX_DEPTH],
    depth: usize,
}

impl Frames {
    /// Expects messages of a kind.
    pub(super) fn new(kind: &'static Kind) -> Self {
        Self {
            kind,
            next: Next::Length,
            varint: Varint::default(),
            character: Character::default(),
            at: 0,
            open: [Level::default(); MAX_DEPTH],
            depth: 0,
        }
    }

    /// Tells whether a message has begun and not ended.
    pub(super) fn is_amid_one(&self) -> bool {
        self.next != Next::Length || !self.varint.is_empty()
    }

    /// Reads bytes; what is wrong with them is the error. Nothing may be read after one.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Result<(), Offence> {
        while let Some((first, rest)) = bytes.split_first() {
            bytes = match self.next {
                Next::Content { left, holds } => self.content(bytes, left, holds)?,
                Next::Length => {
                    self.length(*first)?;
                    rest
                }
                Next::Key | Next::Number(_) | Next::Size(_) => {
                    self.varint(*first)?;
                    rest
                }
            };
        }
        Ok(())
    }

    /// The message that is being read, the innermost.
    fn level(&self) -> Level {
        self.open[self.depth.saturating_sub(1)]
    }

    /// How many bytes it has left.
    fn left(&self) -> u64 {
        self.level().end.saturating_sub(self.at)
    }

    fn length(&mut self, byte: u8) -> Result<(), Offence> {
        if byte == 0 && !self.varint.is_empty() {
            return Err(Offence::Undecodable);
        }
        let Some(length) = self.varint.read(byte)? else {
            return Ok(());
        };
        if length > self.kind.max_bytes {
            return Err(Offence::Oversized);
        }
        self.at = 0;
        self.enter(self.kind.shape, length)
    }

    fn varint(&mut self, byte: u8) -> Result<(), Offence> {
        self.at += 1;
        if let Some(value) = self.varint.read(byte)? {
            match self.next {
                Next::Size(holds) => self.size(holds, value)?,
                Next::Number(variants) => self.number(value, variants)?,
                Next::Key | Next::Length | Next::Content { .. } => self.key(value)?,
            }
        }
        let needs_more =
            !self.varint.is_empty() || matches!(self.next, Next::Number(_) | Next::Size(_));
        match needs_more && self.left() == 0 {
            true => Err(Offence::Undecodable),
            false => Ok(()),
        }
    }

    fn number(&mut self, value: u64, variants: Option<u64>) -> Result<(), Offence> {
        if let Some(variants) = variants {
            let innermost = self.depth.saturating_sub(1);
            // Read as libp2p does, from its lowest 32 bits.
            self.open[innermost].has_no_variant = value & u64::from(u32::MAX) >= variants;
        }
        self.leave()
    }

    fn key(&mut self, key: u64) -> Result<(), Offence> {
        let key = u32::try_from(key).map_err(|_| Offence::Undecodable)?;
        let (number, encoding) = (key >> 3, key & 7);
        if number == 0 {
            return Err(Offence::Undecodable);
        }
        let field = self.level().shape.iter().find(|(own, _)| *own == number);
        self.next = match (field.map(|(_, holds)| *holds), encoding) {
            (None | Some(Holds::Number), 0) => Next::Number(None),
            (Some(Holds::Variant(variants)), 0) => Next::Number(Some(variants)),
            (Some(holds @ (Holds::Bytes | Holds::Text | Holds::Message(_))), 2) => {
                Next::Size(holds)
            }
            (None, 2) => Next::Size(Holds::Bytes),
            (None, 1) => return self.begin_content(8, Holds::Bytes),
            (None, 5) => return self.begin_content(4, Holds::Bytes),
            _ => return Err(Offence::Undecodable),
        };
        Ok(())
    }

    fn size(&mut self, holds: Holds, size: u64) -> Result<(), Offence> {
        match holds {
            Holds::Message(shape) if self.depth < MAX_DEPTH => {
                if size > self.left() {
                    return Err(Offence::Undecodable);
                }
                self.enter(shape, size)
            }
            holds => self.begin_content(size, holds),
        }
    }

    fn begin_content(&mut self, size: u64, holds: Holds) -> Result<(), Offence> {
        if size > self.left() {
            return Err(Offence::Undecodable);
        }
        self.character = Character::default();
        self.next = Next::Content { left: size, holds };
        match size {
            0 => self.leave(),
            _ => Ok(()),
        }
    }

    /// Reads content of a field; returns the bytes after it.
    fn content<'a>(
        &mut self,
        bytes: &'a [u8],
        left: u64,
        holds: Holds,
    ) -> Result<&'a [u8], Offence> {
        let length = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let (content, rest) = bytes.split_at(length);
        if holds == Holds::Text {
            self.character.read(content)?;
        }
        self.at += length as u64;
        let left = left - length as u64;
        self.next = Next::Content { left, holds };
        if left == 0 {
            if self.character.length > 0 {
                return Err(Offence::Undecodable);
            }
            self.leave()?;
        }
        Ok(rest)
    }

    /// Begins a message.
    fn enter(&mut self, shape: Shape, length: u64) -> Result<(), Offence> {
        self.open[self.depth] = Level {
            shape,
            end: self.at + length,
            has_no_variant: false,
        };
        self.depth += 1;
        self.leave()
    }

    /// Goes on after a field, and ends the messages that are over with it.
    fn leave(&mut self) -> Result<(), Offence> {
        while self.depth > 0 && self.left() == 0 {
            if self.level().has_no_variant {
                return Err(Offence::Undecodable);
            }
            self.depth -= 1;
        }
        self.next = match self.depth {
            0 => Next::Length,
            _ => Next::Key,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
