//! Owns selling as a whole: whether offers stand, which reservation is taken, how much was earned.
//!
//! One task owns the state. It sells the best adapter and never runs a second lease beside the first.

mod bidding;
mod breaker;
mod doubts;
mod handle;
mod offering;
mod opening;
mod rest;
mod view;
mod words;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use market::lease::Input;
use market::wire;
use market::{AccountId, AgreementId, Amount, BlobHash, OrderId, PricePerHour, Signed, Timestamp};
use market_node::config::MAX_WATTS;
use market_node::lease::{LeaseHandle, ReserveRequest};
use market_node::lease_protocol::{LeaseResponse, Refusal};
use market_node::node::Node;
use tokio::sync::{mpsc, watch};
use tracing::Instrument as _;

use crate::gauge::Gauge;
use crate::kill_switch::KillSwitch;
use crate::lease::{JobStage, Trouble};
use crate::pricing::Pricing;
use crate::reservation::{self, Accepted, Arrival};

use bidding::{Answer, Bidding};
use breaker::Verdict;
pub use handle::SellerHandle;
use handle::Wish;
use offering::{Look, Posted};
use opening::Opening;
use rest::Rest;
pub(crate) use view::layer_names;

/// Reservations that wait for an answer; more are refused by closing their streams.
const RESERVATIONS: usize = 32;

/// How often the seller looks whether something is to be posted.
const TICK: Duration = Duration::from_millis(500);

/// Makes the queue between a node's lease router and its seller.
pub fn channel() -> (mpsc::Sender<ReserveRequest>, mpsc::Receiver<ReserveRequest>) {
    mpsc::channel(RESERVATIONS)
}

/// How this node sells.
#[derive(Debug, Clone, Copy)]
pub struct SellerConfig {
    /// How the asked price of a GPU-hour is made.
    pub pricing: Pricing,
    /// Share of the price while inputs come in and in pauses, in 1/10^4.
    pub hold_bps: u16,
    /// Length of a payment tick in milliseconds.
    pub tick_ms: u32,
    /// The longest lease in seconds.
    pub max_duration_s: u32,
}

/// The running lease.
struct Current {
    agreement: AgreementId,
    payer: AccountId,
    price: PricePerHour,
    lease: Option<LeaseHandle>,
    stage: watch::Receiver<JobStage>,
}

/// What a lease's task reports back.
enum Note {
    /// The opening is final and the lease runs.
    Opened(AgreementId, LeaseHandle),
    /// The channel is closed and has paid this; only the receipt is waited for.
    Paid(AgreementId, Amount),
    /// The lease is over, or never began.
    Over(AgreementId, Option<Amount>),
    /// A job ended of what lies with the machine.
    Trouble(Trouble),
    /// The sandbox was tested once more; why it does not hold, where it does not.
    Tested(Result<(), String>),
    /// The node of this bid answered an offer, or did not.
    Answered(OrderId, Answer),
    /// The draw among equal orders, for the blocks from this height on.
    Drawn(u64, market::HeaderId),
}

/// Selling. Spawn [`Seller::run`] as a task of the node.
pub struct Seller {
    // What it is made of.
    node: Node,
    gauge: Arc<Gauge>,
    config: SellerConfig,
    report_hash: BlobHash,
    // Messages.
    reservations: mpsc::Receiver<ReserveRequest>,
    wishes: mpsc::Receiver<Wish>,
    notes: mpsc::Sender<Note>,
    noted: mpsc::Receiver<Note>,
    // State.
    offered: Option<Posted>,
    /// Until when a strategy's new price waits.
    reprice_at: Timestamp,
    look: Option<Look>,
    book_version: watch::Receiver<u64>,
    bidding: Bidding,
    rest: Rest,
    current: Option<Current>,
    /// Leases that are paid and wait for the payer's seal.
    sealing: BTreeSet<AgreementId>,
    occupied: watch::Sender<bool>,
    switch: watch::Sender<KillSwitch>,
    yield_took: Option<Duration>,
    problem: Option<String>,
}

impl std::fmt::Debug for Seller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Seller({:?})",
            self.offered.as_ref().map(|posted| posted.offered.order)
        )
    }
}

