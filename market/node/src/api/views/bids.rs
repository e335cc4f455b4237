//! Owns the JSON of bids that stand: the request, and what is known of one that waits.
//!
//! Never computes anything.

use std::fmt;
use std::path::PathBuf;

use market::gpu::GpuClass;
use market::job::JobSpec;
use market::{Amount, JobId, OrderId, PricePerHour, Timestamp};
use serde::{Deserialize, Serialize};

use super::{BudgetView, JobDetail, JobView, RunId};

/// The longest that a bid stands, in seconds: seven days.
pub const MAX_BID_S: u32 = 7 * 24 * 3600;

/// `POST /v1/bids`: bid for a job. The answer is a stream of [`super::RunEvent`] lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BidRequest {
    /// Absolute path of the job file.
    pub job_file: PathBuf,
    /// Absolute folder for the outputs.
    pub output: PathBuf,
    /// The most that a GPU may cost for an hour; the job file's own limit holds as well.
    pub max_price: PricePerHour,
    /// How long the bid stands, in seconds; 1 to [`MAX_BID_S`].
    pub stands_s: u32,
    /// The least class that will do; any that can do the job without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<GpuClass>,
}

/// Where a bid stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BidState {
    /// Nobody has sold yet.
    Waiting,
    /// An offer is being reserved.
    Filling,
    /// It became a lease; the run says what became of that.
    Filled,
    /// Its time ended and nobody had sold.
    Unsold,
    /// The person wanted it no more.
    Cancelled,
    /// It could not go on; its note says why.
    Failed,
}

impl BidState {
    /// Tells whether it may still be filled.
    pub fn stands(self) -> bool {
        matches!(self, Self::Waiting | Self::Filling)
    }
}

impl fmt::Display for BidState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Waiting => "waiting for an offer",
            Self::Filling => "reserving an offer",
            Self::Filled => "filled",
            Self::Unsold => "nobody sold",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        })
    }
}

/// A run that bids: nothing is bought for it yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BidView {
    /// The run, which it stays when it is filled.
    pub run: RunId,
    /// `train` or `infer`.
    pub kind: String,
    /// The job.
    pub job: JobId,
    /// The order in the book; none while none stands there.
    pub order: Option<OrderId>,
    /// The least class that the order asks for.
    pub class: GpuClass,
    /// The most that a GPU may cost for an hour.
    pub max_price: PricePerHour,
    /// GPUs wanted in one host.
    pub gpus: u16,
    /// The most that is locked when it is filled.
    pub deposit: Amount,
    /// When it began.
    pub since: Timestamp,
    /// When it ends, in protocol time.
    pub until: Timestamp,
    /// Where it stands.
    pub state: BidState,
    /// Why the offers of the book do not fit, as it was last seen: `40 offers: 31 too little memory, 9 above your
    /// price`.
    pub misfits: Option<String>,
    /// Where the outputs will be.
    pub output: PathBuf,
    /// What a person should know now, in one line.
    pub note: Option<String>,
}

/// `GET /v1/jobs/{id}` of a run that bids: everything that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BidDetail {
    /// The bid at a glance.
    pub bid: BidView,
    /// What the run may cost.
    pub budget: BudgetView,
    /// What was asked for.
    pub spec: JobSpec,
    /// The least level of the sandbox that a provider must have.
    pub sandbox_level: u8,
    /// The numbers of the first line of the run's stream that is kept, and of the next one that will be told.
    pub events: (u64, u64),
}

/// A run at a glance: one that has bought something, or a bid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RunView {
    /// It has bought something.
    Job(Box<JobView>),
    /// It bids, or bid until it ended unfilled.
    Bid(Box<BidView>),
}

/// Everything that is known of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RunDetail {
    /// It has bought something.
    Job(Box<JobDetail>),
    /// It bids, or bid until it ended unfilled.
    Bid(Box<BidDetail>),
}
