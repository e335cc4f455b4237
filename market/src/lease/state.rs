//! Owns a lease's state, its meter, and the dispatch of inputs to the role's rules.
//!
//! Never forks by role: both sides keep the same fields; `payee.rs` and `payer.rs` hold the leaves.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::input::{Gone, Input, Rejected};
use super::output::Output;
use super::timing::Timing;
use crate::agreement::{Meter, Terms};
use crate::amount::Amount;
use crate::ids::{BlobHash, ChainId};
use crate::keys::SecretKey;
use crate::receipt::{Outcome, SignedReceipt};
use crate::time::Timestamp;
use crate::voucher::Voucher;
use crate::wire::Signed;

/// The most outputs that one lease delivers.
pub const MAX_ARTEFACTS: u32 = 256;

/// Which side of the agreement this machine is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Buys: signs vouchers, receives outputs.
    Payer,
    /// Sells: runs the worker, receives vouchers.
    Payee,
}

/// Where a lease stands. Both sides know it; the payee leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The opening is not yet final; the meter stands.
    Opening,
    /// Inputs come in; the meter runs at the hold rate.
    Preparing,
    /// The worker runs; full rate.
    Running,
    /// The worker is frozen for want of a voucher or of the other side; hold rate.
    Paused,
    /// The work is done and outputs go out; full rate.
    Delivering,
    /// The final sum is fixed and the close is on its way; the meter stands.
    Closing,
    /// Over.
    Ended,
}

/// An output of the job, content addressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    /// Counts from 0 in the order in which outputs were made.
    pub index: u32,
    /// A relative path that cannot leave the output folder, as [`crate::job::ArtifactName`] has it.
    pub name: String,
    /// BLAKE3 of the content.
    pub hash: BlobHash,
    /// Length in bytes.
    pub bytes: u64,
}

/// How a lease ended for this side.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// How the job ended, as far as this side knows.
    pub outcome: Outcome,
    /// What the channel paid in all.
    pub paid: Amount,
    /// The receipt with both seals, unless the other side never signed.
    pub receipt: Option<Box<SignedReceipt>>,
}

/// What a lease that stands still waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// A fresh proof of the ledger that the channel is open.
    Proof,
    /// The other side, which is silent or cannot be reached.
    OtherSide,
    /// The next voucher.
    Voucher,
}

/// Whether the other side can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Up,
    Lost,
}

/// The machine of one agreement on one side.
#[derive(Debug)]
pub struct Lease {
    pub(super) role: Role,
    pub(super) terms: Terms,
    pub(super) chain: ChainId,
    pub(super) key: SecretKey,
    pub(super) timing: Timing,

    pub(super) phase: Phase,
    pub(super) meter: Meter,
    /// When the meter was last brought up to date.
    pub(super) metered_at: Timestamp,
    pub(super) opened_at: Timestamp,
    /// What was promised: the first tick at the opening, then the newest voucher.
    pub(super) promised: Amount,
    pub(super) voucher: Option<Signed<Voucher>>,
    pub(super) sequence: u64,
    /// The meter at the last delivered output, from which D ticks count.
    pub(super) delivered_meter: Meter,
    pub(super) artefacts: Vec<Artefact>,
    pub(super) delivered: BTreeSet<u32>,
    pub(super) outcome: Option<Outcome>,
    pub(super) receipt: Option<Box<SignedReceipt>>,

    /// Payee: both must hold before the first work.
    pub(super) inputs_ready: bool,
    pub(super) proved_at: Option<Timestamp>,
    /// Payee: when the newest proof came in, and when one was last asked for.
    pub(super) proof_came_at: Option<Timestamp>,
    pub(super) proof_asked_at: Option<Timestamp>,
    /// Payer: until when the payee says that its proof holds.
    pub(super) payee_proved_until: Option<Timestamp>,
    /// Payee: whether the worker was told to start, and whether the close was submitted.
    pub(super) started: bool,
    pub(super) close_sent: bool,
    /// Payee: when the last unanswered `Due` was sent.
    pub(super) asked_at: Option<Timestamp>,
    pub(super) last_claim: Timestamp,
    pub(super) claimed: Amount,
    /// Payee: whether the ledger refused the newest claim, so that the next voucher is claimed as it comes.
    pub(super) claim_refused: bool,
    pub(super) link: Link,
    /// When the pause, the lost link or the closing gives up.
    pub(super) give_up_at: Option<Timestamp>,
    /// When the link was lost, or, on the payer's side, when the payee was last heard.
    pub(super) lost_at: Option<Timestamp>,
    pub(super) heard_at: Timestamp,
    /// Payer: when the payee's silence is taken for its end, and whether it was pointed out.
    pub(super) silent_at: Option<Timestamp>,
    pub(super) alerted: bool,
    /// Payer: when it last asked whether the payee is there.
    pub(super) probed_at: Option<Timestamp>,
    /// Payer: whether it closes alone.
    pub(super) closes_alone: bool,
    /// Payee: when it last said something.
    pub(super) said_at: Timestamp,
    pub(super) outputs: VecDeque<Output>,
}

