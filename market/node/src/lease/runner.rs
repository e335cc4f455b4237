//! Owns one lease machine: feeds it mail and time, and carries out its outputs in order.
//!
//! Never looks at a later output before a record is flushed, and never acknowledges a peer's message before
//! everything that followed from it is on disk. Never waits for the network or for its shell.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use market::agreement::Meter;
use market::lease::{Artefact, Input, Lease, Message, Output, Phase, Record, Role, WaitsFor};
use market::progress::Progress;
use market::receipt::Outcome;
use market::{AgreementId, Amount, ChainId, NodeId, Timestamp, wire};
use tokio::sync::{mpsc, watch};
use tracing::Instrument as _;

use super::MAILBOX;
use super::outbox::Outbox;
use super::router::{ProgressBatch, Registration, RouterHandle};
use super::sender::Sender;
use crate::clock::ProtocolClock;
use crate::lease_protocol::LeaseResponse;
use crate::network::{Client, Reply};
use crate::store::{Direction, NodeStore, RecordKind, StoreError};

/// Effects that wait for a busy shell before the lease takes no more mail.
const MAX_EFFECTS: usize = 1_024;

/// What reaches a lease.
#[derive(Debug)]
pub(super) enum Mail {
    /// From this node.
    Input(Input),
    /// From the other side.
    Message(Box<Message>, Reply<LeaseResponse>),
}

/// A lease at a glance.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Where it stands.
    pub phase: Phase,
    /// Time metered.
    pub meter: Meter,
    /// Promised so far.
    pub promised: Amount,
    /// Outputs announced so far.
    pub artefacts: Vec<Artefact>,
    /// Indices of those that have arrived.
    pub delivered: BTreeSet<u32>,
    /// How the job ended, as far as this side knows.
    pub outcome: Option<Outcome>,
    /// What it waits for, where it stands still.
    pub waits_for: Option<WaitsFor>,
    /// Until when the work goes on without another word of the operator, as far as that is known.
    pub proved_until: Option<Timestamp>,
    /// Since when the other side is silent or out of reach, in protocol time.
    pub silent_since: Option<Timestamp>,
}

/// Talks to a running lease. The lease ends when it is over, or when every handle and effect is dropped.
#[derive(Debug, Clone)]
pub struct LeaseHandle {
    mail: mpsc::Sender<Mail>,
    outbox: Outbox,
    snapshot: watch::Receiver<Snapshot>,
}

impl LeaseHandle {
    /// Gives the lease an input; waits while its mailbox is full.
    pub async fn input(&self, input: Input) {
        let _over = self.mail.send(Mail::Input(input)).await;
    }

    /// Sends a report of the job to the other side, behind those that were made before. Never waits: where
    /// too many stand, the oldest steps and texts are dropped.
    pub fn report(&self, report: Progress) {
        self.outbox.report(report);
    }

    /// Returns the lease at a glance.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot.borrow().clone()
    }

    /// Returns a watch that changes with the lease and closes when it is over.
    pub fn watch(&self) -> watch::Receiver<Snapshot> {
        self.snapshot.clone()
    }
}

/// What a lease needs of its node.
#[derive(Debug, Clone)]
pub struct LeaseParts {
    /// The network.
    pub network: Client,
    /// Where messages of peers come from.
    pub router: RouterHandle,
    /// Where promises are kept.
    pub store: NodeStore,
    /// Protocol time.
    pub clock: ProtocolClock,
    /// The market.
    pub chain: ChainId,
}

/// Starts a lease. Effects come in order and are bounded.
/// Reports of the job go to `progress` on the side that buys.
pub async fn spawn(
    parts: LeaseParts,
    lease: Lease,
    role: Role,
    progress: Option<mpsc::Sender<ProgressBatch>>,
) -> (LeaseHandle, mpsc::Receiver<Output>) {
    let terms = lease.terms();
    let agreement = terms.id(&parts.chain);
    let peer = match role {
        Role::Payer => terms.payee.node,
        Role::Payee => terms.payer.node,
    };
    let (mail, mailbox) = mpsc::channel(MAILBOX);
    let outbox = Outbox::default();
    let (effects, effects_receiver) = mpsc::channel(MAILBOX);
    let (snapshot, watcher) = watch::channel(snapshot_of(&lease));
    parts
        .router
        .register(Registration {
            agreement,
            peer,
            mail: mail.clone(),
            progress,
        })
        .await;
    let sender = Sender {
        network: parts.network.clone(),
        peer,
        agreement,
        outbox: outbox.clone(),
        lease: mail.clone(),
    };
    let span = tracing::info_span!("lease", agreement = %agreement.short(), peer = %peer.short());
    tokio::spawn(sender.run().instrument(span.clone()));
    let runner = Runner {
        direction: match role {
            Role::Payer => Direction::Sent,
            Role::Payee => Direction::Received,
        },
        agreement,
        peer,
        parts,
        lease,
        mailbox,
        outbox: outbox.clone(),
        effects,
        waiting: VecDeque::new(),
        snapshot,
    };
    tokio::spawn(runner.run().instrument(span));
    let handle = LeaseHandle {
        mail,
        outbox,
        snapshot: watcher,
    };
    (handle, effects_receiver)
}

