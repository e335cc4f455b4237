//! Owns the verifier's side of an exchange: when what is asked for, how long it may take, and the verdict.
//!
//! Never draws sigma before all roots are here, never takes a time or a place from the prover, and never subtracts
//! anything from the time between the challenge and the roots.

mod judge;

use std::collections::{BTreeSet, VecDeque};

use crate::chain::{Root, Subject};
use crate::draw::{Place, places};
use crate::message::{Challenge, Draw, MAX_LIMIT_MS, Message, Openings, Roots};
use crate::sample::Position;
use crate::workload::Workload;

/// What the network may take for the openings, in milliseconds, unless the caller knows better: about 350 KB.
///
/// It costs no security: the roots bind the prover before the draw, and the score ends at the roots.
pub const DEFAULT_TRANSFER_MS: u64 = 10_000;

/// A proved rate is accepted from so many hundredths of the reported one.
const ACCEPTED_PERCENT: u128 = 95;

/// What a verifier wants to see proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expectation {
    /// Whose device.
    pub subject: Subject,
    /// What it computes; see [`Workload::for_rate`].
    pub workload: Workload,
    /// The rate that the prover claims for whole rounds, in MFLOP/s.
    pub reported_mflops: u64,
    /// What the network may take for the openings; see [`DEFAULT_TRANSFER_MS`].
    pub transfer_ms: u64,
}

/// What happens to a verifier.
///
/// Messages come from a channel that the key in [`Subject`] authenticates: they are not signed themselves. The time handed
/// in with one is that at which its last byte was here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifierInput {
    /// The roots came in. `sigma` is 32 bytes of entropy that nobody saw before.
    Roots {
        /// What the prover sent.
        roots: Roots,
        /// Fresh entropy, drawn by the caller at this moment.
        sigma: [u8; 32],
    },
    /// The openings came in. Checking them takes tens of milliseconds at a depth of 4,096, in proportion to the depth.
    Openings(Openings),
}

/// What a verifier wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifierOutput {
    /// Send this to the prover, at once.
    Send(Message),
    /// The exchange is over.
    Verdict(Result<Proved, Rejection>),
}

/// What was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proved {
    /// Whose device.
    pub subject: Subject,
    /// What it computed.
    pub workload: Workload,
    /// Operations of all rounds over the time from the challenge to the roots, in MFLOP/s, rounded down; never more than
    /// was reported, because the run was made long enough for that rate alone.
    pub mflops: u64,
}

/// Why nothing was proved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The roots did not come in time.
    #[error("the roots did not come within {limit_ms} ms")]
    LateRoots {
        /// The time given from the challenge on.
        limit_ms: u64,
    },
    /// The verifier's own clock went back, so nothing can be said of the time.
    #[error("the verifier's clock went back during the exchange")]
    BackwardClock,
    /// There is not one root for each round.
    #[error("{actual} roots came for {expected} rounds")]
    RootCount {
        /// Rounds asked for.
        expected: u32,
        /// Roots received.
        actual: usize,
    },
    /// All rounds were claimed to be done, at too low a rate.
    #[error("{claimed_mflops} MFLOP/s is less than 95 % of the {reported_mflops} MFLOP/s reported")]
    TooSlow {
        /// The rate by the verifier's clock; unchecked, so not proved.
        claimed_mflops: u64,
        /// The rate reported before.
        reported_mflops: u64,
    },
    /// The openings did not come in time.
    #[error("the openings did not come within {limit_ms} ms")]
    LateOpenings {
        /// The time given from the draw on.
        limit_ms: u64,
    },
    /// Another number of tiles than was drawn.
    #[error("{actual} tiles were opened where {expected} were drawn")]
    OpeningCount {
        /// Tiles drawn.
        expected: usize,
        /// Tiles opened.
        actual: usize,
    },
    /// A tile that was not drawn at this place of the list.
    #[error("opening {index} is {actual:?}, not {expected:?}, which was drawn")]
    WrongPlace {
        /// Place in the list.
        index: usize,
        /// The tile drawn.
        expected: Place,
        /// The tile opened.
        actual: Place,
    },
    /// A tile that its round's root does not commit to.
    #[error("the root of its round does not commit to the tile at {place:?}")]
    NotCommitted {
        /// Which tile.
        place: Place,
    },
    /// A tile with an entry that has other bits than the mode asks for.
    #[error(
        "the entry {at:?} of {place:?} is {actual_bits:#010x} instead of {expected_bits:#010x}"
    )]
    WrongEntry {
        /// Which tile.
        place: Place,
        /// Where in the product.
        at: Position,
        /// Its bits by the verifier's sum.
        expected_bits: u32,
        /// Its bits as opened.
        actual_bits: u32,
    },
}

impl Rejection {
    /// Tells whether sigma was drawn before: the prover may have known that it was caught, and silence then is an answer.
    ///
    /// Each of these counts as an attempt. Who lets a subject try again at once, and often, lets it draw until it wins.
    pub const fn is_after_draw(&self) -> bool {
        match self {
            Self::LateOpenings { .. }
            | Self::OpeningCount { .. }
            | Self::WrongPlace { .. }
            | Self::NotCommitted { .. }
            | Self::WrongEntry { .. } => true,
            Self::LateRoots { .. }
            | Self::BackwardClock
            | Self::RootCount { .. }
            | Self::TooSlow { .. } => false,
        }
    }
}

/// An input that came when it was not its turn; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this input is not what the exchange waits for")]
pub struct OutOfTurn;

/// Where an exchange stands.
#[derive(Debug)]
enum Phase {
    AwaitingRoots {
        deadline_ms: u64,
    },
    AwaitingOpenings {
        roots: Vec<Root>,
        sigma: [u8; 32],
        places: Vec<Place>,
        mflops: u64,
        drawn_ms: u64,
        deadline_ms: u64,
    },
    Over,
}

