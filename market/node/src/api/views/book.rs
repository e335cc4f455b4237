//! Owns the JSON of what the book and a quote look like.
//!
//! Never computes anything.

use std::path::PathBuf;

use market::gpu::GpuClass;
use market::order::Attributes;
use market::{AccountId, Amount, JobId, NodeId, OrderId, PricePerHour, Timestamp};
use serde::{Deserialize, Serialize};

/// The cheapest offer of a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BestPrice {
    /// The class.
    pub class: GpuClass,
    /// Its lowest price.
    pub price: PricePerHour,
    /// Offers of the class.
    pub offers: usize,
}

/// `GET /v1/book`: this node's copy of the book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookView {
    /// Protocol time of the view.
    pub time: Option<Timestamp>,
    /// Standing asks, cheapest first within a class.
    pub asks: Vec<BookRow>,
}

/// One standing ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookRow {
    /// The order.
    pub order: OrderId,
    /// Who sells.
    pub account: AccountId,
    /// On which machine.
    pub node: NodeId,
    /// What.
    pub class: GpuClass,
    /// For how much.
    pub price: PricePerHour,
    /// How many GPUs.
    pub gpus: u16,
    /// The longest lease in seconds.
    pub max_duration_s: u32,
    /// Usable memory in MiB.
    pub usable_mib: u64,
    /// Sustained fp32 matrix product of one GPU in 10^6 operations a second.
    pub gemm_mflops: u32,
    /// Sustained f16 matrix product of one GPU in 10^6 operations a second; `None` where it is not known.
    pub f16_mflops: Option<u32>,
    /// Memory bandwidth in 10^9 bytes a second; `None` where it is not known.
    pub gb_per_s: Option<u16>,
    /// Upload from host to GPU in 10^6 bytes a second; `None` where it is not known.
    pub upload_mb_per_s: Option<u16>,
    /// Network upload in 10^6 bits a second; `None` where it is not known.
    pub network_mbit_per_s: Option<u16>,
    /// What the offer can do, as the bits of the set.
    pub attributes: Attributes,
    /// The level that the sandbox's self-test reached.
    pub sandbox_level: u8,
    /// Whether a listing certificate backs it.
    pub proven: bool,
    /// Seconds until it lapses.
    pub expires_in_s: u64,
}

/// `POST /v1/quote`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteRequest {
    /// Absolute path of the job file.
    pub job_file: PathBuf,
}

/// Ranked offers for a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteView {
    /// The job.
    pub job: JobId,
    /// Fitting offers, best first; of very many, the best.
    pub offers: Vec<OfferView>,
    /// How many offers fit.
    pub fitting: usize,
    /// Offers looked at.
    pub considered: usize,
    /// How many offers fall to each reason.
    pub rejections: Vec<(String, usize)>,
    /// The same in one line, for example `3 offers: 1 above your price`.
    pub summary: String,
    /// The one change of the job that would let most of the others fit, in words: `at 0.24 cr/h: 5 offers`.
    pub hint: Option<String>,
    /// What the best offer is expected to cost; `None` where nothing fits.
    pub expected: Option<CostView>,
    /// What will be locked.
    pub deposit: Amount,
}

/// What a job is expected to cost the buyer, and its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostView {
    /// Everything.
    pub total: Amount,
    /// For the predicted time at the full rate, at least one tick.
    pub running: Amount,
    /// The ledger's fee for opening the channel.
    pub opening_fee: Amount,
}

/// One fitting offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferView {
    /// The ask.
    pub row: BookRow,
    /// Predicted seconds of work.
    pub expected_seconds: u64,
    /// Predicted cost.
    pub expected_total: Amount,
}
