//! Length-capped frames on the worker's pipes: four bytes of length (little-endian), then bytes.
//!
//! It must never interpret what a frame holds, and never reserve memory for a length that the
//! other side only claims.

use std::io::{self, ErrorKind, Read, Write};

/// Bytes reserved at once while a frame arrives; a claimed length costs no more than this.
const CHUNK_BYTES: usize = 64 * 1024;

/// Why a frame was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The frame holds no bytes; an empty frame means nothing in this protocol.
    #[error("a frame of no bytes is not allowed")]
    Empty,
    /// The frame is longer than the reader allows, or than four bytes can say.
    #[error("a frame of {length} bytes is over the cap of {max_bytes}")]
    Oversized {
        /// The length given or claimed, in bytes.
        length: u64,
        /// The largest length allowed, in bytes.
        max_bytes: u64,
    },
    /// The stream ended inside a frame.
    #[error("the stream ended inside a frame")]
    Truncated,
    /// The pipe itself failed.
    #[error("the pipe failed: {0}")]
    Io(#[from] io::Error),
}

/// Writes one frame and flushes it.
///
/// # Errors
/// [`FrameError::Empty`], [`FrameError::Oversized`] beyond `u32::MAX` bytes, or the pipe's error.
pub fn write_frame(output: &mut impl Write, bytes: &[u8]) -> Result<(), FrameError> {
    if bytes.is_empty() {
        return Err(FrameError::Empty);
    }
    let length = u32::try_from(bytes.len()).map_err(|_| FrameError::Oversized {
        length: bytes.len() as u64,
        max_bytes: u64::from(u32::MAX),
    })?;
    output.write_all(&length.to_le_bytes())?;
    output.write_all(bytes)?;
    output.flush()?;
    Ok(())
}

/// Reads one frame of at most `max_bytes`; `None` when the stream ends between two frames.
///
/// # Errors
/// A length of zero or over the cap, an end inside the frame, or the pipe's error.
pub fn read_frame(input: &mut impl Read, max_bytes: usize) -> Result<Option<Vec<u8>>, FrameError> {
    let Some(header) = read_header(input)? else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(header) as usize;
    if length == 0 {
        return Err(FrameError::Empty);
    }
    if length > max_bytes {
        return Err(FrameError::Oversized {
            length: length as u64,
            max_bytes: max_bytes as u64,
        });
    }
    read_body(input, length).map(Some)
}

fn read_header(input: &mut impl Read) -> Result<Option<[u8; 4]>, FrameError> {
    let mut header = [0_u8; 4];
    let mut filled = 0;
    while filled < header.len() {
        match input.read(&mut header[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(FrameError::Truncated),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Some(header))
}

fn read_body(input: &mut impl Read, length: usize) -> Result<Vec<u8>, FrameError> {
    let mut body = Vec::with_capacity(length.min(CHUNK_BYTES));
    while body.len() < length {
        let start = body.len();
        body.resize(length.min(start.saturating_add(CHUNK_BYTES)), 0);
        input
            .read_exact(&mut body[start..])
            .map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => FrameError::Truncated,
                _ => FrameError::Io(error),
            })?;
    }
    Ok(body)
}

#[cfg(test)]
mod tests;