fn snapshot_of(lease: &Lease) -> Snapshot {
    Snapshot {
        phase: lease.phase(),
        meter: lease.meter(),
        promised: lease.promised(),
        artefacts: lease.artefacts().to_vec(),
        delivered: lease.delivered().clone(),
        outcome: lease.outcome(),
        waits_for: lease.waits_for(),
        proved_until: lease.proved_until(),
        silent_since: lease.silent_since(),
    }
}

struct Runner {
    direction: Direction,
    agreement: AgreementId,
    peer: NodeId,
    parts: LeaseParts,
    lease: Lease,
    mailbox: mpsc::Receiver<Mail>,
    outbox: Outbox,
    effects: mpsc::Sender<Output>,
    /// Effects for which the shell has no room yet, in order.
    waiting: VecDeque<Output>,
    snapshot: watch::Sender<Snapshot>,
}

impl Runner {
    async fn run(mut self) {
        // A lease that was made anew after a restart has something to say at once.
        self.lease.handle_timeout(self.now());
        if let Err(error) = self.drain().await {
            tracing::error!(agreement = %self.agreement, %error, "the lease does not start");
            return self.parts.router.forget(self.agreement).await;
        }
        while self.lease.phase() != Phase::Ended {
            let next = tokio::select! {
                mail = self.mailbox.recv(), if self.waiting.len() < MAX_EFFECTS => mail,
                () = sleep_until(&self.parts.clock, self.lease.poll_timeout()) => {
                    self.lease.handle_timeout(self.now());
                    None
                }
                room = self.effects.reserve(), if !self.waiting.is_empty() => {
                    // Without room the shell is gone; the next arm sees it.
                    if let (Ok(room), Some(effect)) = (room, self.waiting.pop_front()) {
                        room.send(effect);
                    }
                    continue;
                }
                // Nobody is left to carry out what the lease decides.
                () = self.effects.closed() => break,
            };
            let acknowledge = next.and_then(|mail| self.take(mail));
            if let Err(error) = self.drain().await {
                // Without its disk a node must promise nothing more: the peer gets no acknowledgement.
                tracing::error!(agreement = %self.agreement, %error, "the lease stops");
                self.waiting.clear();
                break;
            }
            if let Some((reply, response)) = acknowledge {
                reply.send(response);
            }
        }
        // A shell that waits for room in the mailbox must see the end before it can take the effects.
        self.mailbox.close();
        while let Some(effect) = self.waiting.pop_front() {
            let _gone = self.effects.send(effect).await;
        }
        self.parts.router.forget(self.agreement).await;
    }

    fn now(&self) -> Timestamp {
        // A lease is made only after the opening's header was verified, so the clock is set.
        self.parts.clock.now().unwrap_or(Timestamp::from_millis(0))
    }

    /// Feeds one piece of mail; returns the answer to give once its consequences are on disk.
    fn take(&mut self, mail: Mail) -> Option<(Reply<LeaseResponse>, LeaseResponse)> {
        let now = self.now();
        let (input, reply) = match mail {
            Mail::Input(input) => (input, None),
            Mail::Message(message, reply) => (Input::Received(message), Some(reply)),
        };
        let result = self.lease.handle_input(input, now);
        if let Err(reason) = &result {
            let peer = self.peer.short();
            tracing::debug!(agreement = %self.agreement.short(), peer, %reason, "refused an input");
        }
        let response = match result {
            Ok(()) => LeaseResponse::Acknowledged,
            Err(reason) => LeaseResponse::Rejected(reason.to_string()),
        };
        reply.map(|reply| (reply, response))
    }

    async fn drain(&mut self) -> Result<(), StoreError> {
        while let Some(output) = self.lease.poll_output() {
            match output {
                Output::Persist(record) => self.persist(record).await?,
                Output::Send(message) => self.outbox.say(*message),
                effect => self.waiting.push_back(effect),
            }
        }
        let fresh = snapshot_of(&self.lease);
        self.snapshot.send_if_modified(|shown| {
            let changed = *shown != fresh;
            *shown = fresh;
            changed
        });
        Ok(())
    }

    async fn persist(&self, record: Record) -> Result<(), StoreError> {
        let store = &self.parts.store;
        match record {
            Record::Voucher(signed) => {
                let verified = signed.verify(&self.parts.chain);
                let voucher = verified
                    .map_err(|error| StoreError::Value(error.to_string()))?
                    .value;
                store.put_voucher(self.direction, voucher, signed).await
            }
            Record::Payer(record) => {
                let bytes = wire::encode(record.as_ref());
                let id = self.agreement.as_bytes();
                store.put_record(RecordKind::Purchase, id, &bytes).await
            }
            Record::Receipt(receipt) => {
                let bytes = wire::encode(receipt.as_ref());
                let id = self.agreement.as_bytes();
                store.put_record(RecordKind::Receipt, id, &bytes).await
            }
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.outbox.close();
    }
}

async fn sleep_until(clock: &ProtocolClock, at: Option<Timestamp>) {
    let Some(at) = at else {
        return std::future::pending().await;
    };
    let now = clock.now().unwrap_or(Timestamp::from_millis(0));
    // Protocol time may jump ahead with a new header, so a long wait is looked at again.
    let wait = at.saturating_since(now).min(Duration::from_secs(1));
    tokio::time::sleep(wait).await;
}
