//! Owns `nightshift bench order`.
//!
//! Never measures anything but the whole way: request, quote, reservation, opening, worker, first step.

use market::progress::Progress;
use market_node::api::{RunEvent, RunRequest};
use serde::Serialize;

use super::percentile;
use crate::cli::Context;
use crate::commands::demo::{DemoMarket, Plan, tiny_job};

/// Arguments of `bench order`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many jobs, one after the other
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    jobs: u32,
}

#[derive(Serialize)]
struct Measured {
    jobs: usize,
    p50_ms: u64,
    p95_ms: u64,
    max_ms: u64,
    samples_ms: Vec<u64>,
}

/// Buys the same tiny training job again and again.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let work = async |market: &DemoMarket| measure(market, folder.path(), args.jobs).await;
    let mut samples_ms = DemoMarket::run(folder.path(), Plan::demo(), work).await?;
    samples_ms.sort_unstable();
    let measured = Measured {
        jobs: samples_ms.len(),
        p50_ms: percentile(&samples_ms, 50),
        p95_ms: percentile(&samples_ms, 95),
        max_ms: percentile(&samples_ms, 100),
        samples_ms,
    };
    context.print(&measured, |measured| {
        format!(
            "order to running over {} jobs: p50 {} ms, p95 {} ms, max {} ms",
            measured.jobs, measured.p50_ms, measured.p95_ms, measured.max_ms
        )
    })
}

async fn measure(
    market: &DemoMarket,
    folder: &std::path::Path,
    jobs: u32,
) -> anyhow::Result<Vec<u64>> {
    let job_file = tiny_job(folder)?;
    let mut samples = Vec::new();
    for number in 0..jobs {
        let request = RunRequest {
            job_file: job_file.clone(),
            output: folder.join(format!("out-{number}")),
        };
        let mut lines = market.consumer.api.post_lines("/v1/jobs", &request).await?;
        let mut first = None;
        while let Some(event) = lines.next::<RunEvent>().await? {
            match event {
                RunEvent::Progress {
                    at_ms,
                    report: Progress::Step(_),
                    ..
                } => first = first.or(Some(at_ms)),
                RunEvent::NothingFits { summary } => anyhow::bail!("job {number}: {summary}"),
                RunEvent::Failed { reason } => anyhow::bail!("job {number}: {reason}"),
                _ => {}
            }
        }
        let first = first.ok_or_else(|| anyhow::anyhow!("job {number} reported no step"))?;
        eprintln!("job {number}: {first} ms");
        samples.push(first);
    }
    Ok(samples)
}
