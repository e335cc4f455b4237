//! Owns the JSON of what a node that sells says and takes.
//!
//! Never computes anything.

use market::agreement::Meter;
use market::gpu::GpuClass;
use market::lease::Phase;
use market::{AccountId, AgreementId, Amount, PricePerHour};
use serde::{Deserialize, Serialize};

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

/// `POST /v1/provider/price`: a new asking price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceRequest {
    /// The price.
    pub price: PricePerHour,
}