impl Seller {
    /// Makes the seller of a node that has measured itself.
    pub fn new(
        node: Node,
        gauge: Gauge,
        config: SellerConfig,
        reservations: mpsc::Receiver<ReserveRequest>,
    ) -> (SellerHandle, Self) {
        let (wish, wishes) = mpsc::channel(RESERVATIONS);
        let (notes, noted) = mpsc::channel(RESERVATIONS);
        let (occupied_in, occupied) = watch::channel(false);
        let (switch_in, switch) = watch::channel(KillSwitch::default());
        let mut config = config;
        if config.pricing.power.watts == 0 {
            // The owner did not say: what was measured is better than nothing.
            config.pricing.power.watts = gauge.watts().min(MAX_WATTS);
        }
        let seller = Self {
            report_hash: report_hash(&node, &gauge),
            gauge: Arc::new(gauge),
            config,
            reservations,
            wishes,
            notes,
            noted,
            offered: None,
            reprice_at: Timestamp::from_millis(0),
            look: None,
            book_version: node.book.watch(),
            bidding: Bidding::default(),
            rest: Rest::default(),
            current: None,
            sealing: BTreeSet::new(),
            occupied: occupied_in,
            switch: switch_in,
            yield_took: None,
            problem: None,
            node,
        };
        let handle = SellerHandle {
            wishes: wish,
            occupied,
            switch,
        };
        (handle, seller)
    }

