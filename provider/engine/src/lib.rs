//! What runs inside a confined worker: training and inference of Llama-style models on Burn.
//!
//! ```text
//! agent ──frames──► Pipe ─► run ─► Inputs ─► train | generate ─► Outbox ─► Pipe ──frames──► agent
//!                            │                     │
//!                         JobSpec        model, weights, checkpoint
//! ```
//! The crate reads and writes frames and nothing else. It never opens a file or a socket, never knows a
//! price, and treats every byte of a job as hostile: lengths, names, shapes and token ids are checked
//! before anything is allocated or uploaded.

mod card;
mod checkpoint;
mod config;
mod device;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod generate;
mod inputs;
#[cfg(test)]
mod memory_pipe;
mod model;
mod outbox;
#[cfg(test)]
mod own_process;
mod positions;
mod protocol;
mod sample;
mod tensor_file;
mod text;
mod tokens;
mod train;
mod trainer;
mod training_state;
mod warm;
mod weights;
mod worker;

pub use card::{Budget, Card, CardError, Residue, Scrubbed, find_residue, leave_residue};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use config::{ConfigError, ModelConfig};
pub use device::{DeviceError, EngineDevice, GpuKind};
pub use generate::{Completion, GenerateError, Generator};
pub use inputs::InputError;
pub use outbox::OutputError;
pub use protocol::{
    Blob, CHUNK_BYTES, FailureCause, FromWorker, InferSummary, MAX_FRAME_BYTES, Metric, Pipe,
    Started, Summary, ToWorker, TrainSummary,
};
pub use tensor_file::{TensorFileError, TensorFileProblem};
pub use text::{TextError, unigram_entropy};
pub use tokens::TokenError;
pub use train::TrainError;
pub use trainer::StepError;
pub use training_state::StateError;
pub use warm::warm_up;
pub use worker::{RunError, run};
