//! Owns sending what one lease says to the other side: messages in order, each until it is acknowledged, and
//! beside them the reports of its job.
//!
//! Never gives a message up while the lease lives; it tells the lease when the link is lost and back. Reports
//! never hold a message up.

use std::time::Duration;

use market::lease::Input;
use market::progress::Progress;
use market::{AgreementId, NodeId};
use tokio::sync::mpsc;

use super::outbox::Outbox;
use super::runner::Mail;
use crate::lease_protocol::{LeaseRequest, LeaseResponse};
use crate::network::{CallError, Client};

/// Pauses between tries on a lost link.
const RETRY: Duration = Duration::from_millis(500);

/// Tries while the other side does not know the agreement, before that counts as a lost link, and the pauses
/// between them: 10 s in all.
const UNKNOWN_TRIES: u32 = 400;
const UNKNOWN_RETRY: Duration = Duration::from_millis(25);

/// Sends what one lease says.
pub(super) struct Sender {
    pub(super) network: Client,
    pub(super) peer: NodeId,
    pub(super) agreement: AgreementId,
    pub(super) outbox: Outbox,
    pub(super) lease: mpsc::Sender<Mail>,
}

/// What became of one try.
enum Try {
    /// The other side has it, or will never take it: on to the next.
    Done,
    /// The other side does not know the agreement (yet).
    Unknown,
    /// It did not arrive.
    Lost,
}

impl Sender {
    /// Runs until the lease is over and everything is sent, or cannot be.
    pub(super) async fn run(self) {
        tokio::join!(self.send_messages(), self.send_reports());
    }

    async fn send_messages(&self) {
        while let Some(message) = self.outbox.next_message().await {
            let agreement = self.agreement;
            let request = LeaseRequest::Message { agreement, message };
            if !self.deliver(request).await {
                return;
            }
        }
    }

    /// Sends one message until it is acknowledged; `false` when the lease is gone.
    async fn deliver(&self, request: LeaseRequest) -> bool {
        let mut is_lost = false;
        let mut unknown = 0;
        loop {
            match self.attempt(&request).await {
                Try::Done => return !is_lost || self.tell(Input::LinkBack).await,
                // The other side may be a moment behind, or back from a restart.
                Try::Unknown if unknown < UNKNOWN_TRIES => {
                    unknown += 1;
                    tokio::time::sleep(UNKNOWN_RETRY).await;
                    continue;
                }
                Try::Unknown | Try::Lost => {
                    if !is_lost && !self.tell(Input::LinkLost).await {
                        return false;
                    }
                    is_lost = true;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = self.lease.closed() => return false,
            }
        }
    }

    /// Sends reports, each batch until it is acknowledged or the lease is over.
    async fn send_reports(&self) {
        let mut first = 0;
        while let Some(reports) = self.outbox.next_reports().await {
            let Some(taken) = self.deliver_reports(first, reports).await else {
                return;
            };
            first += taken;
        }
    }

    /// Returns how many reports the other side has counted, or `None` when the lease is gone.
    async fn deliver_reports(&self, first: u64, reports: Vec<Progress>) -> Option<u64> {
        let count = reports.len() as u64;
        let request = LeaseRequest::Progress {
            agreement: self.agreement,
            first,
            reports,
        };
        loop {
            match self.network.call_lease(self.peer, request.clone()).await {
                Ok(LeaseResponse::Acknowledged) => return Some(count),
                Ok(LeaseResponse::UnknownAgreement) => {}
                Ok(refused) => {
                    self.note_refusal(&request, &refused);
                    return Some(0); // Their numbers are free for the next ones.
                }
                Err(error) if is_hopeless(&error) => {
                    tracing::warn!(%error, "reports of a job are dropped");
                    return Some(0);
                }
                Err(error) => tracing::trace!(%error, "reports of a job wait"),
            }
            if self.outbox.is_over() {
                return None;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn attempt(&self, request: &LeaseRequest) -> Try {
        match self.network.call_lease(self.peer, request.clone()).await {
            Ok(LeaseResponse::UnknownAgreement) => Try::Unknown,
            Ok(response) => {
                self.note_refusal(request, &response);
                Try::Done
            }
            Err(error) if is_hopeless(&error) => {
                tracing::warn!(%error, ?request, "a lease message is dropped");
                Try::Done
            }
            Err(error) => {
                tracing::debug!(peer = %self.peer.short(), %error, "a lease message waits");
                Try::Lost
            }
        }
    }

    fn note_refusal(&self, request: &LeaseRequest, response: &LeaseResponse) {
        match response {
            LeaseResponse::Acknowledged => {}
            LeaseResponse::Rejected(reason) => {
                tracing::warn!(peer = %self.peer.short(), reason, "the other side refused a message");
            }
            other => {
                tracing::debug!(peer = %self.peer.short(), ?other, ?request, "not taken");
            }
        }
    }

    /// Waits at most for the lease's own work: the lease never waits for this sender.
    async fn tell(&self, input: Input) -> bool {
        self.lease.send(Mail::Input(input)).await.is_ok()
    }
}

/// Tells whether sending the same bytes again can never help.
fn is_hopeless(error: &CallError) -> bool {
    matches!(error, CallError::TooLarge { .. })
}
