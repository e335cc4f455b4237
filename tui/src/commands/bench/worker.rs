//! Owns `nightshift bench worker`.
//!
//! Never gives a job to the unconfined worker: that start has no way to take one.

use std::time::{Duration, Instant};

use engine::EngineDevice;
use sandbox::{DriverProfile, Limits, Sandbox, time_unconfined_start};
use serde::Serialize;

use super::percentile;
use crate::cli::Context;

/// How long one start may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Arguments of `bench worker`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Starts of each kind, in turn
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    starts: u32,
}

#[derive(Serialize)]
struct Measured {
    starts: u32,
    confined_p50_ms: u64,
    confined_max_ms: u64,
    unconfined_p50_ms: u64,
    unconfined_max_ms: u64,
}

/// Starts workers of both kinds in turn.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let measured = tokio::task::spawn_blocking(move || measure(args.starts)).await??;
    context.print(&measured, |measured| {
        format!(
            "worker start to LOCKED over {} starts: p50 {} ms, max {} ms\n\
             the same warm-up unconfined:           p50 {} ms, max {} ms",
            measured.starts,
            measured.confined_p50_ms,
            measured.confined_max_ms,
            measured.unconfined_p50_ms,
            measured.unconfined_max_ms
        )
    })
}

fn measure(starts: u32) -> anyhow::Result<Measured> {
    let program = provider::worker::program(&EngineDevice::Flex);
    let sandbox = Sandbox::new(program.clone(), DriverProfile::cpu(), Limits::default());
    let (mut confined, mut unconfined) = (Vec::new(), Vec::new());
    for _ in 0..starts {
        let begun = Instant::now();
        let worker = sandbox.launch()?.wait_locked(TIMEOUT)?;
        confined.push(millis(begun.elapsed()));
        worker.kill();
        unconfined.push(millis(time_unconfined_start(&program)?));
    }
    confined.sort_unstable();
    unconfined.sort_unstable();
    Ok(Measured {
        starts,
        confined_p50_ms: percentile(&confined, 50),
        confined_max_ms: percentile(&confined, 100),
        unconfined_p50_ms: percentile(&unconfined, 50),
        unconfined_max_ms: percentile(&unconfined, 100),
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
