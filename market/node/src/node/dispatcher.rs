//! Owns handing what arrives from other nodes to the part of this node that answers.
//!
//! Never waits for a slow part: each takes, queues within its own bounds, or refuses.

use std::sync::Arc;

use market::ledger::CertifiedHeader;
use market::wire;
use tokio::sync::Semaphore;

use super::Node;
use crate::blobs::BlobServer;
use crate::lease::LeaseRouter;
use crate::ledger::client::LedgerError;
use crate::ledger::protocol::{LedgerRequest, LedgerResponse, Unavailable};
use crate::network::{Inbound, InboundStream, Judgement, MAX_GOSSIP_BYTES, Reply, Topic, Verdict};

/// Ledger requests that are being answered at the same time.
const MAX_LEDGER_ANSWERS: usize = 256;

/// Headers that are being checked at the same time.
const MAX_HEADER_CHECKS: usize = 16;

struct Dispatcher {
    node: Node,
    leases: LeaseRouter,
    blobs: BlobServer,
    ledger_answers: Arc<Semaphore>,
    header_checks: Arc<Semaphore>,
}

pub(super) async fn run(node: Node, mut inbound: InboundStream, leases: LeaseRouter) {
    let mut dispatcher = Dispatcher {
        blobs: BlobServer::new(node.blobs.clone(), node.permissions.clone()),
        node,
        leases,
        ledger_answers: Arc::new(Semaphore::new(MAX_LEDGER_ANSWERS)),
        header_checks: Arc::new(Semaphore::new(MAX_HEADER_CHECKS)),
    };
    loop {
        tokio::select! {
            arrived = inbound.recv() => match arrived {
                Some(arrived) => dispatcher.dispatch(arrived),
                None => return,
            },
            () = dispatcher.leases.changed() => {}
        }
    }
}

impl Dispatcher {
    fn dispatch(&mut self, arrived: Inbound) {
        match arrived {
            Inbound::Ledger { request, reply, .. } => self.ledger(request, reply),
            Inbound::Lease {
                from,
                request,
                reply,
            } => self.leases.route(from, request, reply),
            Inbound::Blob {
                from,
                request,
                reply,
            } => self.blobs.serve(from, request, reply),
            Inbound::Book {
                from,
                request,
                reply,
            } => self.node.book.on_request(from, request, reply),
            Inbound::Gossip {
                topic,
                data,
                verdict,
                ..
            } => match topic {
                Topic::Orders => self.node.book.on_gossip(data, verdict),
                Topic::Headers => self.header(data, verdict),
            },
            Inbound::Subscribed {
                node,
                topic: Topic::Orders,
            } => self.node.book.on_follower(node),
            Inbound::Connected(node) => tracing::debug!(peer = %node.short(), "connected"),
            Inbound::Disconnected(node) => tracing::debug!(peer = %node.short(), "disconnected"),
            Inbound::Subscribed { .. } => {}
        }
    }

    fn ledger(&self, request: LedgerRequest, reply: Reply<LedgerResponse>) {
        let Some(operator) = self.node.operator.clone() else {
            reply.send(LedgerResponse::Unavailable(Unavailable::NotOperator));
            return;
        };
        let Ok(permit) = Arc::clone(&self.ledger_answers).try_acquire_owned() else {
            reply.send(LedgerResponse::Unavailable(Unavailable::Busy));
            return;
        };
        tokio::spawn(async move {
            reply.send(operator.answer(request).await);
            drop(permit);
        });
    }

    fn header(&self, data: Vec<u8>, verdict: Verdict) {
        let Ok(permit) = Arc::clone(&self.header_checks).try_acquire_owned() else {
            verdict.ignore();
            return;
        };
        let ledger = self.node.ledger.clone();
        tokio::spawn(async move {
            let judgement = match wire::decode::<CertifiedHeader>(&data, MAX_GOSSIP_BYTES) {
                Err(_) => Judgement::Reject,
                Ok(certified) => match ledger.hear(&certified).await {
                    Ok(()) => Judgement::Accept,
                    Err(error) if error.is_temporary() => Judgement::Ignore,
                    Err(LedgerError::Proof(_)) => Judgement::Reject,
                    Err(_) => Judgement::Ignore,
                },
            };
            verdict.give(judgement);
            drop(permit);
        });
    }
}
