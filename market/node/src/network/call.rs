//! Owns one call to another node: what is asked, who waits for the answer, and why it may fail.
//!
//! Never retries: whether a request may be repeated is the business of its protocol.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use libp2p::request_response::{OutboundFailure, OutboundRequestId};
use market::wire::WireError;
use tokio::sync::oneshot;

use super::codec::Fault;
use super::offences::Offence;
use super::versions::VersionGap;
use crate::blobs::{BlobRequest, BlobResponse};
use crate::book::{BookRequest, BookResponse};
use crate::lease_protocol::{LeaseRequest, LeaseResponse};
use crate::ledger::protocol::{LedgerRequest, LedgerResponse};

/// Why a call brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nobody knows an address of the node.
    #[error("nobody knows an address of this node; it may be offline, or this node is isolated")]
    NotFound,
    /// Every known address of the node refused the connection: nothing listens there, so the process is
    /// gone. The request was not sent.
    #[error(
        "every known address of the node refused the connection; its program is not running: {0}"
    )]
    Refused(String),
    /// The node's addresses are known, but none answers. The request was not sent.
    #[error("the node does not answer at any of its addresses: {0}")]
    Unreachable(String),
    /// No answer in time; the request may have been carried out or not.
    #[error("no answer in time; the request may or may not have been carried out")]
    Timeout,
    /// The other side closed the stream without an answer: it refused or was overloaded.
    #[error("the other side closed the stream without an answer")]
    Closed,
    /// The other side does not speak this protocol on this chain.
    #[error("the other side does not speak this protocol on this chain; compare the versions")]
    Unsupported,
    /// The other side speaks this protocol in another version only.
    #[error("{0}")]
    Version(Box<VersionGap>),
    /// This node has nothing to do with the other for a while, because of what that sent.
    #[error("this node refuses that one for another {left_s} s, because of {offence} before")]
    Shunned {
        /// What it did last.
        offence: Offence,
        /// For how many seconds yet.
        left_s: u64,
    },
    /// The request or the answer has more bytes than its protocol allows.
    #[error("{actual} bytes, more than the {max} that this protocol allows")]
    TooLarge {
        /// Bytes of the message.
        actual: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The answer's bytes do not form an answer.
    #[error("the answer does not decode: {0}")]
    Malformed(WireError),
    /// A node does not call itself.
    #[error("this node does not call itself over the network")]
    ToItself,
    /// The network has been shut down.
    #[error("this node's network has stopped")]
    Stopped,
}

impl CallError {
    /// Tells whether the request surely did not reach the other node.
    pub fn was_not_sent(&self) -> bool {
        matches!(
            self,
            Self::NotFound
                | Self::Refused(_)
                | Self::Unreachable(_)
                | Self::Unsupported
                | Self::Version(_)
                | Self::Shunned { .. }
                | Self::ToItself
        )
    }

    fn of_io(error: &io::Error) -> Self {
        match Fault::of(error) {
            Some(&Fault::TooLarge { actual, max }) => return Self::TooLarge { actual, max },
            Some(Fault::Undecodable(error)) => return Self::Malformed(error.clone()),
            Some(Fault::Slow) => return Self::Timeout,
            Some(Fault::Truncated) | None => {}
        }
        // The own request, which was not written.
        let inner = error.get_ref();
        match inner.and_then(|inner| inner.downcast_ref::<WireError>()) {
            Some(&WireError::TooLarge { actual, max }) => Self::TooLarge { actual, max },
            Some(_) | None => Self::Closed,
        }
    }
}

impl From<OutboundFailure> for CallError {
    fn from(failure: OutboundFailure) -> Self {
        match failure {
            OutboundFailure::DialFailure => Self::Unreachable(failure.to_string()),
            OutboundFailure::Timeout => Self::Timeout,
            OutboundFailure::ConnectionClosed => Self::Closed,
            OutboundFailure::UnsupportedProtocols => Self::Unsupported,
            OutboundFailure::Io(error) => Self::of_io(&error),
        }
    }
}

/// A request and the caller who waits for its answer.
pub(super) struct Exchange<Req, Resp> {
    pub(super) request: Req,
    pub(super) done: oneshot::Sender<Result<Resp, CallError>>,
}

/// A call by one of the four protocols.
pub(super) enum Call {
    Ledger(Exchange<LedgerRequest, LedgerResponse>),
    Lease(Exchange<LeaseRequest, LeaseResponse>),
    Blob(Exchange<BlobRequest, BlobResponse>),
    Book(Exchange<BookRequest, BookResponse>),
}

impl Call {
    /// Ends the call without an answer.
    pub(super) fn fail(self, error: CallError) {
        let _caller_gone = match self {
            Self::Ledger(exchange) => exchange.done.send(Err(error)).is_err(),
            Self::Lease(exchange) => exchange.done.send(Err(error)).is_err(),
            Self::Blob(exchange) => exchange.done.send(Err(error)).is_err(),
            Self::Book(exchange) => exchange.done.send(Err(error)).is_err(),
        };
    }
}

/// The callers of one protocol whose requests have left.
pub(super) struct Waiting<Resp>(
    HashMap<OutboundRequestId, oneshot::Sender<Result<Resp, CallError>>>,
);

impl<Resp> Default for Waiting<Resp> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<Resp> Waiting<Resp> {
    pub(super) fn insert(
        &mut self,
        id: OutboundRequestId,
        done: oneshot::Sender<Result<Resp, CallError>>,
    ) {
        self.0.insert(id, done);
    }

    /// Takes the caller of a request.
    pub(super) fn take(
        &mut self,
        id: OutboundRequestId,
    ) -> Option<oneshot::Sender<Result<Resp, CallError>>> {
        self.0.remove(&id)
    }

    pub(super) fn finish(&mut self, id: OutboundRequestId, result: Result<Resp, CallError>) {
        if let Some(done) = self.0.remove(&id) {
            let _caller_gone = done.send(result);
        }
    }
}

/// How long an answer may take, by protocol.
pub(super) struct Timeouts;

impl Timeouts {
    /// A submitted transaction waits for its block.
    pub(super) const LEDGER: Duration = Duration::from_secs(20);
    /// A lease's answer may wait for news of the job.
    pub(super) const LEASE: Duration = Duration::from_secs(60);
    /// A mebibyte over a slow uplink.
    pub(super) const BLOB: Duration = Duration::from_secs(60);
    /// A page of the book.
    pub(super) const BOOK: Duration = Duration::from_secs(15);
    /// A whole request, the largest of 256 KiB, over a slow uplink.
    pub(super) const REQUEST: Duration = Duration::from_secs(10);
}
