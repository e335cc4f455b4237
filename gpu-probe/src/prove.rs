//! Owns a whole proof of throughput on one machine: both sides of `throughput_proof`, with this machine's device and clock,
//! and what each side costs.
//!
//! Never proves anything to anybody else: who runs both sides can fool himself. It shows that a device can prove, at which
//! rate, and what checking would cost a stranger.

use std::time::{Duration, Instant};

use throughput_proof::{
    DEFAULT_TRANSFER_MS, DecodeError, Expectation, Failure, Message, Mode, Operands, OutOfTurn,
    Proved, Prover, ProverInput, ProverOutput, ProverPolicy, Refusal, Rejection, Round, Shape,
    Subject, Unexpected, Verifier, VerifierInput, VerifierOutput, Workload, conforms,
};

use crate::adapters::Adapter;
use crate::fresh_seed;
use crate::prover::{DeviceProver, ProverError};
use crate::tuning::Tuning;

/// Rounds that are run before a proof, to know the rate of whole rounds; the first of them warms up and does not count.
const TIMED_ROUNDS: u32 = 4;

/// Of the rate timed before, so many hundredths are reported: a proof lasts longer, and clocks fall.
const REPORTED_PERCENT: u64 = 97;

/// The side of the first product that is timed.
const FIRST_SIDE: u32 = 256;

/// What a proof of this machine to itself showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfProof {
    /// What was computed.
    pub workload: Workload,
    /// The rate that was reported before, of whole rounds: operands, product, hashes and root, in MFLOP/s.
    pub reported_mflops: u64,
    /// What was proved, or why not.
    pub verdict: Result<Proved, Rejection>,
    /// How long the prover's side worked, the rounds run once more included.
    pub prover_took: Duration,
    /// How long the verifier's side worked, on one core.
    pub verifier_took: Duration,
    /// The bytes that the prover sends.
    pub sent_bytes: u64,
}

impl SelfProof {
    /// Returns the verifier's cost for the prover's, in 1/1,000,000.
    pub fn cost_ppm(&self) -> u64 {
        let prover = self.prover_took.as_nanos().max(1);
        let ppm = self.verifier_took.as_nanos() * 1_000_000 / prover;
        u64::try_from(ppm).unwrap_or(u64::MAX)
    }
}

