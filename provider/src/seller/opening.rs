//! Owns the way of one accepted reservation to a running lease, and the lease's task until it is over.
//!
//! Never decides whether a reservation is taken.

use std::sync::Arc;
use std::time::Duration;

use market::lease::{Input, Lease, Role, Timing};
use market::ledger::{FinalityProof, Operation, SignedTransaction};
use market::{ChannelId, Timestamp, wire};
use market_node::lease::LeaseHandle;
use market_node::lease_protocol::{LeaseResponse, Refusal};
use market_node::ledger::client::LedgerError;
use market_node::node::Node;
use market_node::settle::settle;
use market_node::store::RecordKind;
use tokio::sync::{mpsc, watch};

use super::{Note, SUBMIT_RETRY};
use crate::gauge::Gauge;
use crate::lease::{JobStage, LeaseShell};
use crate::reservation::Accepted;

/// One accepted reservation on its way to a running lease.
pub(super) struct Opening {
    pub(super) node: Node,
    pub(super) gauge: Arc<Gauge>,
    pub(super) accepted: Accepted,
    pub(super) stage: watch::Sender<JobStage>,
    pub(super) notes: mpsc::Sender<Note>,
}

impl Opening {
    /// Submits the opening, answers the payer, and runs the lease to its end.
    pub(super) async fn run(self, reply: market_node::network::Reply<LeaseResponse>) {
        let agreement = self.accepted.terms.id(&self.node.chain());
        let notes = self.notes.clone();
        let proof = match self.submit().await {
            Ok(proof) => proof,
            Err(refusal) => {
                tracing::warn!(%refusal, "a channel was not opened");
                reply.send(LeaseResponse::Refused(refusal));
                let _stopped = notes.send(Note::Over(agreement, None)).await;
                return;
            }
        };
        let at = proof.certified.header.time;
        let (lease, effects, shell) = self.open().await;
        // The lease is registered before the payer hears that it is open, so no message can miss it.
        reply.send(LeaseResponse::Reserved(Box::new(proof)));
        lease.input(Input::Opened { at }).await;
        let _stopped = notes.send(Note::Opened(agreement, lease)).await;
        let ending = shell.run(effects).await;
        let paid = ending.map(|ending| ending.paid);
        let _stopped = notes.send(Note::Over(agreement, paid)).await;
    }

    /// Submits the opening, which is on disk before it leaves and until its fate is known.
    async fn submit(&self) -> Result<FinalityProof, Refusal> {
        let (store, open) = (&self.node.store, &self.accepted.open);
        let id = open.id(&self.node.chain());
        store
            .put_record(RecordKind::Submission, id.as_bytes(), &wire::encode(open))
            .await
            .map_err(|error| Refusal::Operator(error.to_string()))?;
        let refusal = match self.node.ledger.submit(open).await {
            Ok(proof) => {
                forget(&self.node, open).await;
                return Ok(proof);
            }
            Err(LedgerError::Rejected(reason)) => {
                forget(&self.node, open).await;
                return Err(Refusal::Ledger(reason.to_string()));
            }
            Err(error) => Refusal::Operator(error.to_string()),
        };
        let channel = self.accepted.terms.channel_id(&self.node.chain());
        tokio::spawn(refund_if_open(self.node.clone(), open.clone(), channel));
        Err(refusal)
    }

    async fn open(
        self,
    ) -> (
        LeaseHandle,
        mpsc::Receiver<market::lease::Output>,
        LeaseShell,
    ) {
        let terms = self.accepted.terms;
        let chain = self.node.chain();
        let (agreement, channel) = (terms.id(&chain), terms.channel_id(&chain));
        let payer_node = terms.payer.node;
        let now = self.node.clock.now().unwrap_or(Timestamp::from_millis(0));
        let key = self.node.identity.node_key.clone();
        let challenge = Duration::from_millis(self.node.membership.genesis.challenge_ms);
        let machine = Lease::new(Role::Payee, terms, chain, key, now)
            .with_timing(Timing::for_challenge(challenge));
        let parts = self.node.lease_parts();
        let (lease, effects) = market_node::lease::spawn(parts, machine, Role::Payee, None).await;
        let shell = LeaseShell {
            node: self.node,
            gauge: Gauge::clone(&self.gauge),
            job: self.accepted.job,
            payer_node,
            agreement,
            channel,
            lease: lease.clone(),
            stage: self.stage,
        };
        (lease, effects, shell)
    }
}

/// Finds out what became of an opening that got no answer, and gives the payer its deposit back if it took
/// place: nobody works under it. It ends because an opening is valid for a limited number of blocks.
async fn refund_if_open(node: Node, open: SignedTransaction, channel: ChannelId) {
    loop {
        match node.ledger.submit(&open).await {
            Ok(_) => break,
            Err(LedgerError::Rejected(reason)) => {
                tracing::info!(%channel, %reason, "the channel was never opened");
                return forget(&node, &open).await;
            }
            Err(error) => tracing::debug!(%error, "the fate of an opening is not known yet"),
        }
        tokio::time::sleep(SUBMIT_RETRY).await;
    }
    let voucher = None;
    settle(&node, channel, &Operation::CoopClose { channel, voucher }).await;
    tracing::info!(%channel, "a channel was opened after its refusal, and is closed again");
    forget(&node, &open).await;
}

async fn forget(node: &Node, open: &SignedTransaction) {
    let id = open.id(&node.chain());
    let removed = node
        .store
        .remove_record(RecordKind::Submission, id.as_bytes());
    if let Err(error) = removed.await {
        tracing::warn!(%error, "an opening that is settled stays noted");
    }
}
