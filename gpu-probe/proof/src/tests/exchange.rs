//! Owns both ends of an exchange on one virtual clock: a verifier, and the work of a prover that may do as it likes.

use crate::chain::{Root, Subject, round_seed};
use crate::draw::{Place, places};
use crate::message::{Challenge, Draw, Message, Opening, Openings, Roots};
use crate::mode::Mode;
use crate::operands::Operands;
use crate::shape::Shape;
use crate::tile::{Leaf, Product, Tile};
use crate::tree;
use crate::verifier::{Expectation, Proved, Rejection, Verifier, VerifierInput, VerifierOutput};
use crate::workload::Workload;

pub(super) const SUBJECT: Subject = Subject {
    key: [7; 32],
    gpu: 2,
};
pub(super) const SIGMA: [u8; 32] = [0x51; 32];

/// When the challenge leaves, and when the roots and openings of a prover of the reported rate arrive.
pub(super) const STARTED_MS: u64 = 1_000;
pub(super) const ROOTS_MS: u64 = 5_000;
pub(super) const OPENINGS_MS: u64 = 5_500;

pub(super) fn workload(mode: Mode, lengths: [u32; 3], rounds: u32) -> Workload {
    let [rows, columns, depth] = lengths;
    Workload::new(mode, Shape::new(rows, columns, depth).unwrap(), rounds).unwrap()
}

/// Thirty rounds of six tiles, so that not every tile is opened.
pub(super) fn usual() -> Workload {
    workload(Mode::F, [64, 96, 256], 30)
}

/// What is expected of a device that takes exactly until `ROOTS_MS`.
pub(super) fn expectation(workload: Workload) -> Expectation {
    Expectation {
        subject: SUBJECT,
        workload,
        reported_mflops: workload.rate_mflops(ROOTS_MS - STARTED_MS),
        transfer_ms: 100,
    }
}

/// A verifier that has sent its challenge.
pub(super) struct Exchange {
    pub(super) verifier: Verifier,
    pub(super) challenge: Challenge,
}

impl Exchange {
    pub(super) fn start(workload: Workload, rho: u8) -> Self {
        let mut verifier = Verifier::new(expectation(workload), [rho; 32], STARTED_MS);
        let Some(VerifierOutput::Send(Message::Challenge(challenge))) = verifier.poll_output()
        else {
            unreachable!("the challenge is the first output");
        };
        Self {
            verifier,
            challenge,
        }
    }

    /// Hands in roots; returns the draw or the verdict.
    pub(super) fn roots(
        &mut self,
        roots: Vec<Root>,
        now: u64,
    ) -> Result<Draw, Result<Proved, Rejection>> {
        let input = VerifierInput::Roots {
            roots: Roots { roots },
            sigma: SIGMA,
        };
        // Out of turn where it came too late: the verdict tells.
        let _ = self.verifier.handle_input(input, now);
        match self.verifier.poll_output() {
            Some(VerifierOutput::Send(Message::Draw(draw))) => Ok(draw),
            Some(VerifierOutput::Verdict(verdict)) => Err(verdict),
            other => unreachable!("roots were answered with {other:?}"),
        }
    }

    /// Hands in openings; returns the verdict.
    pub(super) fn openings(
        &mut self,
        openings: Vec<Opening>,
        now: u64,
    ) -> Result<Proved, Rejection> {
        let input = VerifierInput::Openings(Openings { openings });
        let _ = self.verifier.handle_input(input, now);
        match self.verifier.poll_output() {
            Some(VerifierOutput::Verdict(verdict)) => verdict,
            other => unreachable!("openings were answered with {other:?}"),
        }
    }

    /// Hands in work, its openings changed by `change`, in the time of the reported rate.
    pub(super) fn finish_with(
        mut self,
        work: &Work,
        change: impl FnOnce(&mut Vec<Opening>),
    ) -> Result<Proved, Rejection> {
        let draw = match self.roots(work.roots.clone(), ROOTS_MS) {
            Ok(draw) => draw,
            Err(verdict) => return verdict,
        };
        let drawn = places(&draw.sigma, self.challenge.workload);
        let mut openings: Vec<Opening> = drawn.into_iter().map(|at| work.open(at)).collect();
        change(&mut openings);
        self.openings(openings, OPENINGS_MS)
    }

    pub(super) fn finish(self, work: &Work) -> Result<Proved, Rejection> {
        self.finish_with(work, |_| {})
    }
}

/// All rounds as a prover left them: tiles, their leaves, and the roots over these.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) rounds: Vec<Computed>,
    pub(super) roots: Vec<Root>,
}

/// One round; a cheat may hold leaves that are not those of its tiles.
#[derive(Clone)]
pub(super) struct Computed {
    pub(super) tiles: Vec<Tile>,
    pub(super) leaves: Vec<Leaf>,
}

impl Computed {
    pub(super) fn of(product: &Product) -> Self {
        let tiles: Vec<Tile> = (0..).map_while(|tile| product.tile(tile)).collect();
        let leaves = tiles.iter().map(Tile::leaf).collect();
        Self { tiles, leaves }
    }
}

impl Work {
    /// Runs all rounds in a chain, each product made by `multiply`.
    pub(super) fn chained(
        challenge: &Challenge,
        mut multiply: impl FnMut(u32, &Operands, Shape) -> Computed,
    ) -> Self {
        let workload = challenge.workload;
        let mut rounds = Vec::new();
        let mut roots: Vec<Root> = Vec::new();
        for round in 0..workload.rounds() {
            let seed = round_seed(&challenge.rho, &challenge.subject, round, roots.last());
            let operands = Operands::in_mode(workload.mode(), &seed);
            let computed = multiply(round, &operands, workload.shape());
            roots.push(Root::of(workload, round, &computed.leaves).unwrap());
            rounds.push(computed);
        }
        Self { rounds, roots }
    }

    pub(super) fn honest(challenge: &Challenge) -> Self {
        Self::chained(challenge, |_, operands, shape| {
            Computed::of(&Product::compute(operands, shape))
        })
    }

    pub(super) fn open(&self, place: Place) -> Opening {
        let Computed { tiles, leaves } = &self.rounds[place.round as usize];
        Opening {
            place,
            tile: tiles[place.tile as usize].clone(),
            path: tree::path(leaves, place.tile as usize).unwrap(),
        }
    }
}
