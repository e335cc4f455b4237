//! Owns `nightshift doctor`: named checks of a home, its machine and its market, each with what was seen and
//! what to do.
//!
//! Never repairs anything, and works with and without a running node.

mod check;
mod home_checks;
mod machine_checks;
mod market_checks;
mod store_checks;

use market_node::api::{ApiClient, StatusView};
use market_node::config::Config;
use market_node::home::{Holder, Home, HomeLock};
use serde::{Deserialize, Serialize};

use self::check::{Check, Verdict};
use crate::cli::Context;
use crate::words;

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// What is known of a home before its checks begin.
struct Patient {
    home: Home,
    /// The settings, or the defaults where they cannot be read; that is a check of its own.
    settings: Config,
    node: NodeState,
}

/// Whether a node runs in the home.
enum NodeState {
    /// It does and answers.
    Answers(Box<Running>),
    /// Some process has the home and its node does not answer.
    Silent(Option<u32>),
    /// None does; nobody can start one while the doctor looks.
    Absent(Option<HomeLock>),
}

/// What a running node says.
struct Running {
    pid: Option<u32>,
    status: StatusView,
    network: Option<NetworkFacts>,
}

/// The part of `GET /v1/network` that is looked at.
#[derive(Deserialize)]
struct NetworkFacts {
    listening: Vec<String>,
    advertised: Vec<String>,
    peers: Vec<PeerFacts>,
}

#[derive(Deserialize)]
struct PeerFacts {
    version_gaps: Vec<String>,
}

/// All checks, as `--json` prints them.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    checks: Vec<Check>,
    failed: usize,
    warnings: usize,
}

/// Examines the home. Fails where a check failed.
pub(crate) async fn execute(_args: Args, context: &Context) -> anyhow::Result<()> {
    let checks = match context.home() {
        Ok(home) => examine(home).await,
        Err(error) => vec![home_checks::unusable(&error)],
    };
    let count = |verdict| {
        checks
            .iter()
            .filter(|check| check.verdict == verdict)
            .count()
    };
    let report = Report {
        failed: count(Verdict::Failed),
        warnings: count(Verdict::Warning),
        checks,
    };
    context.print(&report, text)?;
    anyhow::ensure!(
        report.failed == 0,
        "{} failed; each says above what to do",
        words::plural(report.failed, "check")
    );
    Ok(())
}

async fn examine(home: Home) -> Vec<Check> {
    let settings = home_checks::settings(&home);
    let mut checks = vec![
        settings.check,
        home_checks::permissions(&home),
        home_checks::keys(&home),
    ];
    let node = node_state(&home).await;
    let patient = Patient {
        settings: settings.config,
        node,
        home,
    };
    checks.push(home_checks::instance(&patient));
    checks.push(home_checks::market(&patient.home));
    checks.push(store_checks::store(&patient));
    checks.push(store_checks::journal(&patient));
    checks.push(store_checks::ledger(&patient));
    checks.push(machine_checks::disk(&patient));
    checks.extend(market_checks::all(&patient).await);
    checks.extend(machine_checks::selling().await);
    checks
}

async fn node_state(home: &Home) -> NodeState {
    match home.holder() {
        Ok(Holder::Nobody) => NodeState::Absent(home.lock().ok()),
        Ok(Holder::Process(pid)) => match ask(home).await {
            Some((status, network)) => NodeState::Answers(Box::new(Running {
                pid,
                status,
                network,
            })),
            None => NodeState::Silent(pid),
        },
        Err(_) => NodeState::Absent(None),
    }
}

async fn ask(home: &Home) -> Option<(StatusView, Option<NetworkFacts>)> {
    let client = ApiClient::connect(home).await.ok()?;
    let status = client.get("/v1/status").await.ok()?;
    Some((status, client.get("/v1/network").await.ok()))
}

/// Writes one line a check, and the advice below it.
pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    for check in &report.checks {
        let verdict = check.verdict.word();
        let evidence = words::printable(&check.evidence);
        text.push_str(&format!("{verdict:<8} {:<12} {evidence}\n", check.name));
        if let Some(advice) = &check.advice {
            text.push_str(&format!("{:21} {}\n", "", words::printable(advice)));
        }
    }
    let (failed, warnings) = (report.failed, report.warnings);
    let counts = format!(
        "{}: {failed} failed, {}.\n",
        words::plural(report.checks.len(), "check"),
        words::plural(warnings, "warning")
    );
    text + &counts
}

#[cfg(test)]
mod tests;