    /// Runs until every handle is dropped.
    pub async fn run(mut self) {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                Some(request) = self.reservations.recv() => self.reserve(request),
                Some(note) = self.noted.recv() => self.note(note).await,
                wish = self.wishes.recv() => match wish {
                    Some(wish) => self.grant(wish).await,
                    None => return,
                },
                _ = ticks.tick() => {
                    self.keep_offering().await;
                    self.serve_bids().await;
                }
            }
        }
    }

    fn reserve(&mut self, request: ReserveRequest) {
        let ReserveRequest {
            from,
            reservation,
            reply,
        } = request;
        let accepted = match self.decide(from, *reservation) {
            Ok(accepted) => accepted,
            Err(refusal) => {
                tracing::debug!(peer = %from.short(), %refusal, "a reservation is refused");
                return reply.send(LeaseResponse::Refused(refusal));
            }
        };
        let agreement = accepted.terms.id(&self.node.chain());
        let (stage_in, stage) = watch::channel(JobStage::default());
        self.current = Some(Current {
            agreement,
            payer: accepted.terms.payer.account,
            price: accepted.terms.rates.price_per_hour,
            lease: None,
            stage,
        });
        self.bidding.reserved_by(from);
        self.occupied.send_replace(true);
        let switch = KillSwitch::default();
        self.switch.send_replace(switch.clone());
        let opening = Opening {
            switch,
            node: self.node.clone(),
            gauge: Arc::clone(&self.gauge),
            accepted,
            stage: stage_in,
            notes: self.notes.clone(),
        };
        let span =
            tracing::info_span!("sold", agreement = %agreement.short(), peer = %from.short());
        tokio::spawn(opening.run(reply).instrument(span));
    }

    fn decide(
        &self,
        from: market::NodeId,
        reservation: market_node::lease_protocol::Reservation,
    ) -> Result<Accepted, Refusal> {
        if self.rest.rests() {
            return Err(Refusal::Paused);
        }
        if self.current.is_some() {
            return Err(Refusal::Busy);
        }
        let (Some(posted), Some(now)) = (&self.offered, self.node.clock.now()) else {
            return Err(Refusal::OfferChanged("nothing is offered now".to_owned()));
        };
        let arrival = Arrival {
            from,
            now,
            wanted: &self.node.settings.sell,
        };
        let (offered, identity) = (&posted.offered, &self.node.identity);
        reservation::accept(reservation, offered, identity, arrival, &self.node.chain())
    }

    async fn note(&mut self, note: Note) {
        match note {
            Note::Opened(agreement, lease) => {
                if self.rest.wants_the_machine() || self.switch.borrow().is_pulled() {
                    // The machine was wanted back while the channel was being opened, if only for a moment.
                    self.pull_switch().await;
                    lease.input(Input::Yield).await;
                }
                if let Some(current) = &mut self.current
                    && current.agreement == agreement
                {
                    current.lease = Some(lease);
                }
                self.withdraw().await;
            }
            Note::Over(agreement, paid) => {
                if let Some(paid) = paid {
                    self.keep_earning(agreement, paid).await;
                }
                self.sealing.remove(&agreement);
                self.make_room(agreement).await;
            }
            Note::Paid(agreement, paid) => {
                self.keep_earning(agreement, paid).await;
                self.sealing.insert(agreement);
                self.make_room(agreement).await;
            }
            Note::Trouble(Trouble::CardLost(words)) => self.card_lost(&words).await,
            Note::Trouble(Trouble::NoWorker(words)) => {
                self.doubt_the_sandbox(&words).await;
                self.test_the_sandbox();
            }
            Note::Tested(tested) => self.sandbox_tested(tested).await,
            Note::Answered(bid, answer) => self.answered(bid, &answer),
            Note::Drawn(height, header) => self.bidding.drawn(height, header),
        }
    }

    /// Counts a loss of the card, and stops selling where it was one too many.
    async fn card_lost(&mut self, words: &str) {
        let now = self.node.clock.now().unwrap_or(Timestamp::from_millis(0));
        match self.rest.card_lost(now, words) {
            Verdict::JobEnded => tracing::warn!(words, "the card was lost; the job on it is over"),
            Verdict::Stopped => {
                tracing::error!(
                    words,
                    "the card was lost again; nothing is sold until its owner says so"
                );
                self.withdraw().await;
            }
        }
    }

    /// Offers nothing while it is not known whether jobs can still be confined here.
    async fn doubt_the_sandbox(&mut self, words: &str) {
        tracing::warn!(words, "no worker came up; the sandbox is tested once more");
        self.rest.doubt_the_sandbox(words);
        self.withdraw().await;
    }

    /// Lets the sandbox attack itself as at the start; a note says what came of it.
    fn test_the_sandbox(&self) {
        let (gauge, notes) = (Arc::clone(&self.gauge), self.notes.clone());
        tokio::spawn(async move {
            let tested = tokio::task::spawn_blocking(move || gauge.workplace.self_test()).await;
            let tested = match tested {
                Ok(Ok(_report)) => Ok(()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            let _stopped = notes.send(Note::Tested(tested)).await;
        });
    }

    async fn sandbox_tested(&mut self, tested: Result<(), String>) {
        match &tested {
            Ok(()) => tracing::info!("the sandbox holds"),
            Err(why) => tracing::error!(why, "nothing is sold until its owner says so"),
        }
        self.rest.sandbox_tested(tested);
        self.keep_offering().await;
    }

    /// Offers again where the running lease is the one that needs the machine no more.
    async fn make_room(&mut self, agreement: AgreementId) {
        let is_current = |current: &Current| current.agreement == agreement;
        let ends = self.current.as_ref().is_some_and(is_current);
        if ends {
            self.current = None;
        }
        let occupied = self.current.is_some() || !self.sealing.is_empty();
        self.occupied.send_replace(occupied);
        if ends {
            self.price_at_once();
            self.keep_offering().await;
        }
    }

    /// Ends the worker of the running lease, which is gone when this returns.
    async fn pull_switch(&self) {
        let switch = self.switch.borrow().clone();
        let _stopping = tokio::task::spawn_blocking(move || switch.pull()).await;
    }

    async fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::View(_) => {}
            Wish::Pause(took, _) => {
                self.rest.pause();
                self.leave(took).await;
            }
            Wish::Resume(_) => {
                self.rest.resume();
                self.keep_offering().await;
            }
            Wish::Yield(ref reason, took, _) => {
                self.rest.yield_to(reason.clone());
                self.leave(took).await;
            }
            Wish::Explain(ref reason, _) => self.rest.explain(reason),
            Wish::Regain(_) => {
                self.rest.regain();
                self.keep_offering().await;
            }
            Wish::Pricing(ref change, _) => self.change_pricing(change).await,
            Wish::Withhold(_) => {
                self.rest.withhold();
                self.withdraw().await;
            }
        }
        let (Wish::View(done)
        | Wish::Pause(_, done)
        | Wish::Resume(done)
        | Wish::Yield(_, _, done)
        | Wish::Explain(_, done)
        | Wish::Regain(done)
        | Wish::Pricing(_, done)
        | Wish::Withhold(done)) = wish;
        let _gone = done.send(self.view());
    }

    /// Ends the running lease and withdraws what is offered.
    async fn leave(&mut self, took: Option<Duration>) {
        self.yield_took = took.or(self.yield_took);
        // A lease that began between the wish and this moment.
        self.pull_switch().await;
        if let Some(lease) = self.current.as_ref().and_then(|c| c.lease.as_ref()) {
            lease.input(Input::Yield).await;
        }
        self.withdraw().await;
    }
}

/// Signs the measurement as of now and returns the hash of that, which asks carry as their evidence.
fn report_hash(node: &Node, gauge: &Gauge) -> BlobHash {
    let now = node.clock.now().unwrap_or(gauge.report.measured_at);
    let report = gauge.report.clone().dated(now);
    let signed = Signed::sign(&report, &node.identity.node_key, &node.chain());
    BlobHash::of(&wire::encode(&signed))
}

#[cfg(test)]
mod tests;
