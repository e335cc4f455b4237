//! Owns what a lease can be told: by its shell and by the other side.
//!
//! Never decides anything about it.

use serde::{Deserialize, Serialize};

use super::state::{Artefact, Phase};
use crate::agreement::Meter;
use crate::amount::Amount;
use crate::receipt::{Outcome, SignedReceipt};
use crate::time::Timestamp;
use crate::voucher::Voucher;
use crate::wire::{Signed, WireError};

/// How long before a channel's expiry the payee stops relying on vouchers, in minutes.
pub(super) const MARGIN_MINUTES: u64 = 10;

/// What the shell tells a lease.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The channel's opening is final: the shell has verified the FinalityProof.
    Opened {
        /// Protocol time of the proof's header, from which both sides meter.
        at: Timestamp,
    },
    /// Payee: a verified StateProof said at `at` that the channel is open.
    ProvedOpen {
        /// Protocol time of the proof's header.
        at: Timestamp,
    },
    /// Payee: a verified StateProof said that the payer has begun to close the channel alone.
    ChannelClosing,
    /// Payee: the ledger does not take a claim of this total, and the channel is open.
    ClaimRefused {
        /// What the claim's voucher promises in all.
        cumulative: Amount,
    },
    /// Payee: all inputs are here and match their hashes.
    InputsReady,
    /// Payee: the confined worker has begun the job.
    WorkerRunning,
    /// Payee: the worker made an output; it is stored under its hash.
    ArtefactMade(Artefact),
    /// Payee: the worker has ended.
    WorkerDone(Outcome),
    /// Payee: the owner wants the machine back, or it is shutting down.
    Yield,
    /// Payer: an announced output is on disk and matches its hash.
    ArtefactStored {
        /// The output's index.
        index: u32,
    },
    /// Payer: the person wants the job stopped.
    Cancel,
    /// The other side sent this.
    Received(Box<Message>),
    /// The other side is out of reach.
    LinkLost,
    /// The other side is back.
    LinkBack,
    /// There is definite evidence that the other side's program no longer works on this agreement. The payer
    /// closes at once; the payee treats it as a lost link, because a payer may come back and go on.
    PeerGone {
        /// The evidence.
        reason: Gone,
    },
    /// The channel is closed on the ledger and has paid `paid` in all.
    Settled {
        /// What the channel paid its payee, fees included.
        paid: Amount,
    },
}

/// Definite evidence that the other side no longer works on an agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    /// Nothing listens at any of its addresses.
    #[error("every address of the other node refuses connections: its program is not running")]
    Refused,
    /// It answers, and knows nothing of the agreement.
    #[error("the other node no longer knows the agreement: it was restarted, or has ended it")]
    UnknownAgreement,
}

/// What the two leases of an agreement say to each other. Every message may arrive twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Message {
    /// From the payee: where it stands.
    Phase {
        /// The new phase.
        phase: Phase,
        /// The meter when it began.
        meter: Meter,
        /// How long the payee works on without a fresh proof that the channel is open; for display.
        proved_until: Option<Timestamp>,
    },
    /// From the payee: a voucher for `cumulative` is due.
    Due {
        /// The meter now.
        meter: Meter,
        /// The total that the voucher should promise.
        cumulative: Amount,
    },
    /// From the payer: the voucher.
    Voucher(Signed<Voucher>),
    /// From the payee: an output can be fetched.
    Artefact(Artefact),
    /// From the payer: this output has arrived and matches its hash.
    Delivered {
        /// The output's index.
        index: u32,
    },
    /// From the payee: the work has ended, and nothing is owed beyond `meter`.
    Finished {
        /// How it ended.
        outcome: Outcome,
        /// The final meter.
        meter: Meter,
    },
    /// From the payer: stop.
    Cancel,
    /// From the payer, which has heard nothing for a while or was restarted: say again where you stand and
    /// what is not delivered.
    Repeat,
    /// The receipt; with the payer's seal on its way back.
    Receipt(Box<SignedReceipt>),
}

/// Why an input was refused. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The input is for the other role.
    #[error("{input} is not for this side of the agreement")]
    WrongRole {
        /// What arrived.
        input: &'static str,
    },
    /// The input does not fit the phase.
    #[error("{input} does not fit the phase {phase:?}")]
    WrongPhase {
        /// What arrived.
        input: &'static str,
        /// Where the lease stands.
        phase: Phase,
    },
    /// A signature or its bytes are wrong.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The voucher is for another channel or by another key.
    #[error("the voucher is for another channel or signed by another key")]
    ForeignVoucher,
    /// The voucher does not rise.
    #[error("voucher {sequence} for {cumulative} does not rise above what was already promised")]
    VoucherDoesNotRise {
        /// Its sequence.
        sequence: u64,
        /// Its total.
        cumulative: Amount,
    },
    /// The channel ends too soon to rely on another voucher.
    #[error("the channel expires within {MARGIN_MINUTES} minutes")]
    Expiring,
    /// More than the deposit.
    #[error("{cumulative} is more than the deposit of {deposit}")]
    OverDeposit {
        /// The total asked or promised.
        cumulative: Amount,
        /// What is locked.
        deposit: Amount,
    },
    /// The meter runs faster than time.
    #[error("the meter reads {claimed_ms} ms where at most {possible_ms} ms have passed")]
    MeterAhead {
        /// Milliseconds claimed.
        claimed_ms: u64,
        /// Milliseconds that can have passed.
        possible_ms: u64,
    },
    /// The meter went back.
    #[error("the meter went back")]
    MeterBack,
    /// The sum asked is more than the meter and the prepaid ticks justify.
    #[error("{asked} is asked where at most {allowed} can be due")]
    TooMuchAsked {
        /// Asked.
        asked: Amount,
        /// The most that is due with the prepaid ticks.
        allowed: Amount,
    },
    /// Paying more would go beyond D ticks since the last delivered output.
    #[error(
        "nothing was delivered lately: no voucher above {limit} before the next output arrives"
    )]
    UndeliveredWork {
        /// The most that is paid before the next delivery.
        limit: Amount,
    },
    /// An output that is not the next, or too many.
    #[error("output {index} is unexpected")]
    UnexpectedArtefact {
        /// Its index.
        index: u32,
    },
    /// The receipt differs from what this side saw.
    #[error("the receipt does not match: {what}")]
    ReceiptMismatch {
        /// Which field.
        what: &'static str,
    },
}
