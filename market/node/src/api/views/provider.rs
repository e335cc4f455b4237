//! Owns the JSON of what a node that sells says and takes.
//!
//! Never computes anything.

use market::agreement::Meter;
use market::gpu::GpuClass;
use market::lease::Phase;
use market::{AccountId, AgreementId, Amount, OrderId, PricePerHour};
use matching::Position;
use serde::{Deserialize, Serialize};

use crate::config::Strategy;

/// The one word for how selling goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderState {
    /// A lease runs.
    Earning,
    /// Offers stand.
    Waiting,
    /// The owner paused selling.
    Paused,
    /// Nothing is offered, and the view says why.
    Offline,
}

/// Selling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProviderView {
    /// In one word.
    pub state: ProviderState,
    /// Why not earning, in words; while earning, why the job stands still, or nothing.
    pub why: String,
    /// Asked price.
    pub price: PricePerHour,
    /// What is asked, and how that is made.
    pub ask: StandingAsk,
    /// How the ask stands among those of others, where one stands and the book was read since.
    pub position: Option<Position>,
    /// Earned in leases since this home exists.
    pub earned: Amount,
    /// Earned in the last 24 hours of protocol time.
    pub earned_today: Amount,
    /// Measured GPUs.
    pub gpus: Vec<GpuView>,
    /// What confines jobs.
    pub sandbox: SandboxView,
    /// The running lease.
    pub lease: Option<LeaseView>,
    /// How long the last yield took from the wish to the end of the worker, in milliseconds.
    pub yield_took_ms: Option<u64>,
}

/// The ask of this node, or what it would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingAsk {
    /// The order; `None` where nothing stands in the book.
    pub order: Option<OrderId>,
    /// The class that is sold.
    pub class: GpuClass,
    /// What a GPU-hour costs.
    pub price: PricePerHour,
    /// Where the price comes from, in words.
    pub why: String,
    /// How the price follows the market.
    pub strategy: Strategy,
    /// The price of the strategy `fixed`, and where there is nothing to follow.
    pub set_price: PricePerHour,
    /// The owner's floor.
    pub floor: PricePerHour,
    /// The floor or the cost of power, whichever is more: never less is asked.
    pub least: PricePerHour,
    /// How far below the lowest ask of others the strategy `undercut` asks.
    pub undercut_step: PricePerHour,
    /// What the GPU draws at work, in watts; 0 while unknown.
    pub watts: u32,
    /// What a kilowatt-hour costs; zero while unknown.
    pub tariff: Amount,
    /// What the strategy `cost` adds to the cost of power.
    pub margin: PricePerHour,
}

/// One measured adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuView {
    /// Name as the driver gives it.
    pub adapter: String,
    /// Class that it sells in.
    pub class: GpuClass,
    /// Median fp32 matrix product rate in MFLOP/s.
    pub gemm_mflops: u64,
    /// Usable memory in bytes.
    pub memory_bytes: u64,
}

/// What confines jobs on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SandboxView {
    /// Whether every attack of the quick self-test is stopped; without that nothing is offered.
    pub ready: bool,
    /// The layers in force.
    pub layers: Vec<String>,
    /// What is missing and what to do, where not ready.
    pub problem: Option<String>,
}

/// A lease as its provider sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeaseView {
    /// Which agreement.
    pub agreement: AgreementId,
    /// Who pays.
    pub payer: AccountId,
    /// Where it stands.
    pub phase: Phase,
    /// Time metered.
    pub meter: Meter,
    /// Promised so far.
    pub promised: Amount,
    /// Price.
    pub price_per_hour: PricePerHour,
    /// Step and steps of the running job, where it reports them.
    pub progress: Option<(u64, u64)>,
    /// Last training loss in nats a token.
    pub loss: Option<f32>,
    /// One line in words, where the job stands still or its buyer is out of reach.
    pub note: Option<String>,
}

/// `POST /v1/provider/ask`: what is to be different from now on; what is absent stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AskChange {
    /// The price of the strategy `fixed`, and where there is nothing to follow.
    pub price: Option<PricePerHour>,
    /// The least that is asked.
    pub floor: Option<PricePerHour>,
    /// How the price follows the market.
    pub strategy: Option<Strategy>,
    /// How far below the lowest ask of others the strategy `undercut` asks.
    pub undercut_step: Option<PricePerHour>,
    /// What the GPU draws at work, in watts.
    pub watts: Option<u32>,
    /// What a kilowatt-hour costs.
    pub tariff: Option<Amount>,
    /// What the strategy `cost` adds to the cost of power.
    pub margin: Option<PricePerHour>,
}

impl AskChange {
    /// Tells whether the change leaves everything as it is.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `POST /v1/provider/price`: a new asking price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceRequest {
    /// The price.
    pub price: PricePerHour,
}
