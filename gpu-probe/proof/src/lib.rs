//! Proof of throughput: a benchmark of matrix multiplication that a stranger can check over the network,
//! without a GPU and without trusting a word of whoever ran it.
//!
//! A verifier challenges a device. The device computes products of matrices that nobody could foresee, one after
//! another, and commits to every tile of every product. The verifier takes the time until all commitments are here,
//! draws 64 tiles, and recomputes entries of them on a CPU. What passes can be signed as a certificate.
//!
//! # Protocol PoT-1
//! ```text
//! verifier                                                        prover and its device
//!    | -- Challenge: nonce rho, key and GPU, workload, limit -------> |  t0
//!    |                              round 0: seed = (rho, key, gpu)   |
//!    |                              round r: seed = (.., root r-1)    |  operands, product, tiles hashed, root r
//!    | <------------------------------------ Roots: one a round ----- |  t1
//!    |  score = 2 * rows * columns * depth * rounds / (t1 - t0)       |
//!    | -- Draw: sigma, drawn only now ------------------------------> |  64 (round, tile) follow from sigma
//!    |                                                                |  those rounds once more
//!    | <---------------- Openings: 64 tiles with paths -------------- |
//!    |  own list? under the roots? 16 entries of each right?          |
//!    v
//!  Proved or Rejection  --->  Certificate, signed by the verifier
//! ```
//! - **Operands** are small integers from a counter-based generator ([`Operands`]), so that nothing is sent, and
//!   either side makes any element by itself.
//! - **Rounds** are chained: a round's operands depend on its number and on the root of the round before, so nobody can
//!   begin in advance. A prover that makes one root up can start the round behind it at once, on a second device; that
//!   costs it a whole wrong round, which is found where a tile of it is drawn: with 64 draws of 543 rounds in one of nine.
//! - **A root** commits to the round's number, the mode, the lengths and all tiles of 32 x 32 entries. A tile's leaf is
//!   BLAKE3 of its 4,096 bytes; above the leaves stands BLAKE3's own tree, so that the top is BLAKE3 of all leaves.
//! - **Time** is the verifier's alone. Nothing is subtracted for the network, because the prover could delay whatever
//!   measures it; a run lasts so long that an honest round trip hardly counts ([`Workload::for_rate`]).
//! - **Openings** are of the verifier's list, complete and in its order. They may take twice the time of the rounds
//!   that they come from, and what the network may take; that time does not count, since the roots bind already.
//! - A prover that leaves a fraction `f` of all tiles wrong passes with probability `(1 - f)^64`: 4 % at a twentieth,
//!   0.1 % at a tenth.
//! - **Attempts** must be counted by the caller: a prover knows sigma before it answers, so one that is caught can fall
//!   silent, which looks like a slow line ([`Rejection::is_after_draw`]). Who may try a hundred times a day passes with
//!   what passes one time in a hundred.
//!
//! # Modes
//! **Mode F** is fp32. Elements are integers in [-4095, 4095], so each product fits 24 bits and is exact, and a fused
//! multiply-add gives the same bits as a multiplication and an addition. The sums are *not* exact: past 2^24 every
//! addition rounds, so the bits of an entry depend on the order of its additions. Mode F demands one order: one
//! accumulator an entry, `k` from zero upwards. Half precision, 8-bit units, split sums and fast algorithms round
//! elsewhere and give other bits. A compiler for GPUs may reorder sums; [`conforms`] tells whether a driver does.
//!
//! **Mode I** is for matrix units. Elements are integers in [-255, 255] and an entry is the exact integer sum, in any
//! order. Over 256 terms it stays below 2^24, so that units with fp32 accumulators are exact if their partial sums
//! are then added as integers.
//!
//! # What it proves, and what it cannot
//! A proof says: whoever holds the key had, between two moments of the verifier's clock, a device or several that
//! together did so many operations a second of this kind. It cannot tell
//! - **that the key's holder answered**, unless both of its messages came from a channel that the key authenticates: they
//!   are not signed by themselves;
//! - **where the device is**, or that it is one: a prover that relays the challenge to a rented card shows that card's
//!   rate, less the way there. Challenging all GPUs of a key at the same moment, and all keys at the same moment,
//!   keeps one card from answering for many; that is the caller's part.
//! - **that nobody else uses it later**, or that it will run as fast for longer than the proof lasts: a card can be
//!   clocked up for five seconds.
//! - **which unit did it** in mode I, nor by which algorithm: 8-bit integer units answer it too, with two parts an
//!   operand, and so does Strassen's algorithm, which is exact in integers.
//! - memory, bandwidth, or the precision of a matrix unit beyond exact integers.
//!
//! # Costs
//! At 4096 x 4096 x 4096 and 15 TFLOP/s a run has 543 rounds in five seconds. The verifier then needs 0.05 s of one core
//! (`cargo run --release --example cost`); 17 KB of roots and 345 KB of openings are sent. The prover's host makes a
//! root in 0.08 ms a round, and its device runs at most 64 rounds once more.
//!
//! # Use
//! Both machines have one shape: hand in inputs with the time in milliseconds, then do what the outputs say; they
//! never read a clock. Here the device is the CPU:
//! ```
//! use throughput_proof::{
//!     Expectation, Message, Mode, Product, Prover, ProverInput, ProverOutput, ProverPolicy, Shape,
//!     Subject, Verifier, VerifierInput, VerifierOutput, Workload,
//! };
//!
//! let shape = Shape::new(64, 64, 256)?;
//! let workload = Workload::new(Mode::F, shape, 20)?;
//! let subject = Subject { key: [7; 32], gpu: 0 };
//! let expectation = Expectation { subject, workload, reported_mflops: 10, transfer_ms: 1_000 };
//! let rho = [1; 32]; // Fresh entropy in earnest, as sigma is.
//! let mut verifier = Verifier::new(expectation, rho, 0);
//! let policy = ProverPolicy {
//!     subject,
//!     max_rounds: 1_000,
//!     max_limit_ms: 60_000,
//!     max_operations: 1 << 40,
//!     max_matrix_bytes: 1 << 30,
//! };
//! let mut prover = None;
//! let mut now = 0;
//!
//! let verdict = 'exchange: loop {
//!     now += 10;
//!     while let Some(output) = verifier.poll_output() {
//!         match output {
//!             VerifierOutput::Send(message) => match Message::decode(&message.encode())? {
//!                 Message::Challenge(challenge) => {
//!                     prover = Some(Prover::new(challenge, &policy, now)?);
//!                 }
//!                 Message::Draw(draw) => {
//!                     let prover = prover.as_mut().expect("the challenge came first");
//!                     prover.handle_input(ProverInput::Draw(draw), now)?;
//!                 }
//!                 _ => unreachable!("a verifier sends nothing else"),
//!             },
//!             VerifierOutput::Verdict(verdict) => break 'exchange verdict,
//!         }
//!     }
//!     let prover = prover.as_mut().expect("the challenge is the first output");
//!     match prover.poll_output() {
//!         Some(ProverOutput::Compute(round)) => {
//!             let leaves = Product::compute(&round.operands, round.shape).leaves();
//!             prover.handle_input(ProverInput::Computed { round: round.round, leaves }, now)?;
//!         }
//!         Some(ProverOutput::Recompute { round, tiles }) => {
//!             let product = Product::compute(&round.operands, round.shape);
//!             let tiles = tiles.iter().filter_map(|tile| product.tile(*tile)).collect();
//!             let leaves = product.leaves();
//!             let input = ProverInput::Recomputed { round: round.round, leaves, tiles };
//!             prover.handle_input(input, now)?;
//!         }
//!         Some(ProverOutput::Send(message)) => match Message::decode(&message.encode())? {
//!             Message::Roots(roots) => {
//!                 let sigma = [2; 32];
//!                 verifier.handle_input(VerifierInput::Roots { roots, sigma }, now)?;
//!             }
//!             Message::Openings(openings) => {
//!                 verifier.handle_input(VerifierInput::Openings(openings), now)?;
//!             }
//!             _ => unreachable!("a prover sends nothing else"),
//!         },
//!         Some(ProverOutput::Ended(_)) | None => {}
//!     }
//! };
//! assert!(verdict?.mflops >= 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! A benchmark that trusts its own device checks single entries of one product instead: see [`Sample`].
//!
//! This crate is pure: it never performs I/O, never reads a clock, never draws entropy and knows
//! no GPU interface.

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
