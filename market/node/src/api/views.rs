//! Owns the JSON that the local API speaks. Amounts are exact decimal strings of credits.
//!
//! Never computes anything.

use std::path::PathBuf;

use market::agreement::Meter;
use market::gpu::GpuClass;
use market::lease::Phase;
use market::progress::Progress;
use market::receipt::Outcome;
use market::{
    AccountId, AgreementId, Amount, BlobHash, ChainId, ChannelId, JobId, NodeId, OrderId,
    PricePerHour, Timestamp, TxId,
};
use serde::{Deserialize, Serialize};

/// `GET /v1/status`: the node at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusView {
    /// Version of the program.
    pub version: String,
    /// Name of the market.
    pub market: String,
    /// Its chain id.
    pub chain: ChainId,
    /// The account in whose name this node deals.
    pub account: AccountId,
    /// This machine.
    pub node: NodeId,
    /// Connected peers.
    pub peers: usize,
    /// Height of the newest verified block.
    pub height: Option<u64>,
    /// Whether the operator answered last time it was asked.
    pub operator_reachable: bool,
    /// Standing offers in this node's copy of the book.
    pub offers: usize,
    /// The account's money, as last verified.
    pub balance: Option<BalanceView>,
    /// Selling, where this node sells.
    pub provider: Option<ProviderView>,
    /// Jobs that this node bought and that are not over.
    pub jobs: Vec<JobView>,
    /// The best offers, one a class.
    pub best_prices: Vec<BestPrice>,
}

/// An account's money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceView {
    /// Whose.
    pub account: AccountId,
    /// What can be spent.
    pub available: Amount,
    /// What is locked in channels that this account pays from.
    pub in_channels: Amount,
    /// Height of the block that proves it.
    pub height: u64,
}

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
    /// Why not earning, in words; empty while earning.
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
}

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
    /// Fitting offers, best first.
    pub offers: Vec<OfferView>,
    /// Offers looked at.
    pub considered: usize,
    /// How many offers fall to each reason.
    pub rejections: Vec<(String, usize)>,
    /// The same in one line, for example `3 offers: 1 above your price`.
    pub summary: String,
    /// What will be locked.
    pub deposit: Amount,
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

/// `POST /v1/jobs`: buy a job. The answer is a stream of [`RunEvent`] lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRequest {
    /// Absolute path of the job file.
    pub job_file: PathBuf,
    /// Absolute folder for the outputs.
    pub output: PathBuf,
}

/// One line of a running job's stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// The request is accepted: the job file is read and its inputs are hashed.
    Accepted {
        /// The job.
        job: JobId,
    },
    /// An offer was chosen.
    Chosen {
        /// The offer.
        offer: Box<OfferView>,
        /// What the book said about the others.
        summary: String,
    },
    /// An offer fell through; the next one is tried.
    Refused {
        /// Which provider.
        node: NodeId,
        /// Why.
        reason: String,
    },
    /// The channel is open and proved.
    Opened {
        /// The agreement.
        agreement: AgreementId,
        /// The channel.
        channel: ChannelId,
        /// What is locked.
        deposit: Amount,
    },
    /// The lease entered a phase.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// The job reports.
    Progress {
        /// Milliseconds since the request was accepted.
        at_ms: u64,
        /// What.
        report: Progress,
    },
    /// More was promised.
    Paid {
        /// In all so far.
        promised: Amount,
    },
    /// An output is here and matches its hash.
    Output {
        /// File name.
        name: String,
        /// Content hash.
        hash: BlobHash,
        /// Length in bytes.
        bytes: u64,
        /// Where it lies.
        path: PathBuf,
    },
    /// The job is over and the money is settled.
    Finished(Box<JobView>),
    /// No standing offer fits the job, so nothing was bought.
    NothingFits {
        /// How many offers fall to each reason, for example `3 offers: 3 above your price`.
        summary: String,
    },
    /// The job could not be bought or was lost.
    Failed {
        /// What happened, why, and what to do next.
        reason: String,
    },
}

/// A bought job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    /// The job.
    pub job: JobId,
    /// The agreement.
    pub agreement: AgreementId,
    /// The channel.
    pub channel: ChannelId,
    /// `train` or `infer`.
    pub kind: String,
    /// The provider.
    pub provider: NodeId,
    /// The class.
    pub class: GpuClass,
    /// The price.
    pub price_per_hour: PricePerHour,
    /// Where it stands.
    pub phase: Phase,
    /// How it ended, once it has.
    pub outcome: Option<Outcome>,
    /// Locked at the opening.
    pub deposit: Amount,
    /// Promised or, once settled, paid.
    pub paid: Amount,
    /// Returned, once settled.
    pub refunded: Option<Amount>,
    /// Time metered.
    pub meter: Meter,
    /// Step and steps, where the job reports them.
    pub progress: Option<(u64, u64)>,
    /// Where the outputs are.
    pub output: PathBuf,
    /// Whether both sides signed the receipt.
    pub receipt: bool,
    /// When it began.
    pub started_at: Timestamp,
}

/// `POST /v1/provider/price`: a new asking price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceRequest {
    /// The price.
    pub price: PricePerHour,
}

/// `POST /v1/wallet/send`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendRequest {
    /// To whom.
    pub to: AccountId,
    /// How much.
    pub amount: Amount,
    /// A public note of at most 64 bytes.
    pub memo: String,
}

/// A transaction that is final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxView {
    /// The transaction.
    pub tx: TxId,
    /// Its block.
    pub height: u64,
}

/// One row of `GET /v1/wallet/history`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// Block.
    pub height: u64,
    /// The block's time.
    pub time: Timestamp,
    /// What it was, for example `transfer` or `channel open`.
    pub what: String,
    /// `+0.25` or `-0.25`, in credits.
    pub change: String,
    /// What the account could spend after it.
    pub balance: Amount,
    /// The transaction, unless the ledger acted by itself.
    pub tx: Option<TxId>,
    /// The note.
    pub memo: String,
}

/// `POST /v1/operator/issue`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueRequest {
    /// To whom.
    pub to: AccountId,
    /// How much.
    pub amount: Amount,
}

/// `GET /v1/operator/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorView {
    /// What newcomers join with.
    pub join: String,
    /// Newest block.
    pub height: u64,
    /// Its time.
    pub time: Timestamp,
    /// Connected peers.
    pub peers: usize,
    /// The sums of all money.
    pub audit: AuditView,
}

/// The sums of all money; `available + channels + fees = issued - redeemed - burned`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditView {
    /// Spendable in accounts.
    pub available: Amount,
    /// Locked in channels.
    pub channels: Amount,
    /// In the fee pool.
    pub fees: Amount,
    /// Issued ever.
    pub issued: Amount,
    /// Redeemed ever.
    pub redeemed: Amount,
    /// Burned ever.
    pub burned: Amount,
    /// Whether the equation holds.
    pub conserved: bool,
}

/// A channel as the ledger proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelView {
    /// Which.
    pub channel: ChannelId,
    /// Locked.
    pub deposit: Amount,
    /// Paid.
    pub claimed: Amount,
    /// Open, closing or closed.
    pub state: String,
}