impl Lease {
    /// Makes the machine of `role` for terms that both sides have signed. `key` is this node's.
    pub fn new(role: Role, terms: Terms, chain: ChainId, key: SecretKey, now: Timestamp) -> Self {
        Self {
            role,
            terms,
            chain,
            key,
            timing: Timing::default(),
            phase: Phase::Opening,
            meter: Meter::default(),
            metered_at: now,
            opened_at: now,
            promised: Amount::ZERO,
            voucher: None,
            sequence: 0,
            delivered_meter: Meter::default(),
            artefacts: Vec::new(),
            delivered: BTreeSet::new(),
            outcome: None,
            receipt: None,
            inputs_ready: false,
            proved_at: None,
            proof_came_at: None,
            proof_asked_at: None,
            payee_proved_until: None,
            started: false,
            close_sent: false,
            asked_at: None,
            last_claim: now,
            claimed: Amount::ZERO,
            claim_refused: false,
            link: Link::Up,
            give_up_at: None,
            lost_at: None,
            heard_at: now,
            silent_at: None,
            alerted: false,
            probed_at: None,
            closes_alone: false,
            said_at: now,
            outputs: VecDeque::new(),
        }
    }

    /// Replaces the waits of the protocol.
    #[must_use]
    pub fn with_timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self.silent_at = self
            .silent_at
            .map(|_| self.heard_at.saturating_add(timing.patience));
        self
    }

    /// Takes one input. A refusal changes nothing.
    pub fn handle_input(&mut self, input: Input, now: Timestamp) -> Result<(), Rejected> {
        self.advance_meter(now);
        if self.role == Role::Payee && matches!(input, Input::Received(_)) {
            // Whoever speaks is there; what it says may still be refused.
            self.link_back(now);
        }
        match input {
            Input::Opened { at } => self.opened(at, now),
            Input::LinkLost => {
                self.link_lost(now);
                Ok(())
            }
            Input::PeerGone { reason } => {
                self.peer_gone(reason, now);
                Ok(())
            }
            Input::LinkBack => {
                self.link_back(now);
                Ok(())
            }
            Input::Settled { paid } => self.settled(paid, now),
            other => match self.role {
                Role::Payee => self.payee_input(other, now),
                Role::Payer => self.payer_input(other, now),
            },
        }
    }

    /// Does what has become due by `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.advance_meter(now);
        match self.role {
            Role::Payee => self.payee_timeout(now),
            Role::Payer => self.payer_timeout(now),
        }
    }

    /// Returns the next thing for the shell to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when `handle_timeout` is wanted next.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match (self.phase, self.role) {
            (Phase::Ended | Phase::Opening, _) => None,
            (_, Role::Payee) => self.payee_poll_timeout(),
            (_, Role::Payer) => self.payer_poll_timeout(),
        }
    }

    /// Returns where the lease stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns the meter as of the last input or timeout.
    pub fn meter(&self) -> Meter {
        self.meter
    }

    /// Returns what was promised so far: the first tick, then the newest voucher.
    pub fn promised(&self) -> Amount {
        self.promised
    }

    /// Returns the agreed terms.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Returns how the job ended, as far as this side knows.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Returns the indices of the outputs that have arrived.
    pub fn delivered(&self) -> &BTreeSet<u32> {
        &self.delivered
    }

    /// Returns what the lease waits for, where it stands still.
    pub fn waits_for(&self) -> Option<WaitsFor> {
        match (self.phase, self.role) {
            (Phase::Closing | Phase::Ended, _) => None,
            (_, Role::Payer) => self.alerted.then_some(WaitsFor::OtherSide),
            (Phase::Paused, Role::Payee) => Some(self.pause_reason()),
            (_, Role::Payee) => None,
        }
    }

    /// Returns since when the other side is silent, or could not be reached, in protocol time.
    pub fn silent_since(&self) -> Option<Timestamp> {
        match self.role {
            Role::Payer => self.alerted.then_some(self.heard_at),
            Role::Payee => self.lost_at,
        }
    }

    /// Returns the outputs that were announced so far, in order.
    pub fn artefacts(&self) -> &[Artefact] {
        &self.artefacts
    }

    fn opened(&mut self, at: Timestamp, now: Timestamp) -> Result<(), Rejected> {
        if self.phase != Phase::Opening {
            return Ok(()); // Starting is idempotent by agreement.
        }
        self.phase = Phase::Preparing;
        let at = at.min(now);
        (self.opened_at, self.metered_at, self.last_claim) = (at, at, now);
        self.promised = self.terms.rates.first_tick().unwrap_or(self.terms.deposit);
        match self.role {
            Role::Payee => {
                self.said_at = now;
                self.outputs.push_back(Output::FetchInputs);
                self.outputs.push_back(Output::ProveOpen);
            }
            Role::Payer => {
                self.persist_record();
                self.heard(now);
            }
        }
        Ok(())
    }

    fn link_lost(&mut self, now: Timestamp) {
        if matches!(self.phase, Phase::Opening | Phase::Ended) || self.link == Link::Lost {
            return;
        }
        (self.link, self.lost_at) = (Link::Lost, Some(now));
        if !self.closes_alone {
            self.give_up_at
                .get_or_insert(now.saturating_add(self.timing.patience));
        }
    }

    fn peer_gone(&mut self, reason: Gone, now: Timestamp) {
        match self.role {
            // What is prepaid is worked off, and the payer may come back.
            Role::Payee => self.link_lost(now),
            Role::Payer => self.payee_gone(reason),
        }
    }

    /// The other side was reached. What the payee said meanwhile may be lost, so it says it again.
    fn link_back(&mut self, now: Timestamp) {
        if self.role == Role::Payer {
            self.heard(now);
        }
        if self.link == Link::Up {
            return;
        }
        (self.link, self.lost_at) = (Link::Up, None);
        match (self.role, self.phase) {
            (_, Phase::Closing | Phase::Opening | Phase::Ended) => {}
            (Role::Payer, _) => self.give_up_at = None,
            (Role::Payee, Phase::Delivering) => {
                self.give_up_at = Some(now.saturating_add(self.timing.patience));
            }
            (Role::Payee, _) => self.mind_patience(now),
        }
        if self.role == Role::Payee {
            self.repeat_what_was_lost(now);
            self.resume_if_covered(now);
        }
    }

    /// The payee is alive: its silence counts from here.
    pub(super) fn heard(&mut self, now: Timestamp) {
        (self.heard_at, self.probed_at) = (now, None);
        self.silent_at = match self.phase {
            Phase::Closing | Phase::Ended => None,
            _ => Some(now.saturating_add(self.timing.patience)),
        };
        if std::mem::take(&mut self.alerted) {
            self.outputs.push_back(Output::Back);
        }
    }

    /// Brings the payee's meter to `now` at the phase's rate. The payer's meter only follows what the payee
    /// states and the payer has checked.
    fn advance_meter(&mut self, now: Timestamp) {
        if self.role == Role::Payer {
            return;
        }
        let elapsed = now.saturating_since(self.metered_at).as_millis();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        match self.phase {
            Phase::Preparing | Phase::Paused => {
                self.meter.hold_ms = self.meter.hold_ms.saturating_add(elapsed);
            }
            Phase::Running | Phase::Delivering => {
                self.meter.running_ms = self.meter.running_ms.saturating_add(elapsed);
            }
            Phase::Opening | Phase::Closing | Phase::Ended => {}
        }
        self.metered_at = self.metered_at.max(now);
    }

    /// Returns what the meter costs, at most the deposit.
    pub(super) fn due(&self) -> Amount {
        let due = self.terms.rates.due(self.meter);
        due.unwrap_or(self.terms.deposit).min(self.terms.deposit)
    }

    /// Returns what `meter` and `ticks` more at the full rate cost, at most the deposit.
    pub(super) fn due_with_ticks(&self, meter: Meter, ticks: u16) -> Amount {
        let ahead = u64::from(self.terms.rates.tick_ms) * u64::from(ticks);
        let meter = Meter {
            running_ms: meter.running_ms.saturating_add(ahead),
            ..meter
        };
        let due = self.terms.rates.due(meter);
        due.unwrap_or(self.terms.deposit).min(self.terms.deposit)
    }

    pub(super) fn enter(&mut self, phase: Phase, now: Timestamp) {
        self.phase = phase;
        self.said_at = now;
        if self.role == Role::Payee && !matches!(phase, Phase::Closing | Phase::Ended) {
            self.send_phase();
        }
    }

    /// Payee: says where it stands.
    pub(super) fn send_phase(&mut self) {
        self.send(super::Message::Phase {
            phase: self.phase,
            meter: self.meter,
            proved_until: self.proof_ends(),
        });
    }

    pub(super) fn send(&mut self, message: super::Message) {
        self.outputs.push_back(Output::Send(Box::new(message)));
    }

    pub(super) fn wrong_phase(&self, input: &'static str) -> Rejected {
        Rejected::WrongPhase {
            input,
            phase: self.phase,
        }
    }

    pub(super) fn end(&mut self, paid: Amount) {
        self.phase = Phase::Ended;
        (self.give_up_at, self.silent_at) = (None, None);
        self.outputs.push_back(Output::Ended(Ending {
            outcome: self.outcome.unwrap_or(Outcome::Cancelled),
            paid,
            receipt: self.receipt.clone(),
        }));
    }

    fn settled(&mut self, paid: Amount, now: Timestamp) -> Result<(), Rejected> {
        match (self.phase, self.role) {
            (Phase::Ended, _) => Ok(()),
            (_, Role::Payee) => self.payee_settled(paid, now),
            (_, Role::Payer) => {
                self.payer_settled(paid);
                Ok(())
            }
        }
    }
}
