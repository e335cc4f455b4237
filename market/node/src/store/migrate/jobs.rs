//! Owns the form that a bought job had in schema 1, and which run it is now.
//!
//! Never makes anything up: what schema 1 did not know stays unknown.

use std::path::PathBuf;

use market::agreement::Meter;
use market::gpu::GpuClass;
use market::lease::Phase;
use market::receipt::Outcome;
use market::wire::WireError;
use market::{AgreementId, Amount, ChannelId, JobId, NodeId, PricePerHour, Timestamp, wire};
use serde::{Deserialize, Serialize};

use crate::api::{JobView, RunId};

/// The most bytes of a job's record in schema 1.
const MAX_BYTES: usize = 16 << 10;

/// A job's record in schema 1.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    job: JobId,
    agreement: AgreementId,
    channel: ChannelId,
    kind: String,
    provider: NodeId,
    class: GpuClass,
    price_per_hour: PricePerHour,
    phase: Phase,
    outcome: Option<Outcome>,
    deposit: Amount,
    paid: Amount,
    refunded: Option<Amount>,
    meter: Meter,
    progress: Option<(u64, u64)>,
    output: PathBuf,
    receipt: bool,
    started_at: Timestamp,
}

/// Turns a job's record into that of a run of one attempt, which is named after its agreement.
///
/// # Errors
/// It is not a job's record of schema 1.
pub(super) fn as_run(bytes: &[u8]) -> Result<Vec<u8>, WireError> {
    let job: Job = wire::decode(bytes, MAX_BYTES)?;
    Ok(wire::encode(&JobView {
        run: run_of(job.agreement),
        attempts: 1,
        job: job.job,
        agreement: job.agreement,
        channel: job.channel,
        kind: job.kind,
        provider: job.provider,
        class: job.class,
        price_per_hour: job.price_per_hour,
        phase: job.phase,
        outcome: job.outcome,
        deposit: job.deposit,
        paid: job.paid,
        refunded: job.refunded,
        pending_refund: None,
        meter: job.meter,
        progress: job.progress,
        output: job.output,
        receipt: job.receipt,
        started_at: job.started_at,
        note: None,
    }))
}

fn run_of(agreement: AgreementId) -> RunId {
    let mut run = [0; 8];
    run.copy_from_slice(&agreement.as_bytes()[..8]);
    RunId::from_bytes(run)
}
