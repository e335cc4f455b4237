//! Owns the way of one accepted reservation to a running lease, and the lease's task until it is over.
//!
//! Never decides whether a reservation is taken.

use std::sync::Arc;

use market::lease::{Input, Lease, Role};
use market::ledger::FinalityProof;
use market::{Amount, Timestamp};
use market_node::lease::LeaseHandle;
use market_node::lease_protocol::{LeaseResponse, Refusal};
use market_node::ledger::client::LedgerError;
use market_node::node::Node;
use market_node::recover::{forget, remember, watch_opening};
use tokio::sync::{mpsc, oneshot, watch};

use super::Note;
use crate::gauge::Gauge;
use crate::kill_switch::KillSwitch;
use crate::lease::{JobStage, LeaseShell, Trouble};
use crate::reservation::Accepted;

/// One accepted reservation on its way to a running lease.
pub(super) struct Opening {
    pub(super) node: Node,
    pub(super) gauge: Arc<Gauge>,
    pub(super) accepted: Accepted,
    pub(super) stage: watch::Sender<JobStage>,
    pub(super) switch: KillSwitch,
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
        let (paid_in, is_paid) = oneshot::channel();
        let (trouble_in, trouble) = oneshot::channel();
        let (lease, effects, shell) = self.open(paid_in, trouble_in).await;
        // The lease is registered before the payer hears that it is open, so no message can miss it.
        reply.send(LeaseResponse::Reserved(Box::new(proof)));
        lease.input(Input::Opened { at }).await;
        let _stopped = notes.send(Note::Opened(agreement, lease)).await;
        let offer_again = async {
            if let Ok(paid) = is_paid.await {
                let _stopped = notes.send(Note::Paid(agreement, paid)).await;
            }
        };
        let pass_on = async {
            if let Ok(trouble) = trouble.await {
                let _stopped = notes.send(Note::Trouble(trouble)).await;
            }
        };
        let (ending, (), ()) = tokio::join!(shell.run(effects), offer_again, pass_on);
        let paid = ending.map(|ending| ending.paid);
        let _stopped = notes.send(Note::Over(agreement, paid)).await;
    }

    /// Submits the opening, which is on disk before it leaves and until its fate is known.
    async fn submit(&self) -> Result<FinalityProof, Refusal> {
        let open = &self.accepted.open;
        let id = open.id(&self.node.chain());
        remember(&self.node, open)
            .await
            .map_err(|error| Refusal::Operator(error.to_string()))?;
        let refusal = match self.node.ledger.submit(open).await {
            Ok(proof) => {
                forget(&self.node, id).await;
                return Ok(proof);
            }
            Err(LedgerError::Rejected(reason)) => {
                forget(&self.node, id).await;
                return Err(Refusal::Ledger(reason.to_string()));
            }
            Err(error) => Refusal::Operator(error.to_string()),
        };
        // Nobody will work under it: if it took place after all, the payer gets its deposit back.
        let (node, open) = (self.node.clone(), open.clone());
        tokio::spawn(async move { watch_opening(&node, &open).await });
        Err(refusal)
    }

    async fn open(
        self,
        paid: oneshot::Sender<Amount>,
        trouble: oneshot::Sender<Trouble>,
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
        let machine =
            Lease::new(Role::Payee, terms, chain, key, now).with_timing(self.node.lease_timing());
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
            paid: Some(paid),
            trouble: Some(trouble),
            switch: self.switch,
        };
        (lease, effects, shell)
    }
}
