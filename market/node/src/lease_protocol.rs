//! Owns what a consumer's and a provider's nodes say to each other about one agreement.
//!
//! Never decides anything: `market::lease` does on both sides; the bytes are `market::wire`'s.

use market::job::JobSpec;
use market::lease::Message;
use market::ledger::{FinalityProof, SignedTransaction};
use market::order::Order;
use market::progress::Progress;
use market::{AgreementId, OrderId, Signed};
use serde::{Deserialize, Serialize};

/// The most bytes of one lease message.
pub const MAX_LEASE_BYTES: usize = 256 << 10;

/// The most progress reports in one message.
pub const MAX_PROGRESS_BATCH: usize = 256;

/// A request between the two nodes of an agreement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum LeaseRequest {
    /// From the payer: the opening with the payer's signature, and the job.
    Reserve(Box<Reservation>),
    /// From either side: a message of the lease machine.
    Message {
        /// Whose lease.
        agreement: AgreementId,
        /// What it says.
        message: Message,
    },
    /// From the payee: what the job reports, in order.
    Progress {
        /// Whose lease.
        agreement: AgreementId,
        /// Number of the first report, from 0; repeated numbers are dropped.
        first: u64,
        /// At most [`MAX_PROGRESS_BATCH`] reports.
        reports: Vec<Progress>,
    },
    /// From a provider to the node of a standing bid: it sells at what the bid pays.
    Offer(Box<BidOffer>),
}

/// What a provider says to a standing bid. It binds nobody: the bidder answers with a reservation, or does not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BidOffer {
    /// The bid.
    pub bid: OrderId,
    /// The ask that the provider has posted, at a price that the bid pays: gossip may still be on its way with it.
    pub ask: Signed<Order>,
}

/// What a payer offers to sign for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    /// A ledger transaction that opens the channel, signed by the payer and missing the payee.
    pub open: SignedTransaction,
    /// The job that the terms name by its hash.
    pub job: JobSpec,
}

/// The answer to a [`LeaseRequest`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum LeaseResponse {
    /// The opening is final.
    Reserved(Box<FinalityProof>),
    /// The provider does not take this reservation.
    Refused(Refusal),
    /// Taken.
    Acknowledged,
    /// No such lease here, or not for this peer.
    UnknownAgreement,
    /// The lease machine refused the message, in words.
    Rejected(String),
    /// The bidder does not take the offer.
    Declined(Decline),
}

/// Why a bidder does not take an offer. One that it may take is acknowledged, and a reservation follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Decline {
    /// It never made the bid, or has cancelled it.
    #[error("there is no such bid")]
    NoSuchBid,
    /// Somebody else's offer is being reserved, or was.
    #[error("the bid is being filled by another provider")]
    Filling,
    /// The ask does not fit the bid, in words.
    #[error("the offer does not fit the bid: {0}")]
    Misfit(String),
    /// As many offers are waiting as it looks at.
    #[error("the bidder has as many offers waiting as it looks at")]
    Busy,
}

/// Why a provider does not take a reservation; the consumer goes to the next offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// All GPUs are leased.
    #[error("all GPUs of this offer are taken")]
    Busy,
    /// The provider is paused.
    #[error("the provider is paused")]
    Paused,
    /// The ask has changed or lapsed.
    #[error("the offer has changed: {0}")]
    OfferChanged(String),
    /// The terms are outside what the provider accepts.
    #[error("the terms are not accepted: {0}")]
    Terms(String),
    /// The job is not one that this provider runs.
    #[error("the job is not accepted: {0}")]
    Job(String),
    /// The ledger did not take the opening.
    #[error("the ledger refused the opening: {0}")]
    Ledger(String),
    /// The operator could not be reached.
    #[error("the provider could not reach the operator: {0}")]
    Operator(String),
}
