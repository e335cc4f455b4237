//! Owns the prover's side of an exchange: which round its device runs next, and which tiles it shows.
//!
//! Never runs a challenge that is meant for another device or is more work than its owner allows, and never shows a
//! tile that is not under the root it sent.

use std::collections::VecDeque;

use crate::chain::{Root, Subject, round_operands};
use crate::draw::{Place, places};
use crate::message::{Challenge, Draw, Message, Opening, Openings, Roots};
use crate::operands::Operands;
use crate::shape::Shape;
use crate::tile::{Leaf, Tile};
use crate::tree;

/// How long a prover waits for the draw after it sent the roots, in milliseconds.
pub const DRAW_WAIT_MS: u64 = 30_000;

/// What a prover answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProverPolicy {
    /// Whose device this is; a challenge for another one is refused.
    pub subject: Subject,
    /// The most rounds: each is a submission of its own, however small.
    pub max_rounds: u32,
    /// The most time that a challenge may give, in milliseconds; the device is held for up to three times as long.
    pub max_limit_ms: u32,
    /// The most operations of all rounds together.
    pub max_operations: u64,
    /// The most bytes of both operands and the product together, four an element.
    pub max_matrix_bytes: u64,
}

/// What happens to a prover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProverInput {
    /// The device finished [`ProverOutput::Compute`].
    Computed {
        /// Which round.
        round: u32,
        /// The leaves of all tiles in order.
        leaves: Vec<Leaf>,
    },
    /// The draw came in.
    Draw(Draw),
    /// The device finished [`ProverOutput::Recompute`].
    Recomputed {
        /// Which round.
        round: u32,
        /// The leaves of all tiles in order, once more: a prover does not keep those of every round.
        leaves: Vec<Leaf>,
        /// The tiles asked for, in the order in which they were.
        tiles: Vec<Tile>,
    },
}

/// A product that a device has to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// Counted from zero.
    pub round: u32,
    /// Makes both operands, in the challenge's mode.
    pub operands: Operands,
    /// The lengths.
    pub shape: Shape,
}

/// What a prover wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProverOutput {
    /// Compute this product and answer with the leaves of its tiles.
    Compute(Round),
    /// Compute this product once more and answer with all leaves and with these tiles.
    Recompute {
        /// Which product.
        round: Round,
        /// The tiles wanted, in ascending order.
        tiles: Vec<u32>,
    },
    /// Send this to the verifier, at once.
    Send(Message),
    /// The exchange is over: everything was sent, or why it was not.
    Ended(Result<(), Failure>),
}

/// Why a challenge is not taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is meant for another key or another GPU.
    #[error("the challenge is meant for {actual:?}")]
    Subject {
        /// Whom it is meant for.
        actual: Subject,
    },
    /// It asks for more work than the owner allows.
    #[error("the challenge asks for {actual} operations, the limit is {max}")]
    TooMuchWork {
        /// Operations asked for.
        actual: u64,
        /// Operations allowed.
        max: u64,
    },
    /// Its matrices take more memory than the owner allows.
    #[error("the challenge's matrices take {actual} bytes, the limit is {max}")]
    TooLarge {
        /// Bytes that they take.
        actual: u64,
        /// Bytes allowed.
        max: u64,
    },
    /// It has more rounds than the policy allows.
    #[error("the challenge has {actual} rounds, the limit is {max}")]
    TooManyRounds {
        /// Rounds asked for.
        actual: u32,
        /// Rounds allowed.
        max: u32,
    },
    /// It would hold the device for longer than the policy allows.
    #[error("the challenge gives {actual_ms} ms, the limit is {max_ms} ms")]
    TooLong {
        /// The time that it gives.
        actual_ms: u32,
        /// The time allowed.
        max_ms: u32,
    },
}

/// Why an exchange ended before everything was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The device did not finish in the time that the challenge gives, or the verifier fell silent.
    #[error("the exchange did not end in time")]
    Late,
    /// The device gave another result the second time: it is unstable, for example clocked too high.
    #[error("the device computed round {round} twice with different results")]
    Unstable {
        /// Which round.
        round: u32,
    },
}

