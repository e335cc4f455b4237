//! Owns selling as a whole: whether offers stand, which reservation is taken, how much was earned.
//!
//! One task owns the state. It sells the best adapter and never runs a second lease beside the first.

mod opening;
mod view;
mod words;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use market::lease::Input;
use market::order::{Ask, AskFigures, Attributes, Evidence, OrderBody, Slot};
use market::wire;
use market::{AccountId, AgreementId, Amount, BlobHash, PricePerHour, Signed, Timestamp};
use market_node::api::ProviderView;
use market_node::disk::check_room;
use market_node::lease::{LeaseHandle, ReserveRequest};
use market_node::lease_protocol::{LeaseResponse, Refusal};
use market_node::node::Node;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::Instrument as _;

use crate::gauge::Gauge;
use crate::kill_switch::KillSwitch;
use crate::lease::JobStage;
use crate::reservation::{self, Accepted, Arrival, Offered};

use opening::Opening;
pub(crate) use view::layer_names;

/// Reservations that wait for an answer; more are refused by closing their streams.
const RESERVATIONS: usize = 32;

/// How long an ask stands before it is posted again.
const ASK_LIFETIME: Duration = Duration::from_secs(6 * 3600);

/// How soon posting is tried again where it failed.
const POST_RETRY: Duration = Duration::from_millis(500);

/// The level of a sandbox that stops every attack of its quick test.
const SANDBOX_LEVEL: u8 = 1;

/// Makes the queue between a node's lease router and its seller.
pub fn channel() -> (mpsc::Sender<ReserveRequest>, mpsc::Receiver<ReserveRequest>) {
    mpsc::channel(RESERVATIONS)
}

/// How this node sells.
#[derive(Debug, Clone, Copy)]
pub struct SellerConfig {
    /// Asked price of a GPU-hour.
    pub price: PricePerHour,
    /// Share of the price while inputs come in and in pauses, in 1/10^4.
    pub hold_bps: u16,
    /// Length of a payment tick in milliseconds.
    pub tick_ms: u32,
    /// The longest lease in seconds.
    pub max_duration_s: u32,
}

#[derive(Debug)]
enum Wish {
    View(oneshot::Sender<ProviderView>),
    /// With how long it took to end the worker, where there was one.
    Pause(Option<Duration>, oneshot::Sender<ProviderView>),
    Resume(oneshot::Sender<ProviderView>),
    Price(PricePerHour, oneshot::Sender<ProviderView>),
}

/// Talks to the seller. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SellerHandle {
    wishes: mpsc::Sender<Wish>,
    occupied: watch::Receiver<bool>,
    switch: watch::Receiver<KillSwitch>,
}

impl SellerHandle {
    /// Returns selling at a glance; `None` when the seller has stopped.
    pub async fn view(&self) -> Option<ProviderView> {
        self.ask(Wish::View).await
    }

    /// Stops the running job at once and withdraws all offers. The worker is ended before anything else, past
    /// every queue; then the work done is settled.
    pub async fn pause(&self) -> Option<ProviderView> {
        let wished_at = Instant::now();
        let switch = self.switch.borrow().clone();
        let pulled = tokio::task::spawn_blocking(move || switch.pull()).await;
        let took = pulled.unwrap_or(false).then(|| wished_at.elapsed());
        if let Some(took) = took {
            let took_ms = took.as_millis();
            tracing::info!(took_ms, "the worker is gone; the machine is its owner's");
        }
        self.ask(|done| Wish::Pause(took, done)).await
    }

    /// Offers again.
    pub async fn resume(&self) -> Option<ProviderView> {
        self.ask(Wish::Resume).await
    }

    /// Asks another price from the next reservation on.
    pub async fn set_price(&self, price: PricePerHour) -> Option<ProviderView> {
        self.ask(|done| Wish::Price(price, done)).await
    }

    /// Returns whether a lease runs, opens or waits for its receipt, now and whenever that changes.
    pub fn occupancy(&self) -> watch::Receiver<bool> {
        self.occupied.clone()
    }

    /// Waits until no lease runs, opens or waits for its receipt, or the seller has stopped.
    pub async fn idle(&self) {
        let mut occupied = self.occupied.clone();
        let _stopped = occupied.wait_for(|occupied| !occupied).await;
    }

    async fn ask(
        &self,
        wish: impl FnOnce(oneshot::Sender<ProviderView>) -> Wish,
    ) -> Option<ProviderView> {
        let (done, answer) = oneshot::channel();
        self.wishes.send(wish(done)).await.ok()?;
        answer.await.ok()
    }
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
    offered: Option<Offered>,
    offered_at: Option<Timestamp>,
    paused: bool,
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
            self.offered.as_ref().map(|offer| offer.order)
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
        let seller = Self {
            report_hash: report_hash(&node, &gauge),
            node,
            gauge: Arc::new(gauge),
            config,
            reservations,
            wishes,
            notes,
            noted,
            offered: None,
            offered_at: None,
            paused: false,
            current: None,
            sealing: BTreeSet::new(),
            occupied: occupied_in,
            switch: switch_in,
            yield_took: None,
            problem: None,
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
        let mut retry = tokio::time::interval(POST_RETRY);
        loop {
            tokio::select! {
                Some(request) = self.reservations.recv() => self.reserve(request),
                Some(note) = self.noted.recv() => self.note(note).await,
                wish = self.wishes.recv() => match wish {
                    Some(wish) => self.grant(wish).await,
                    None => return,
                },
                _ = retry.tick() => self.keep_offering().await,
            }
        }
    }

