//! Owns `nightshift cancel`: ends one run.
//!
//! Never touches what was delivered.

use market_node::api::JobView;

use crate::cli::Context;
use crate::render_run::bill;
use crate::run_name::RunName;

/// Arguments of `cancel`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its first digits, or latest
    #[arg(value_name = "RUN")]
    run: RunName,
}

/// Ends the run; what was done is paid, and the rest comes back.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let client = context.client().await?;
    let job = args.run.find(&client).await?;
    anyhow::ensure!(
        job.outcome.is_none(),
        "run {} is over already; `nightshift describe {}` shows how it ended",
        job.run,
        job.run
    );
    let path = format!("/v1/jobs/{}/cancel", job.run);
    let view: JobView = client.post(&path, &serde_json::json!({})).await?;
    eprintln!("Cancelling: what was done is paid, the rest comes back, what was delivered stays.");
    context.print(&view, bill)
}
