//! Owns what one lease sends to the other side: in order, each until it is acknowledged.
//!
//! Never gives a message up while the lease lives; it tells the lease when the link is lost and back.

use std::collections::VecDeque;
use std::time::Duration;

use market::lease::{Input, Message};
use market::progress::Progress;
use market::{AgreementId, NodeId};
use tokio::sync::mpsc;

use super::runner::Mail;
use crate::lease_protocol::{LeaseRequest, LeaseResponse, MAX_PROGRESS_BATCH};
use crate::network::Client;

/// Things that wait to be sent. The lease waits where more are made.
pub(super) const QUEUE: usize = 256;

/// Pauses between tries on a lost link.
const RETRY: Duration = Duration::from_millis(500);

/// Tries while the other side does not know the agreement, and the pauses between them: 10 s in all.
const UNKNOWN_TRIES: u32 = 400;
const UNKNOWN_RETRY: Duration = Duration::from_millis(25);

/// One thing to send.
pub(super) enum Outgoing {
    Message(Box<Message>),
    Progress(Progress),
}

/// Sends what one lease says.
pub(super) struct Sender {
    pub(super) network: Client,
    pub(super) peer: NodeId,
    pub(super) agreement: AgreementId,
    pub(super) queue: mpsc::Receiver<Outgoing>,
    pub(super) lease: mpsc::Sender<Mail>,
}

impl Sender {
    /// Runs until the lease has dropped its end and everything is sent, or the lease is gone.
    pub(super) async fn run(mut self) {
        let mut waiting = VecDeque::new();
        let mut reported = 0;
        loop {
            if waiting.is_empty() {
                match self.queue.recv().await {
                    Some(outgoing) => waiting.push_back(outgoing),
                    None => return,
                }
            }
            while let Ok(outgoing) = self.queue.try_recv() {
                waiting.push_back(outgoing);
                if waiting.len() >= QUEUE {
                    break;
                }
            }
            let (request, reports) = self.next_request(&mut waiting, reported);
            reported += reports;
            if !self.deliver(request).await {
                return;
            }
        }
    }

    /// Takes one message, or all reports that stand together.
    fn next_request(&self, waiting: &mut VecDeque<Outgoing>, first: u64) -> (LeaseRequest, u64) {
        let agreement = self.agreement;
        let mut reports = Vec::new();
        while reports.len() < MAX_PROGRESS_BATCH {
            match waiting.pop_front() {
                Some(Outgoing::Progress(report)) => reports.push(report),
                Some(Outgoing::Message(message)) if reports.is_empty() => {
                    let message = *message;
                    return (LeaseRequest::Message { agreement, message }, 0);
                }
                Some(message) => {
                    waiting.push_front(message);
                    break;
                }
                None => break,
            }
        }
        let count = reports.len() as u64;
        let request = LeaseRequest::Progress {
            agreement,
            first,
            reports,
        };
        (request, count)
    }

    /// Sends one request until it is acknowledged; `false` when the lease is gone.
    async fn deliver(&self, request: LeaseRequest) -> bool {
        let mut lost = false;
        let mut unknown = 0;
        loop {
            match self.network.call_lease(self.peer, request.clone()).await {
                // The other side may be a moment behind, or back from a restart.
                Ok(LeaseResponse::UnknownAgreement) if unknown < UNKNOWN_TRIES => {
                    unknown += 1;
                    tokio::time::sleep(UNKNOWN_RETRY).await;
                    continue;
                }
                Ok(response) => {
                    self.note_refusal(&request, response);
                    return !lost || self.tell(Input::LinkBack).await;
                }
                Err(error) => {
                    tracing::debug!(peer = %self.peer.short(), %error, "a lease message waits");
                    if !lost && !self.tell(Input::LinkLost).await {
                        return false;
                    }
                    lost = true;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = self.lease.closed() => return false,
            }
        }
    }

    fn note_refusal(&self, request: &LeaseRequest, response: LeaseResponse) {
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

    async fn tell(&self, input: Input) -> bool {
        self.lease.send(Mail::Input(input)).await.is_ok()
    }
}