/// An input that is not what the prover waits for; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unexpected {
    /// It came when it was not its turn, or is of another round.
    #[error("this input is not what the exchange waits for")]
    OutOfTurn,
    /// The device did not answer with a leaf for each tile and with each tile asked for.
    #[error("the device answered with {leaves} leaves and {tiles} tiles, not what was asked for")]
    WrongCount {
        /// Leaves that it gave.
        leaves: usize,
        /// Tiles that it gave.
        tiles: usize,
    },
}

/// Where an exchange stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Computing,
    AwaitingDraw,
    Opening,
    Over,
}

/// One exchange on the prover's side. Times are milliseconds of a clock of the caller's that never goes back.
#[derive(Debug)]
pub struct Prover {
    challenge: Challenge,
    phase: Phase,
    deadline_ms: u64,
    /// One for each round done.
    roots: Vec<Root>,
    /// Places drawn whose tiles are not here yet.
    pending: VecDeque<Place>,
    openings: Vec<Opening>,
    outputs: VecDeque<ProverOutput>,
}

impl Prover {
    /// Takes up a challenge; its first round is the first output.
    pub fn new(challenge: Challenge, policy: &ProverPolicy, now: u64) -> Result<Self, Refusal> {
        let actual = challenge.subject;
        if actual != policy.subject {
            return Err(Refusal::Subject { actual });
        }
        let (actual, max) = (challenge.workload.rounds(), policy.max_rounds);
        if actual > max {
            return Err(Refusal::TooManyRounds { actual, max });
        }
        let (actual_ms, max_ms) = (challenge.limit_ms, policy.max_limit_ms);
        if actual_ms > max_ms {
            return Err(Refusal::TooLong { actual_ms, max_ms });
        }
        let (actual, max) = (challenge.workload.operations(), policy.max_operations);
        if actual > max {
            return Err(Refusal::TooMuchWork { actual, max });
        }
        let (actual, max) = (
            matrix_bytes(challenge.workload.shape()),
            policy.max_matrix_bytes,
        );
        if actual > max {
            return Err(Refusal::TooLarge { actual, max });
        }
        let deadline_ms = now.saturating_add(challenge.limit_ms.into());
        let mut prover = Self {
            challenge,
            phase: Phase::Computing,
            deadline_ms,
            roots: Vec::new(),
            pending: VecDeque::new(),
            openings: Vec::new(),
            outputs: VecDeque::new(),
        };
        let first = prover.round(0);
        prover.outputs.push_back(ProverOutput::Compute(first));
        Ok(prover)
    }

    /// Takes one input. One that is unexpected changes nothing; one that comes too late ends the exchange, as
    /// [`Self::handle_timeout`] does, and the outputs say so.
    pub fn handle_input(&mut self, input: ProverInput, now: u64) -> Result<(), Unexpected> {
        let was_over = self.phase == Phase::Over;
        self.handle_timeout(now);
        if self.phase == Phase::Over && !was_over {
            return Ok(());
        }
        match (self.phase, input) {
            (Phase::Computing, ProverInput::Computed { round, leaves }) => {
                self.computed(round, &leaves, now)
            }
            (Phase::AwaitingDraw, ProverInput::Draw(draw)) => {
                self.pending = places(&draw.sigma, self.challenge.workload).into();
                self.phase = Phase::Opening;
                // Whatever is recomputed took less time than the limit before.
                let limit_ms = u64::from(self.challenge.limit_ms).saturating_mul(2);
                self.deadline_ms = now.saturating_add(limit_ms);
                self.open_next();
                Ok(())
            }
            (
                Phase::Opening,
                ProverInput::Recomputed {
                    round,
                    leaves,
                    tiles,
                },
            ) => self.recomputed(round, &leaves, tiles),
            _ => Err(Unexpected::OutOfTurn),
        }
    }

    /// Ends the exchange if it takes too long.
    pub fn handle_timeout(&mut self, now: u64) {
        if self.phase != Phase::Over && now >= self.deadline_ms {
            self.end(Err(Failure::Late));
        }
    }

    /// Returns the next thing for the caller to do.
    pub fn poll_output(&mut self) -> Option<ProverOutput> {
        self.outputs.pop_front()
    }

