//! Owns selling as a whole: whether offers stand, which reservation is taken, how much was earned.
//!
//! One task owns the state; a lease at a time is run (the GPUs of a host are sold together for now).

use std::sync::Arc;
use std::time::Duration;

use market::lease::{Input, Lease, Role};
use market::order::{Ask, AskFigures, Attributes, Evidence, OrderBody, Slot};
use market::wire;
use market::{AccountId, AgreementId, Amount, BlobHash, PricePerHour, Signed, Timestamp};
use market_node::api::{GpuView, LeaseView, ProviderState, ProviderView, SandboxView};
use market_node::lease::{LeaseHandle, ReserveRequest};
use market_node::lease_protocol::{LeaseResponse, Refusal};
use market_node::node::Node;
use market_node::store::RecordKind;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use crate::gauge::Gauge;
use crate::lease::{JobStage, LeaseShell};
use crate::reservation::{self, Accepted, Arrival, Offered};

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

/// What was earned in one lease, as kept on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Earning {
    paid: Amount,
    ended_at: Timestamp,
}

#[derive(Debug)]
enum Wish {
    View(oneshot::Sender<ProviderView>),
    Pause(oneshot::Sender<ProviderView>),
    Resume(oneshot::Sender<ProviderView>),
    Price(PricePerHour, oneshot::Sender<ProviderView>),
}

/// Talks to the seller. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SellerHandle {
    wishes: mpsc::Sender<Wish>,
}

impl SellerHandle {
    /// Returns selling at a glance; `None` when the seller has stopped.
    pub async fn view(&self) -> Option<ProviderView> {
        self.ask(Wish::View).await
    }

    /// Stops the running job at once and withdraws all offers.
    pub async fn pause(&self) -> Option<ProviderView> {
        self.ask(Wish::Pause).await
    }

    /// Offers again.
    pub async fn resume(&self) -> Option<ProviderView> {
        self.ask(Wish::Resume).await
    }

