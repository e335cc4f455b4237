//! Owns what leaves a worker: messages in order, outputs in pieces with their hash, all under the cap.
//!
//! Never writes a file; never lets a job send more than its limits say.

use std::io;

use market::BlobHash;
use market::job::ArtifactName;

use crate::protocol::{Blob, CHUNK_BYTES, FromWorker, Pipe};

/// The most bytes of a line for people.
const MAX_LOG_BYTES: usize = 1_024;

/// Why something could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The pipe is broken.
    #[error("the pipe to the agent broke: {0}")]
    Pipe(#[from] io::Error),
    /// The outputs are larger than the job's limit.
    #[error("output {name} would pass the job's limit of {limit} bytes for all outputs")]
    TooLarge {
        /// The output.
        name: ArtifactName,
        /// The limit.
        limit: u64,
    },
}

/// Sends a job's messages and outputs.
pub(crate) struct Outbox<'pipe> {
    pipe: &'pipe mut dyn Pipe,
    limit: u64,
    left: u64,
}

impl<'pipe> Outbox<'pipe> {
    /// Makes an outbox for at most `limit` bytes of outputs.
    pub(crate) fn new(pipe: &'pipe mut dyn Pipe, limit: u64) -> Self {
        Self {
            pipe,
            limit,
            left: limit,
        }
    }

    /// Returns the bytes of outputs that may still be sent.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Sends one message.
    pub(crate) fn send(&mut self, message: &FromWorker) -> Result<(), OutputError> {
        Ok(self.pipe.send(&message.to_bytes())?)
    }

    /// Sends a line for people, cut to 1 KiB.
    pub(crate) fn log(&mut self, line: &str) -> Result<(), OutputError> {
        let end = line.floor_char_boundary(MAX_LOG_BYTES);
        self.send(&FromWorker::Log(line[..end].to_owned()))
    }

    /// Sends a whole output in pieces, the last one with its hash.
    pub(crate) fn output(
        &mut self,
        name: &ArtifactName,
        content: &[u8],
    ) -> Result<(), OutputError> {
        self.left = match self.left.checked_sub(content.len() as u64) {
            Some(left) => left,
            None => {
                return Err(OutputError::TooLarge {
                    name: name.clone(),
                    limit: self.limit,
                });
            }
        };
        let hash = BlobHash::of(content);
        let mut offset = 0;
        loop {
            let rest = &content[offset..];
            let piece = &rest[..rest.len().min(CHUNK_BYTES)];
            let ends = offset + piece.len() == content.len();
            self.send(&FromWorker::Output {
                name: name.clone(),
                offset: offset as u64,
                bytes: Blob(piece.to_vec()),
                end: ends.then_some(hash),
            })?;
            offset += piece.len();
            if ends {
                return Ok(());
            }
        }
    }
}
