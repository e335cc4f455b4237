//! placeholder
mod certificate;
mod chain;
mod codec;
mod conformance;
mod distinct;
mod draw;
mod message;
mod mode;
mod operands;
mod philox;
mod prover;
mod sample;
mod shape;
mod tile;
mod tree;
mod verifier;
mod workload;

#[cfg(test)]
mod tests;

pub use certificate::{
    CLOCK_TOLERANCE_MS, Certificate, CertificateError, DEFAULT_VALIDITY_MS, Demand,
    SignedCertificate,
};
pub use chain::{Root, Subject, round_seed};
pub use codec::{DecodeError, PROTOCOL_VERSION};
pub use conformance::{conformance_operands, conformance_shape, conforms};
pub use draw::{ENTRIES_PER_TILE, OPENINGS, Place, places};
pub use message::{Challenge, Draw, MAX_LIMIT_MS, Message, Opening, Openings, Roots};
pub use mode::Mode;
pub use operands::{Matrix, Operands, Seed};
pub use philox::philox4x32;
pub use prover::{
    DRAW_WAIT_MS, Failure, Prover, ProverInput, ProverOutput, ProverPolicy, Refusal, Round,
    Unexpected,
};
pub use sample::{Entry, Mismatch, Position, Sample};
pub use shape::{Shape, ShapeError};
pub use tile::{Leaf, Product, TILE_ENTRIES, Tile};
pub use tree::Path;
pub use verifier::{
    DEFAULT_TRANSFER_MS, Expectation, OutOfTurn, Proved, Rejection, Verifier, VerifierInput,
    VerifierOutput,
};
pub use workload::{
    DEPTH_STEP, MAX_DEPTH, MAX_ROUNDS, MAX_RUN_MS, MAX_SIDE, MIN_RUN_MS, TILE_SIDE, Workload,
    WorkloadError,
};
