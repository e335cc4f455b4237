//! Owns which lease of this node a message of a peer belongs to.
//!
//! Never reads a message; a peer reaches only the leases that were registered with its own id.

use std::collections::BTreeMap;

use market::lease::Message;
use market::progress::Progress;
use market::{AgreementId, NodeId};
use tokio::sync::{mpsc, oneshot};

use super::MAILBOX;
use super::runner::Mail;
use crate::lease_protocol::{
    BidOffer, Decline, LeaseRequest, LeaseResponse, MAX_PROGRESS_BATCH, Reservation,
};
use crate::network::Reply;

/// The most leases that a node takes part in at once.
const MAX_LEASES: usize = 1_024;

/// Reports of a job as they arrived from its provider.
#[derive(Debug)]
pub struct ProgressBatch {
    /// Number of the first report.
    pub first: u64,
    /// The reports.
    pub reports: Vec<Progress>,
    /// Acknowledges them.
    pub reply: Reply<LeaseResponse>,
}

/// A wish to buy from this node, for the part of the node that sells.
#[derive(Debug)]
pub struct ReserveRequest {
    /// Who asks; the connection proves it.
    pub from: NodeId,
    /// What is offered.
    pub reservation: Box<Reservation>,
    /// Where the answer goes.
    pub reply: Reply<LeaseResponse>,
}

/// An offer to a bid of this node, for the part of the node that buys.
#[derive(Debug)]
pub struct OfferRequest {
    /// Who offers; the connection proves it.
    pub from: NodeId,
    /// What is offered.
    pub offer: Box<BidOffer>,
    /// Where the answer goes.
    pub reply: Reply<LeaseResponse>,
}

/// Who in this node takes what is not about a lease that it has.
#[derive(Debug, Default)]
pub struct Takers {
    /// Takes reservations, where this node sells.
    pub seller: Option<mpsc::Sender<ReserveRequest>>,
    /// Takes offers to standing bids, where this node buys.
    pub bidder: Option<mpsc::Sender<OfferRequest>>,
}

pub(super) struct Registration {
    pub(super) agreement: AgreementId,
    pub(super) peer: NodeId,
    pub(super) mail: mpsc::Sender<Mail>,
    pub(super) progress: Option<mpsc::Sender<ProgressBatch>>,
}

enum Command {
    Register(Registration, oneshot::Sender<()>),
    Forget(AgreementId),
}

/// Registers leases with the router. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RouterHandle {
    commands: mpsc::Sender<Command>,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Register(registration, _) => write!(f, "Register({})", registration.agreement),
            Self::Forget(agreement) => write!(f, "Forget({agreement})"),
        }
    }
}

impl RouterHandle {
    pub(super) async fn register(&self, registration: Registration) {
        let (done, registered) = oneshot::channel();
        if self
            .commands
            .send(Command::Register(registration, done))
            .await
            .is_ok()
        {
            let _stopped = registered.await;
        }
    }

    pub(super) async fn forget(&self, agreement: AgreementId) {
        let _stopped = self.commands.send(Command::Forget(agreement)).await;
    }
}

/// Hands lease messages to the leases that they are for; owned by the node's dispatcher.
#[derive(Debug)]
pub struct LeaseRouter {
    leases: BTreeMap<AgreementId, Route>,
    commands: mpsc::Receiver<Command>,
    takers: Takers,
}

#[derive(Debug)]
struct Route {
    peer: NodeId,
    mail: mpsc::Sender<Mail>,
    progress: Option<mpsc::Sender<ProgressBatch>>,
}

impl LeaseRouter {
    /// Makes a router.
    pub fn new(takers: Takers) -> (RouterHandle, Self) {
        let (commands, receiver) = mpsc::channel(MAILBOX);
        let router = Self {
            leases: BTreeMap::new(),
            commands: receiver,
            takers,
        };
        (RouterHandle { commands }, router)
    }

    /// Takes all registrations that have come in.
    fn update(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            self.obey(command);
        }
    }

    /// Waits for the next registration; for the dispatcher's select.
    pub async fn changed(&mut self) {
        match self.commands.recv().await {
            Some(command) => self.obey(command),
            None => std::future::pending().await,
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Register(registration, done) => {
                self.leases.retain(|_, route| !route.mail.is_closed());
                if self.leases.len() < MAX_LEASES {
                    let route = Route {
                        peer: registration.peer,
                        mail: registration.mail,
                        progress: registration.progress,
                    };
                    self.leases.insert(registration.agreement, route);
                }
                let _gone = done.send(());
            }
            Command::Forget(agreement) => {
                self.leases.remove(&agreement);
            }
        }
    }

    /// Hands one request on, or answers it where nobody is there for it. A full mailbox refuses by closing
    /// the stream; the peer tries again.
    pub fn route(&mut self, from: NodeId, request: LeaseRequest, reply: Reply<LeaseResponse>) {
        self.update();
        match request {
            LeaseRequest::Reserve(reservation) => self.reserve(from, reservation, reply),
            LeaseRequest::Message { agreement, message } => {
                self.message(from, agreement, message, reply);
            }
            LeaseRequest::Progress {
                agreement,
                first,
                reports,
            } => {
                let batch = ProgressBatch {
                    first,
                    reports,
                    reply,
                };
                self.progress(from, agreement, batch);
            }
            LeaseRequest::Offer(offer) => self.offer(OfferRequest { from, offer, reply }),
        }
    }

    fn offer(&self, request: OfferRequest) {
        let Some(bidder) = &self.takers.bidder else {
            return request
                .reply
                .send(LeaseResponse::Declined(Decline::NoSuchBid));
        };
        if let Err(full) = bidder.try_send(request) {
            let reply = full.into_inner().reply;
            reply.send(LeaseResponse::Declined(Decline::Busy));
        }
    }

    fn reserve(&self, from: NodeId, reservation: Box<Reservation>, reply: Reply<LeaseResponse>) {
        match &self.takers.seller {
            None => reply.send(LeaseResponse::UnknownAgreement),
            Some(seller) => {
                let request = ReserveRequest {
                    from,
                    reservation,
                    reply,
                };
                // A full queue drops the request, which closes its stream.
                let _full = seller.try_send(request);
            }
        }
    }

    fn message(
        &self,
        from: NodeId,
        agreement: AgreementId,
        message: Message,
        reply: Reply<LeaseResponse>,
    ) {
        match self.leases.get(&agreement) {
            Some(route) if route.peer == from => {
                let _full = route.mail.try_send(Mail::Message(Box::new(message), reply));
            }
            _ => reply.send(LeaseResponse::UnknownAgreement),
        }
    }

    fn progress(&self, from: NodeId, agreement: AgreementId, batch: ProgressBatch) {
        let route = self
            .leases
            .get(&agreement)
            .filter(|route| route.peer == from);
        match route.and_then(|route| route.progress.as_ref()) {
            Some(progress) if batch.reports.len() <= MAX_PROGRESS_BATCH => {
                let _full = progress.try_send(batch);
            }
            _ => batch.reply.send(LeaseResponse::UnknownAgreement),
        }
    }
}