    /// Asks another price from the next reservation on.
    pub async fn set_price(&self, price: PricePerHour) -> Option<ProviderView> {
        self.ask(|done| Wish::Price(price, done)).await
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
            problem: None,
        };
        (SellerHandle { wishes: wish }, seller)
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
        let opening = Opening {
            node: self.node.clone(),
            gauge: Arc::clone(&self.gauge),
            accepted,
            stage: stage_in,
            notes: self.notes.clone(),
        };
        tokio::spawn(opening.run(reply));
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
                self.current = None;
                self.keep_offering().await;
            }
        }
    }

    async fn keep_earning(&self, agreement: AgreementId, paid: Amount) {
        let ended_at = self.node.clock.now().unwrap_or(Timestamp::from_millis(0));
        let bytes = wire::encode(&Earning { paid, ended_at });
        let id = agreement.as_bytes();
        if let Err(error) = self
            .node
            .store
            .put_record(RecordKind::Lease, id, &bytes)
            .await
        {
            tracing::error!(%error, "what was earned could not be noted; the ledger has it");
        }
    }

    async fn grant(&mut self, wish: Wish) {
        let done = match wish {
            Wish::View(done) => done,
            Wish::Pause(done) => {
                self.paused = true;
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

    fn view(&self) -> ProviderView {
        let leased = self
            .current
            .as_ref()
            .filter(|current| current.lease.is_some());
        let (state, why) = match (self.paused, leased.is_some(), &self.offered) {
            (true, _, _) => (ProviderState::Paused, "paused by its owner".to_owned()),
            (_, true, _) => (ProviderState::Earning, String::new()),
            (_, _, Some(_)) => (
                ProviderState::Waiting,
                "the offer stands; nobody took it yet".to_owned(),
            ),
            (_, _, None) => {
                let problem = self.problem.clone();
                (
                    ProviderState::Offline,
                    problem.unwrap_or_else(|| "starting".to_owned()),
                )
            }
        };
        let (earned, earned_today) = self.earnings();
        ProviderView {
            state,
            why,
            price: self.config.price,
            earned,
            earned_today,
            gpus: vec![self.gpu_view()],
            sandbox: self.sandbox_view(),
            lease: leased.and_then(lease_view),
        }
    }

    fn gpu_view(&self) -> GpuView {
        let report = &self.gauge.report;
        GpuView {
            adapter: report.adapter.name.to_string(),
            class: self.gauge.class,
            gemm_mflops: report.figures.sustained_gemm_fp32_mflops.unwrap_or(0),
            memory_bytes: report.figures.usable_memory_bytes.unwrap_or(0),
        }
    }

    fn sandbox_view(&self) -> SandboxView {
        SandboxView {
            ready: true,
            layers: layer_names(&self.gauge.self_test.locked),
            problem: None,
        }
    }

    /// Sums what the store has of ended leases: in all, and of the last 24 hours of protocol time.
    fn earnings(&self) -> (Amount, Amount) {
        let since = self.node.clock.now().map_or(u64::MAX, Timestamp::as_millis);
        let since = since.saturating_sub(24 * 3_600_000);
        let records = self
            .node
            .store
            .records(RecordKind::Lease)
            .unwrap_or_default();
        let mut sums = (Amount::ZERO, Amount::ZERO);
        for (_, bytes) in records {
            let Ok(earning) = wire::decode::<Earning>(&bytes, 64) else {
                continue;
            };
            sums.0 = sums.0.checked_add(earning.paid).unwrap_or(sums.0);
            if earning.ended_at.as_millis() >= since {
                sums.1 = sums.1.checked_add(earning.paid).unwrap_or(sums.1);
            }
        }
        sums
    }
}

/// Signs the measurement as of now and returns the hash of that, which asks carry as their evidence.
fn report_hash(node: &Node, gauge: &Gauge) -> BlobHash {
    let now = node.clock.now().unwrap_or(gauge.report.measured_at);
    let report = gauge.report.clone().dated(now);
    let signed = Signed::sign(&report, &node.identity.node_key, &node.chain());
    BlobHash::of(&wire::encode(&signed))
}

/// Names the layers of a locked worker, each with what was observed.
pub(crate) fn layer_names(report: &sandbox::LockedReport) -> Vec<String> {
    let layers = report.layers.iter();
    layers
        .map(|layer| format!("{}: {}", layer.name, layer.evidence))
        .collect()
}

fn slot() -> Slot {
    Slot::new(0).expect("0 is below 64")
}

fn lease_view(current: &Current) -> Option<LeaseView> {
    let snapshot = current.lease.as_ref()?.snapshot();
    let stage = *current.stage.borrow();
    Some(LeaseView {
        agreement: current.agreement,
        payer: current.payer,
        phase: snapshot.phase,
        meter: snapshot.meter,
        promised: snapshot.promised,
        price_per_hour: current.price,
        progress: stage.progress,
        loss: stage.loss,
    })
}

/// One accepted reservation on its way to a running lease.
struct Opening {
    node: Node,
    gauge: Arc<Gauge>,
    accepted: Accepted,
    stage: watch::Sender<JobStage>,
    notes: mpsc::Sender<Note>,
}

impl Opening {
    /// Submits the opening, answers the payer, and runs the lease to its end.
    async fn run(self, reply: market_node::network::Reply<LeaseResponse>) {
        let agreement = self.accepted.terms.id(&self.node.chain());
        let notes = self.notes.clone();
        let proof = match self.node.ledger.submit(&self.accepted.open).await {
            Ok(proof) => proof,
            Err(error) => {
                let refusal = if error.is_temporary() {
                    Refusal::Operator(error.to_string())
                } else {
                    Refusal::Ledger(error.to_string())
                };
                reply.send(LeaseResponse::Refused(refusal));
                let _stopped = notes.send(Note::Over(agreement, None)).await;
                return;
            }
        };
        let (lease, effects, shell) = self.open().await;
        // The lease is registered before the payer hears that it is open, so no message can miss it.
        reply.send(LeaseResponse::Reserved(Box::new(proof)));
        lease.input(Input::Opened).await;
        let _stopped = notes.send(Note::Opened(agreement, lease)).await;
        let ending = shell.run(effects).await;
        let paid = ending.map(|ending| ending.paid);
        let _stopped = notes.send(Note::Over(agreement, paid)).await;
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
        let machine = Lease::new(Role::Payee, terms, chain, key, now);
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
