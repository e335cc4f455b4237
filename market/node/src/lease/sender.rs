//! Owns sending what one lease says to the other side: messages in order, each until it is acknowledged, and
//! beside them the reports of its job.
//!
//! Never gives a message up while the lease lives; it tells the lease when the link is lost and back. Reports
//! never hold a message up.

use std::time::{Duration, Instant};

use market::lease::Input;
use market::progress::Progress;
use market::{AgreementId, NodeId};
use tokio::sync::mpsc;

use super::doubt::{Doubt, Failure};
use super::outbox::Outbox;
use super::runner::Mail;
use crate::lease_protocol::{LeaseRequest, LeaseResponse};
use crate::network::{CallError, Client};

/// Pauses between tries to bring reports over.
const RETRY: Duration = Duration::from_millis(500);

/// How long the other side may take to acknowledge: it answers once its disk has what it must not forget. A try
/// that takes longer counts as lost, and what it brought may arrive twice.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(5);

/// Sends what one lease says.
pub(super) struct Sender {
    pub(super) network: Client,
    pub(super) peer: NodeId,
    pub(super) agreement: AgreementId,
    pub(super) outbox: Outbox,
    pub(super) lease: mpsc::Sender<Mail>,
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
        let mut doubt = Doubt::default();
        loop {
            let Err(failure) = self.attempt(&request).await else {
                return !doubt.was_told() || self.tell(Input::LinkBack).await;
            };
            let next = doubt.failed(failure, Instant::now());
            if let Some(news) = next.news
                && !self.tell(news).await
            {
                return false;
            }
            tokio::select! {
                () = tokio::time::sleep(next.pause) => {}
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
            let call = self.network.call_lease(self.peer, request.clone());
            let answer = tokio::time::timeout(ACKNOWLEDGED_WITHIN, call).await;
            match answer.unwrap_or(Err(CallError::Timeout)) {
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

    /// Tries once. What the other side will never take counts as brought over.
    async fn attempt(&self, request: &LeaseRequest) -> Result<(), Failure> {
        let call = self.network.call_lease(self.peer, request.clone());
        let answer = tokio::time::timeout(ACKNOWLEDGED_WITHIN, call).await;
        match answer.unwrap_or(Err(CallError::Timeout)) {
            Ok(LeaseResponse::UnknownAgreement) => Err(Failure::Unknown),
            Ok(response) => {
                self.note_refusal(request, &response);
                Ok(())
            }
            Err(error) if is_hopeless(&error) => {
                tracing::warn!(%error, ?request, "a lease message is dropped");
                Ok(())
            }
            Err(error) => {
                tracing::debug!(peer = %self.peer.short(), %error, "a lease message waits");
                match error {
                    CallError::Refused(_) => Err(Failure::Refused),
                    _ => Err(Failure::Lost),
                }
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
