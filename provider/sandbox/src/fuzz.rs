//! Owns what the readers of a worker's pipe must hold to, whatever bytes come: no panic, no memory for a length that is
//! only claimed, and one form of bytes a greeting.
//!
//! Compiled for tests and for fuzzing alone. Never makes bytes up: the tests beside it and the fuzzer in `tests/fuzz`
//! do. Every function tells whether the bytes meant something.

use crate::frame::{FrameError, read_frame, write_frame};
use crate::greeting::{Greeting, MAX_GREETING_BYTES};

/// A reader: the name of its folder in the corpus, and what its bytes must hold to.
pub type Decoder = (&'static str, fn(&[u8]) -> bool);

/// Every reader of this crate that sees bytes of a worker, or of its agent.
pub const DECODERS: [Decoder; 2] = [("sandbox_frame", frame), ("sandbox_greeting", greeting)];

/// Frames one behind the other until the bytes end; what is read writes the same bytes again.
pub fn frame(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut written = Vec::new();
    loop {
        match read_frame(&mut rest, MAX_GREETING_BYTES) {
            Ok(Some(frame)) => {
                assert!(!frame.is_empty() && frame.len() <= MAX_GREETING_BYTES);
                write_frame(&mut written, &frame).expect("what was read can be written");
            }
            Ok(None) => {
                assert!(written == bytes, "frames are written as they were read");
                return !bytes.is_empty();
            }
            Err(FrameError::Io(error)) => unreachable!("memory does not fail: {error}"),
            Err(FrameError::Empty | FrameError::Oversized { .. } | FrameError::Truncated) => {
                assert!(bytes.starts_with(&written));
                return false;
            }
        }
    }
}

/// The first frame of a worker.
pub fn greeting(bytes: &[u8]) -> bool {
    let Ok(greeting) = Greeting::decode(bytes) else {
        return false;
    };
    let again = Greeting::decode(&greeting.encode());
    assert_eq!(again.ok(), Some(greeting));
    true
}

#[cfg(test)]
mod tests;
