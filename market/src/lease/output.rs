//! Owns what a lease asks its shell to do, in order.
//!
//! Never does it.

use super::input::{Gone, Message};
use super::record::PayerRecord;
use super::state::{Artefact, Ending};
use crate::amount::Amount;
use crate::receipt::SignedReceipt;
use crate::time::Timestamp;
use crate::voucher::Voucher;
use crate::wire::Signed;

/// What must be on disk, flushed, before the next output is carried out.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// The newest voucher: received by the payee, or about to be sent by the payer.
    Voucher(Signed<Voucher>),
    /// Payer: where the lease stands beside its vouchers; [`super::Lease::resume`] makes it anew from both.
    Payer(Box<PayerRecord>),
    /// The receipt with both seals.
    Receipt(Box<SignedReceipt>),
}

/// Why a payer gives its payee up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// There is evidence.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// It was silent for as long as this side is patient.
    #[error("the other side was silent for {} s", .for_ms / 1_000)]
    Silent {
        /// For how long, in milliseconds.
        for_ms: u64,
    },
}

/// One thing for the shell to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Flush this to disk before going on.
    Persist(Record),
    /// Send this to the other side; retry until it is acknowledged or the link is lost.
    Send(Box<Message>),
    /// Payee: fetch a fresh StateProof of the channel and answer with `Input::ProvedOpen`.
    ProveOpen,
    /// Payee: fetch the inputs and answer with `Input::InputsReady`.
    FetchInputs,
    /// Payee: start the confined worker and answer with `Input::WorkerRunning`.
    StartWorker,
    /// Payee: freeze the worker; it keeps its memory.
    PauseWorker,
    /// Payee: let the worker go on.
    ResumeWorker,
    /// Payee: kill the worker now.
    StopWorker,
    /// Payer: fetch this output and answer with `Input::ArtefactStored`.
    FetchArtefact(Artefact),
    /// Payee: claim with this voucher; the channel stays open.
    Claim(Signed<Voucher>),
    /// Payee: close together with the last voucher, if any, and answer with `Input::Settled`.
    CoopClose(Option<Signed<Voucher>>),
    /// Payee: the channel is closed and has paid this in all. The machine is free for the next lease; only the
    /// payer's seal on the receipt is waited for.
    Paid(Amount),
    /// Payer: ask the ledger whether the channel is closed and answer with `Input::Settled`.
    AskSettled,
    /// Payer: close alone, stating the last promise, and answer with `Input::Settled` when it is due.
    PayerClose {
        /// Sequence of the last voucher signed; 0 for none.
        sequence: u64,
        /// Its total; the first tick when there is none.
        cumulative: Amount,
    },
    /// Payer: nothing was heard of the payee since then. Nothing more is signed before it speaks.
    Silent {
        /// When it last said something, in protocol time.
        since: Timestamp,
    },
    /// Payer: the payee speaks again.
    Back,
    /// Payer: the payee is given up; the work does not go on under this agreement. `PayerClose` follows.
    Lost(Loss),
    /// The lease is over; nothing follows.
    Ended(Ending),
}
