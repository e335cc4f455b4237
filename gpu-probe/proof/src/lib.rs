//! A matrix product that a stranger can check without a GPU: the operands, the sampled entries and
//! the CPU verifier of mode F, for the benchmark here and for any other project.
//!
//! # Mode F
//! `C = A * B` in fp32. Every element of `A` and `B` is an integer in [-4095, 4095] that comes from a
//! counter-based generator, so prover and verifier make any element on its own and nothing is sent.
//! Each product fits 24 bits, so it is exact, and a fused multiply-add gives the same bits as a
//! multiplication and an addition. The sums are *not* exact: past 2^24 every addition rounds, so the
//! bits of an entry depend on the order of its additions. Mode F demands one order: one accumulator an
//! entry, `k` from zero upwards. Half precision, 8-bit units, split sums and fast algorithms round
//! elsewhere and give other bits.
//!
//! ```text
//! seed ──► Operands ──► device computes C ─────────────► entries at the drawn positions
//!             │                                                      │
//!             └──► Challenge (positions drawn after C exists) ──► check: recompute each entry in fp32
//! ```
//!
//! # Use
//! ```
//! use throughput_proof::{Challenge, Entry, Operands, Seed, Shape};
//!
//! let operands = Operands::new(&Seed::derive(b"a nonce that the verifier chose"));
//! let shape = Shape::new(64, 64, 256).expect("sides and depth are in range");
//! // The device multiplies here; then, and only then, the verifier draws positions.
//! let challenge = Challenge::draw(operands, shape, &Seed::derive(b"drawn afterwards"), 64);
//! let entries: Vec<Entry> = challenge
//!     .positions()
//!     .iter()
//!     .map(|at| Entry { at: *at, bits: operands.entry(shape, *at).to_bits() })
//!     .collect();
//! assert!(challenge.check(&entries).is_ok());
//! ```
//!
//! This crate is pure: it never performs I/O, never reads a clock, never draws entropy and knows
//! no GPU interface.

mod challenge;
mod operands;
mod philox;

pub use challenge::{Challenge, Entry, Mismatch, Position};
pub use operands::{Matrix, OPERAND_LIMIT, Operands, Seed, Shape, ShapeError};
pub use philox::philox4x32;