/// Why a machine cannot prove anything, even to itself.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The driver reorders sums, so mode F is not offered on it.
    #[error(
        "this driver does not add in order, so a proof in fp32 (mode F) is not offered on it; mode I is"
    )]
    Reorders,
    /// The device failed.
    #[error(transparent)]
    Device(#[from] ProverError),
    /// The prover's side refused the challenge.
    #[error("the challenge was refused: {0}")]
    Refused(#[from] Refusal),
    /// The prover's side gave up.
    #[error("the prover gave up: {0}")]
    GaveUp(Failure),
    /// A side answered out of turn: a bug.
    #[error("a side of the proof was out of turn: {0}")]
    Prover(#[from] Unexpected),
    /// A side answered out of turn: a bug.
    #[error("a side of the proof was out of turn: {0}")]
    Verifier(#[from] OutOfTurn),
    /// A message of one side is none to the other: a bug.
    #[error("a message of the proof does not decode: {0}")]
    Message(#[from] DecodeError),
}

/// Proves the throughput of an adapter to this machine itself. Blocks for about ten seconds, longer where a device is so
/// slow that one round lasts that long.
///
/// # Errors
/// The device failed, or its driver does not offer the mode. A proof that fails is no error: see the verdict.
pub fn prove_self(adapter: &Adapter, tuning: &Tuning, mode: Mode) -> Result<SelfProof, ProveError> {
    let mut device = DeviceProver::open(adapter, tuning)?;
    if mode == Mode::F && !conforms(&device.conformance()?) {
        return Err(ProveError::Reorders);
    }
    let reported_mflops = rate(&mut device, mode)?;
    let workload = Workload::for_rate(mode, reported_mflops, 0);
    device.prepare(mode, workload.shape())?;
    Exchange::new(device, workload, reported_mflops).run()
}

/// Returns the rate of whole rounds at the size that a proof will have, in MFLOP/s.
fn rate(device: &mut DeviceProver, mode: Mode) -> Result<u64, ProveError> {
    let first = Shape::new(FIRST_SIDE, FIRST_SIDE, FIRST_SIDE).expect("these lengths are a shape");
    let guess = rate_of(device, mode, first)?;
    let shape = Workload::for_rate(mode, guess, 0).shape();
    let mflops = rate_of(device, mode, shape)?;
    Ok((mflops * REPORTED_PERCENT / 100).max(1))
}

/// Times rounds of one shape and returns the rate of the fastest after the first, in MFLOP/s.
fn rate_of(device: &mut DeviceProver, mode: Mode, shape: Shape) -> Result<u64, ProveError> {
    device.prepare(mode, shape)?;
    let mut shortest = Duration::MAX;
    for number in 0..TIMED_ROUNDS {
        let round = Round {
            round: number,
            operands: Operands::in_mode(mode, &fresh_seed("rate")),
            shape,
        };
        let begun = Instant::now();
        device.compute(round)?;
        if number > 0 {
            shortest = shortest.min(begun.elapsed());
        }
    }
    let rate = u128::from(shape.operations()) * 1_000 / shortest.as_nanos().max(1);
    Ok(u64::try_from(rate).unwrap_or(u64::MAX))
}

/// Returns the time since `begun`, in milliseconds.
fn millis(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Both sides of one proof. Every message between them goes through its bytes.
struct Exchange {
    device: DeviceProver,
    verifier: Verifier,
    prover: Option<Prover>,
    policy: ProverPolicy,
    begun: Instant,
    workload: Workload,
    reported_mflops: u64,
    prover_took: Duration,
    verifier_took: Duration,
    sent_bytes: u64,
}

impl Exchange {
    fn new(device: DeviceProver, workload: Workload, reported_mflops: u64) -> Self {
        let subject = Subject {
            key: *fresh_seed("key").as_bytes(),
            gpu: 0,
        };
        let expectation = Expectation {
            subject,
            workload,
            reported_mflops,
            transfer_ms: DEFAULT_TRANSFER_MS,
        };
        Self {
            device,
            verifier: Verifier::new(expectation, *fresh_seed("rho").as_bytes(), 0),
            prover: None,
            policy: ProverPolicy {
                subject,
                max_rounds: u32::MAX,
                max_limit_ms: u32::MAX,
                max_operations: u64::MAX,
                max_matrix_bytes: u64::MAX,
            },
            begun: Instant::now(),
            workload,
            reported_mflops,
            prover_took: Duration::ZERO,
            verifier_took: Duration::ZERO,
            sent_bytes: 0,
        }
    }

    fn run(mut self) -> Result<SelfProof, ProveError> {
        loop {
            if let Some(verdict) = self.verify()? {
                return Ok(SelfProof {
                    workload: self.workload,
                    reported_mflops: self.reported_mflops,
                    verdict,
                    prover_took: self.prover_took,
                    verifier_took: self.verifier_took,
                    sent_bytes: self.sent_bytes,
                });
            }
            self.prove()?;
        }
    }

    /// Does what the verifier wants, and returns its verdict where there is one.
    fn verify(&mut self) -> Result<Option<Result<Proved, Rejection>>, ProveError> {
        let now_ms = millis(self.begun);
        self.verifier.handle_timeout(now_ms);
        while let Some(output) = self.verifier.poll_output() {
            let message = match output {
                VerifierOutput::Verdict(verdict) => return Ok(Some(verdict)),
                VerifierOutput::Send(message) => Message::decode(&message.encode())?,
            };
            match (message, &mut self.prover) {
                (Message::Challenge(challenge), _) => {
                    self.prover = Some(Prover::new(challenge, &self.policy, now_ms)?);
                }
                (Message::Draw(draw), Some(prover)) => {
                    prover.handle_input(ProverInput::Draw(draw), now_ms)?;
                }
                (Message::Draw(_) | Message::Roots(_) | Message::Openings(_), _) => {
                    return Err(OutOfTurn.into());
                }
            }
        }
        Ok(None)
    }

    /// Does one thing that the prover wants.
    fn prove(&mut self) -> Result<(), ProveError> {
        let Some(prover) = &mut self.prover else {
            return Ok(());
        };
        let begun = Instant::now();
        prover.handle_timeout(millis(self.begun));
        let message = match prover.poll_output() {
            None => return Ok(()),
            // The verifier's clock has run out as well, and its verdict says where.
            Some(ProverOutput::Ended(Err(Failure::Late))) => None,
            Some(ProverOutput::Ended(Err(failure))) => return Err(ProveError::GaveUp(failure)),
            Some(ProverOutput::Ended(Ok(()))) => None,
            Some(ProverOutput::Compute(round)) => {
                let leaves = self.device.compute(round)?;
                let round = round.round;
                let done = ProverInput::Computed { round, leaves };
                // The device took its time.
                prover.handle_input(done, millis(self.begun))?;
                None
            }
            Some(ProverOutput::Recompute { round, tiles }) => {
                let (leaves, tiles) = self.device.open_tiles(round, &tiles)?;
                let round = round.round;
                let done = ProverInput::Recomputed {
                    round,
                    leaves,
                    tiles,
                };
                prover.handle_input(done, millis(self.begun))?;
                None
            }
            Some(ProverOutput::Send(message)) => Some(message.encode()),
        };
        self.prover_took += begun.elapsed();
        match message {
            Some(bytes) => self.answer(&bytes),
            None => Ok(()),
        }
    }

    /// Hands the prover's message to the verifier.
    fn answer(&mut self, bytes: &[u8]) -> Result<(), ProveError> {
        self.sent_bytes += bytes.len() as u64;
        let now_ms = millis(self.begun);
        let begun = Instant::now();
        let input = match Message::decode(bytes)? {
            Message::Roots(roots) => VerifierInput::Roots {
                roots,
                sigma: *fresh_seed("sigma").as_bytes(),
            },
            Message::Openings(openings) => VerifierInput::Openings(openings),
            Message::Challenge(_) | Message::Draw(_) => return Err(OutOfTurn.into()),
        };
        self.verifier.handle_input(input, now_ms)?;
        self.verifier_took += begun.elapsed();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