    /// Returns when `handle_timeout` is wanted next.
    pub fn poll_timeout(&self) -> Option<u64> {
        (self.phase != Phase::Over).then_some(self.deadline_ms)
    }

    fn computed(&mut self, round: u32, leaves: &[Leaf], now: u64) -> Result<(), Unexpected> {
        if round as usize != self.roots.len() {
            return Err(Unexpected::OutOfTurn);
        }
        let root = self.root(round, leaves, 0)?;
        self.roots.push(root);
        if self.roots.len() < self.challenge.workload.rounds() as usize {
            let next = self.round(round + 1);
            self.outputs.push_back(ProverOutput::Compute(next));
            return Ok(());
        }
        let roots = self.roots.clone();
        self.phase = Phase::AwaitingDraw;
        self.deadline_ms = now.saturating_add(DRAW_WAIT_MS);
        let message = Message::Roots(Roots { roots });
        self.outputs.push_back(ProverOutput::Send(message));
        Ok(())
    }

    fn recomputed(
        &mut self,
        round: u32,
        leaves: &[Leaf],
        tiles: Vec<Tile>,
    ) -> Result<(), Unexpected> {
        let wanted = self.next_places();
        if wanted.first().is_none_or(|first| first.round != round) {
            return Err(Unexpected::OutOfTurn);
        }
        let root = self.root(round, leaves, tiles.len())?;
        if tiles.len() != wanted.len() {
            return Err(wrong_count(leaves, tiles.len()));
        }
        let agrees = wanted
            .iter()
            .zip(&tiles)
            .all(|(place, tile)| tile.leaf() == leaves[place.tile as usize]);
        if root != self.roots[round as usize] || !agrees {
            self.end(Err(Failure::Unstable { round }));
            return Ok(());
        }
        for (place, tile) in wanted.into_iter().zip(tiles) {
            let path = tree::path(leaves, place.tile as usize).expect("every tile has a leaf");
            self.openings.push(Opening { place, tile, path });
            self.pending.pop_front();
        }
        self.open_next();
        Ok(())
    }

    /// Asks for the tiles of the next round drawn, or sends all openings.
    fn open_next(&mut self) {
        let wanted = self.next_places();
        if let Some(first) = wanted.first() {
            let round = self.round(first.round);
            let tiles = wanted.iter().map(|place| place.tile).collect();
            self.outputs
                .push_back(ProverOutput::Recompute { round, tiles });
            return;
        }
        let openings = std::mem::take(&mut self.openings);
        let message = Message::Openings(Openings { openings });
        self.outputs.push_back(ProverOutput::Send(message));
        self.end(Ok(()));
    }

    /// Returns the pending places of the first pending round.
    fn next_places(&self) -> Vec<Place> {
        let round = self.pending.front().map(|place| place.round);
        let of_round = |place: &&Place| Some(place.round) == round;
        self.pending.iter().take_while(of_round).copied().collect()
    }

    fn round(&self, round: u32) -> Round {
        Round {
            round,
            operands: round_operands(&self.challenge, (round, &self.roots)),
            shape: self.challenge.workload.shape(),
        }
    }

    fn root(&self, round: u32, leaves: &[Leaf], tiles: usize) -> Result<Root, Unexpected> {
        Root::of(self.challenge.workload, round, leaves).ok_or(wrong_count(leaves, tiles))
    }

    fn end(&mut self, ending: Result<(), Failure>) {
        self.phase = Phase::Over;
        self.outputs.push_back(ProverOutput::Ended(ending));
    }
}

fn wrong_count(leaves: &[Leaf], tiles: usize) -> Unexpected {
    Unexpected::WrongCount {
        leaves: leaves.len(),
        tiles,
    }
}

/// Returns the bytes of both operands and the product of a tiled shape, at most 2^33.
fn matrix_bytes(shape: Shape) -> u64 {
    let (rows, columns, depth) = (shape.rows(), shape.columns(), shape.depth());
    let operands = u64::from(depth) * (u64::from(rows) + u64::from(columns));
    4 * (operands + shape.entries())
}

#[cfg(test)]
mod tests;
