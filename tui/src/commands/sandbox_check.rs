//! Owns `nightshift sandbox check`: lets a worker attack its own confinement and shows what stopped it.
//!
//! Never claims a layer from its configuration; every row is something that was tried.

use std::time::Duration;

use engine::EngineDevice;
use sandbox::{DriverProfile, Limits, Sandbox, SandboxLevel};
use serde::Serialize;

use crate::cli::Context;

/// How long the attacks may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Arguments of `sandbox check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Row {
    attack: String,
    result: &'static str,
    evidence: String,
}

/// Tries every attack on this machine. Fails where one gets through.
pub(crate) async fn execute(_args: Args, context: &Context) -> anyhow::Result<()> {
    let program = provider::worker::program(&EngineDevice::Flex);
    let sandbox = Sandbox::new(program, DriverProfile::cpu(), Limits::default());
    let report = tokio::task::spawn_blocking(move || sandbox.self_test(TIMEOUT)).await??;
    let rows: Vec<Row> = report
        .rows
        .iter()
        .map(|row| Row {
            attack: row.attack.to_string(),
            result: if row.open() { "not stopped" } else { "stopped" },
            evidence: format!(
                "without seccomp: {}; locked: {}; seen by the agent: {}",
                row.without_seccomp, row.locked, row.arrived
            ),
        })
        .collect();
    context.print(&rows, |rows| {
        let lines = rows
            .iter()
            .map(|row| format!("{:<12} {:<40} {}\n", row.result, row.attack, row.evidence));
        lines.collect()
    })?;
    anyhow::ensure!(
        report.level != SandboxLevel::Closed,
        "an attack got through, so this machine offers nothing; the rows above say which"
    );
    Ok(())
}