/// One exchange on the verifier's side. Times are milliseconds of a clock of the caller's that never goes back.
#[derive(Debug)]
pub struct Verifier {
    expectation: Expectation,
    challenge: Challenge,
    started_ms: u64,
    phase: Phase,
    outputs: VecDeque<VerifierOutput>,
}

impl Verifier {
    /// Starts an exchange: the challenge is the first output, and the time counts from `now`. `rho` is 32 bytes of
    /// entropy that nobody saw before.
    ///
    /// The roots may take twice the time that they should by the reported rate, at least a second and at most
    /// [`MAX_LIMIT_MS`].
    pub fn new(expectation: Expectation, rho: [u8; 32], now: u64) -> Self {
        let honest_ms = expectation
            .workload
            .duration_ms(expectation.reported_mflops);
        let limit_ms = honest_ms
            .saturating_mul(2)
            .clamp(1_000, MAX_LIMIT_MS.into()) as u32;
        let challenge = Challenge {
            rho,
            subject: expectation.subject,
            workload: expectation.workload,
            limit_ms,
        };
        let send = VerifierOutput::Send(Message::Challenge(challenge.clone()));
        Self {
            expectation,
            challenge,
            started_ms: now,
            phase: Phase::AwaitingRoots {
                deadline_ms: now.saturating_add(limit_ms.into()),
            },
            outputs: VecDeque::from([send]),
        }
    }

    /// Takes one input. One that is wrong ends the exchange with a verdict. One that is out of turn changes nothing; it
    /// is out of turn too where it came so late that the exchange ended.
    pub fn handle_input(&mut self, input: VerifierInput, now: u64) -> Result<(), OutOfTurn> {
        self.handle_timeout(now);
        match (std::mem::replace(&mut self.phase, Phase::Over), input) {
            (Phase::AwaitingRoots { .. }, VerifierInput::Roots { roots, sigma }) => {
                self.take_roots(roots.roots, sigma, now);
                Ok(())
            }
            (
                Phase::AwaitingOpenings {
                    roots,
                    sigma,
                    places,
                    mflops,
                    ..
                },
                VerifierInput::Openings(openings),
            ) => {
                let committed = judge::Committed {
                    challenge: &self.challenge,
                    roots: &roots,
                    sigma: &sigma,
                    places: &places,
                };
                let proved = Proved {
                    subject: self.challenge.subject,
                    workload: self.challenge.workload,
                    mflops,
                };
                let verdict = committed.judge(&openings.openings).map(|()| proved);
                self.end(verdict);
                Ok(())
            }
            (phase, _) => {
                self.phase = phase;
                Err(OutOfTurn)
            }
        }
    }

    /// Ends the exchange if what it waits for is late.
    pub fn handle_timeout(&mut self, now: u64) {
        match self.phase {
            Phase::AwaitingRoots { deadline_ms } if now >= deadline_ms => {
                let limit_ms = deadline_ms - self.started_ms;
                self.end(Err(Rejection::LateRoots { limit_ms }));
            }
            Phase::AwaitingOpenings {
                deadline_ms,
                drawn_ms,
                ..
            } if now >= deadline_ms => {
                let limit_ms = deadline_ms - drawn_ms;
                self.end(Err(Rejection::LateOpenings { limit_ms }));
            }
            _ => {}
        }
    }

    /// Returns the next thing for the caller to do.
    pub fn poll_output(&mut self) -> Option<VerifierOutput> {
        self.outputs.pop_front()
    }

    /// Returns when `handle_timeout` is wanted next.
    pub fn poll_timeout(&self) -> Option<u64> {
        match self.phase {
            Phase::AwaitingRoots { deadline_ms } | Phase::AwaitingOpenings { deadline_ms, .. } => {
                Some(deadline_ms)
            }
            Phase::Over => None,
        }
    }

    fn take_roots(&mut self, roots: Vec<Root>, sigma: [u8; 32], now: u64) {
        let Expectation {
            workload,
            reported_mflops,
            transfer_ms,
            ..
        } = self.expectation;
        let rounds = workload.rounds();
        if roots.len() != rounds as usize {
            let (expected, actual) = (rounds, roots.len());
            return self.end(Err(Rejection::RootCount { expected, actual }));
        }
        let Some(elapsed_ms) = now.checked_sub(self.started_ms) else {
            return self.end(Err(Rejection::BackwardClock));
        };
        let mflops = workload.rate_mflops(elapsed_ms);
        if u128::from(mflops) * 100 < u128::from(reported_mflops) * ACCEPTED_PERCENT {
            return self.end(Err(Rejection::TooSlow {
                claimed_mflops: mflops,
                reported_mflops,
            }));
        }
        let places = places(&sigma, workload);
        let opened: BTreeSet<u32> = places.iter().map(|place| place.round).collect();
        // Each round drawn is computed once more, and may take twice as long as it did.
        let again_ms = (2 * elapsed_ms * opened.len() as u64).div_ceil(rounds.into());
        let limit_ms = again_ms.saturating_add(transfer_ms).max(1);
        self.outputs
            .push_back(VerifierOutput::Send(Message::Draw(Draw { sigma })));
        self.phase = Phase::AwaitingOpenings {
            roots,
            sigma,
            places,
            mflops: mflops.min(reported_mflops),
            drawn_ms: now,
            deadline_ms: now.saturating_add(limit_ms),
        };
    }

    fn end(&mut self, verdict: Result<Proved, Rejection>) {
        self.phase = Phase::Over;
        self.outputs.push_back(VerifierOutput::Verdict(verdict));
    }
}