    /// Posts the ask where none stands and one should, and again before it lapses.
    async fn keep_offering(&mut self) {
        if self.paused || self.current.is_some() {
            return;
        }
        if let Some(revoked) = self.node.standing.known() {
            self.problem = Some(revoked.to_string());
            return self.withdraw().await;
        }
        let reserve = self.node.settings.disk.reserve_bytes();
        if let Err(low) = check_room(self.node.home.path(), reserve, 0) {
            self.problem = Some(low.to_string());
            return self.withdraw().await;
        }
        let Some(now) = self.node.clock.now() else {
            self.problem = Some("no operator has answered yet".to_owned());
            return;
        };
        let fresh = self
            .offered_at
            .is_some_and(|at| now.saturating_since(at) < ASK_LIFETIME / 2);
        if self.offered.is_some() && fresh {
            return;
        }
        let Some(ask) = self.ask() else {
            self.problem = Some("the measured figures do not fit an ask".to_owned());
            return;
        };
        let posted = self
            .node
            .book
            .post(slot(), OrderBody::Ask(ask.clone()), ASK_LIFETIME);
        match posted.await {
            Ok(order) => {
                let report = self.gauge.report.clone();
                self.offered = Some(Offered { order, ask, report });
                self.offered_at = Some(now);
                self.problem = None;
            }
            Err(error) => self.problem = Some(format!("the offer is not posted: {error}")),
        }
    }

    fn ask(&self) -> Option<Ask> {
        Some(Ask {
            account: self.node.identity.account,
            class: self.gauge.class,
            price: self.config.price,
            gpus: 1,
            max_duration_s: self.config.max_duration_s,
            figures: AskFigures::of(&self.gauge.report.figures)?,
            upload_mb_per_s: None,
            network_mbit_per_s: None,
            attributes: Attributes::TRAIN | Attributes::INFER,
            sandbox_level: SANDBOX_LEVEL,
            evidence: Evidence::Report(self.report_hash),
            hold_bps: self.config.hold_bps,
            tick_ms: self.config.tick_ms,
        })
    }

    async fn withdraw(&mut self) {
        if self.offered.take().is_some()
            && let Err(error) = self.node.book.cancel(slot()).await
        {
            tracing::warn!(%error, "the offer could not be withdrawn; it lapses by itself");
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
        if self.paused {
            return Err(Refusal::Paused);
        }
        if self.current.is_some() {
            return Err(Refusal::Busy);
        }
        let (Some(offered), Some(now)) = (&self.offered, self.node.clock.now()) else {
            return Err(Refusal::OfferChanged("nothing is offered now".to_owned()));
        };
        let arrival = Arrival { from, now };
        let identity = &self.node.identity;
        reservation::accept(reservation, offered, identity, arrival, &self.node.chain())
    }

    async fn note(&mut self, note: Note) {
        match note {
            Note::Opened(agreement, lease) => {
                if self.paused {
                    // The owner wanted the machine back while the channel was being opened.
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
        }
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
            self.keep_offering().await;
        }
    }

    /// Ends the worker of the running lease, which is gone when this returns.
    async fn pull_switch(&self) {
        let switch = self.switch.borrow().clone();
        let _stopping = tokio::task::spawn_blocking(move || switch.pull()).await;
    }

    async fn grant(&mut self, wish: Wish) {
        let done = match wish {
            Wish::View(done) => done,
            Wish::Pause(took, done) => {
                self.paused = true;
                self.yield_took = took.or(self.yield_took);
                // A lease that began between the wish and this moment.
                self.pull_switch().await;
                if let Some(lease) = self.current.as_ref().and_then(|c| c.lease.as_ref()) {
                    lease.input(Input::Yield).await;
                }
                self.withdraw().await;
                done
            }
            Wish::Resume(done) => {
                self.paused = false;
                self.keep_offering().await;
                done
            }
            Wish::Price(price, done) => {
                self.config.price = price;
                self.offered_at = None;
                self.keep_offering().await;
                done
            }
        };
        let _gone = done.send(self.view());
    }
}

/// Signs the measurement as of now and returns the hash of that, which asks carry as their evidence.
fn report_hash(node: &Node, gauge: &Gauge) -> BlobHash {
    let now = node.clock.now().unwrap_or(gauge.report.measured_at);
    let report = gauge.report.clone().dated(now);
    let signed = Signed::sign(&report, &node.identity.node_key, &node.chain());
    BlobHash::of(&wire::encode(&signed))
}

fn slot() -> Slot {
    Slot::new(0).expect("0 is below 64")
}

#[cfg(test)]
mod tests;
