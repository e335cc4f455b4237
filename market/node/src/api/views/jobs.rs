//! Owns the JSON of bought jobs: the request, the stream of events, and what is known of a run.
//!
//! Never computes anything.

use std::path::PathBuf;

use market::agreement::{Meter, Rates};
use market::gpu::GpuClass;
use market::job::JobSpec;
use market::lease::Phase;
use market::progress::Progress;
use market::receipt::Outcome;
use market::{
    AgreementId, Amount, BlobHash, ChannelId, JobId, NodeId, OrderId, PricePerHour, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{OfferView, RunId};

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
    /// The request has arrived: its job file and inputs are read now. Until it is accepted, it ends when the one who
    /// made it goes away.
    Requested {
        /// The run: one purchase, over as many agreements as it takes.
        run: RunId,
    },
    /// The request is accepted: the job file is read and its inputs are hashed.
    Accepted {
        /// The run: one purchase, over as many agreements as it takes.
        run: RunId,
        /// The job.
        job: JobId,
    },
    /// A bid stands in the book; from now on the run goes on when nobody reads.
    Standing {
        /// The order.
        order: OrderId,
        /// The least class that it asks for.
        class: GpuClass,
        /// The most that a GPU may cost for an hour.
        max_price: PricePerHour,
        /// When it ends, in protocol time.
        until: Timestamp,
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
        /// Which agreement it is a report of; none where an older release noted it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agreement: Option<AgreementId>,
        /// Which report of its agreement it is, from 0; releases before did not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
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
    /// The provider has said nothing for a while; nothing more is signed meanwhile.
    Silent {
        /// Milliseconds since its last word.
        since_ms: u64,
    },
    /// The provider is heard again.
    Back,
    /// This attempt is given up; what was delivered stays.
    Lost {
        /// Why, in words.
        reason: String,
    },
    /// Money of an attempt that was given up comes back when the ledger's window ends.
    PendingRefund {
        /// At least how much.
        amount: Amount,
        /// When.
        due_at: Timestamp,
    },
    /// The job goes on with another provider.
    Moved {
        /// Which attempt this is, from 2.
        attempt: u32,
        /// After which step it goes on; 0 begins again.
        from_step: u64,
    },
    /// Something to know, in one line.
    Note {
        /// The line.
        line: String,
    },
    /// The run is over. Its money is settled, but for what `pending_refund` says.
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

/// A run: one purchase, as its newest attempt stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    /// The run.
    pub run: RunId,
    /// Agreements that were opened for it so far.
    pub attempts: u32,
    /// The job.
    pub job: JobId,
    /// The newest agreement.
    pub agreement: AgreementId,
    /// Its channel.
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
    /// The most that all attempts together can pay: what was locked for the newest, and what was paid before.
    pub deposit: Amount,
    /// Promised or, once settled, paid; over all attempts.
    pub paid: Amount,
    /// What is left of the deposit, once everything is settled.
    pub refunded: Option<Amount>,
    /// What is still on its way back, and when it is due.
    pub pending_refund: Option<PendingRefund>,
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
    /// What a person should know now, in one line.
    pub note: Option<String>,
}

/// Money on its way back from channels that were closed by this side alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRefund {
    /// At least how much.
    pub amount: Amount,
    /// When the last of it is due, in protocol time.
    pub due_at: Timestamp,
}

/// `GET /v1/jobs/{id}`: everything that is known of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobDetail {
    /// The run at a glance.
    pub job: JobView,
    /// Its agreements, the oldest first.
    pub attempts: Vec<AttemptView>,
    /// What was delivered, in order; one file stands once.
    pub artefacts: Vec<ArtefactView>,
    /// What it may cost.
    pub budget: BudgetView,
    /// What was asked for.
    pub spec: JobSpec,
    /// The least level of the sandbox that every provider must have.
    pub sandbox_level: u8,
    /// The step after which another provider would go on; none before the first checkpoint.
    pub checkpoint_step: Option<u64>,
    /// The numbers of the first line of the run's stream that is kept, and of the next one that will be told.
    pub events: (u64, u64),
}

/// One agreement of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptView {
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The agreement.
    pub agreement: AgreementId,
    /// Its channel.
    pub channel: ChannelId,
    /// The provider.
    pub provider: NodeId,
    /// The class.
    pub class: GpuClass,
    /// Price, ticks and rates.
    pub rates: Rates,
    /// Where it stands.
    pub phase: Phase,
    /// How it ended, once it has.
    pub outcome: Option<Outcome>,
    /// Why it was given up, where it was.
    pub lost: Option<String>,
    /// After which step it began; 0 from the beginning.
    pub from_step: u64,
    /// Time metered.
    pub meter: Meter,
    /// Locked at the opening.
    pub deposit: Amount,
    /// Promised or, once settled, paid.
    pub paid: Amount,
    /// Returned, once settled.
    pub refunded: Option<Amount>,
    /// What is on its way back, and when it is due.
    pub pending_refund: Option<PendingRefund>,
    /// Whether both sides signed the receipt.
    pub receipt: bool,
    /// When it was opened.
    pub started_at: Timestamp,
}

/// One delivered file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtefactView {
    /// File name inside the output folder.
    pub name: String,
    /// Content hash.
    pub hash: BlobHash,
    /// Length in bytes.
    pub bytes: u64,
    /// Where it lies.
    pub path: PathBuf,
    /// When it had arrived, in protocol time.
    pub delivered_at: Timestamp,
}

/// What a run may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BudgetView {
    /// The most that a GPU may cost for an hour; any price without it.
    pub max_price: Option<PricePerHour>,
    /// The most that the run may cost in all attempts together; without it the time limit at the first price.
    pub total: Option<Amount>,
    /// Ticks paid beyond the last delivered output.
    pub delivery_ticks: Option<u16>,
}

/// One line of `GET /v1/jobs/{id}/events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumberedEvent {
    /// Its number in the run, from 0. Numbers may be missing: old steps are dropped first.
    pub n: u64,
    /// The event.
    pub event: RunEvent,
}

/// `POST /v1/jobs/{id}/fetch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchRequest {
    /// Absolute folder to copy to.
    pub output: PathBuf,
}
