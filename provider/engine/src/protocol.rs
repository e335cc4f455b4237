//! Owns the messages between an agent and its worker, and the pipe that carries them.
//!
//! ```text
//! agent                            worker (locked)
//!   Job, Input*, Start  ────────►
//!                       ◄────────  Started, Metric*, Log*, Text*, Output*, then Done or Failed
//! ```
//! Messages have the one wire form of [`market::wire`]. Frames, with their length prefix and their cap,
//! belong to whoever owns the pipe; this module never reads or writes a stream.

use std::fmt;
use std::io;

use market::BlobHash;
use market::job::ArtifactName;
use market::wire::{self, WireError};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most content bytes in one message, 1 MiB.
pub const CHUNK_BYTES: usize = 1 << 20;

/// The most bytes that one message may have: a chunk, its name and its figures.
pub const MAX_FRAME_BYTES: usize = CHUNK_BYTES + 4_096;

/// What carries whole messages between an agent and a worker.
pub trait Pipe {
    /// Waits for the next message; `None` when the other side has closed the pipe.
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>>;

    /// Sends one message of at most [`MAX_FRAME_BYTES`].
    fn send(&mut self, message: &[u8]) -> io::Result<()>;
}

/// Raw bytes in a message, which are copied as one piece.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Blob(pub Vec<u8>);

/// What an agent tells its worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToWorker {
    /// The job, as the canonical bytes of a [`market::job::JobSpec`]; comes first, once.
    Job(Blob),
    /// A piece of an input; pieces come in order.
    Input {
        /// The input's name in the job.
        name: ArtifactName,
        /// Where the piece begins, in bytes.
        offset: u64,
        /// At most [`CHUNK_BYTES`].
        bytes: Blob,
        /// Whether the input ends with this piece.
        last: bool,
    },
    /// All inputs are there: begin.
    Start,
}

/// What a worker tells its agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromWorker {
    /// The work begins.
    Started(Started),
    /// A report about training.
    Metric(Metric),
    /// A line for people.
    Log(String),
    /// A piece of text that was just generated; need not end where a character ends.
    Text(Blob),
    /// A piece of an output; pieces of one output come in order, and outputs do not mix.
    Output {
        /// The output's name.
        name: ArtifactName,
        /// Where the piece begins, in bytes.
        offset: u64,
        /// At most [`CHUNK_BYTES`].
        bytes: Blob,
        /// BLAKE3 of the whole output, when it ends with this piece.
        end: Option<BlobHash>,
    },
    /// The job is done, and every output has been sent.
    Done(Summary),
    /// The job failed; nothing follows.
    Failed {
        /// Why, in words.
        reason: String,
        /// What failed.
        cause: FailureCause,
    },
}

/// What ended a job early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureCause {
    /// The job itself, or what it needed.
    Job,
    /// The card: its driver gave it up. Another job on it may fare the same.
    CardLost,
    /// A library that computes: it gave up without an error of its own, in the middle of something.
    BrokeOff,
}

/// What is known when the work begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// What computes, in words.
    pub device: String,
    /// Weights of the model.
    pub parameters: u64,
    /// Entropy of the training text's bytes in nats, when training.
    pub unigram_entropy: Option<f32>,
}

/// A report about training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Steps done.
    pub step: u32,
    /// Mean loss of this step's batch before its update, in nats a token.
    pub loss: f32,
    /// Mean loss on the held-out text, in nats a token, when it was measured after this step.
    pub held_out: Option<f32>,
    /// Learning rate of this step.
    pub learning_rate: f32,
    /// Norm of the whole gradient before clipping.
    pub gradient_norm: f32,
    /// Tokens trained on so far.
    pub tokens: u64,
    /// Tokens trained on in a second since the last report.
    pub tokens_per_s: f32,
    /// Seconds since the work began.
    pub seconds: f32,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Summary {
    /// Training.
    Train(TrainSummary),
    /// Inference.
    Infer(InferSummary),
}

/// How training ended; losses in nats a token.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrainSummary {
    /// Weights of the model.
    pub parameters: u64,
    /// Steps done.
    pub steps: u32,
    /// Tokens trained on.
    pub tokens: u64,
    /// Loss of the first step's batch.
    pub loss_first: f32,
    /// Loss of the last step's batch.
    pub loss_last: f32,
    /// Loss on the held-out text after the last step.
    pub loss_held_out: f32,
    /// Entropy of the training text's bytes.
    pub unigram_entropy: f32,
    /// Seconds from the start to here, measurements and checkpoints included.
    pub seconds: f32,
    /// Tokens trained on in a second, over all of these seconds.
    pub tokens_per_s: f32,
}

/// How inference ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct InferSummary {
    /// Weights of the model.
    pub parameters: u64,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub tokens: u64,
    /// Seconds from the start to here.
    pub seconds: f32,
    /// Tokens written in a second, over the time spent writing.
    pub tokens_per_s: f32,
}

impl ToWorker {
    /// Returns the message's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Reads a message of at most [`MAX_FRAME_BYTES`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        wire::decode(bytes, MAX_FRAME_BYTES)
    }
}

impl FromWorker {
    /// Returns the message's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Reads a message of at most [`MAX_FRAME_BYTES`]; a worker's bytes are as hostile as a job's.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        wire::decode(bytes, MAX_FRAME_BYTES)
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BlobVisitor)
    }
}

struct BlobVisitor;

impl<'de> Visitor<'de> for BlobVisitor {
    type Value = Blob;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {CHUNK_BYTES} bytes")
    }

    fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Blob, E> {
        match bytes.len() <= CHUNK_BYTES {
            true => Ok(Blob(bytes)),
            false => Err(E::invalid_length(bytes.len(), &self)),
        }
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Blob, E> {
        self.visit_byte_buf(bytes.to_vec())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Blob, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = sequence.next_element()? {
            if bytes.len() == CHUNK_BYTES {
                return Err(A::Error::invalid_length(bytes.len() + 1, &self));
            }
            bytes.push(byte);
        }
        Ok(Blob(bytes))
    }
}

#[cfg(test)]
mod tests;
