//! Owns `nightshift cancel`: ends one run.
//!
//! Never touches what was delivered.

use market_node::api::{BidState, RunView};

use super::ps;
use crate::cli::Context;
use crate::render_run::bill;
use crate::run_name::RunName;
use crate::words;

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
    let path = format!("/v1/jobs/{}/cancel", args.run);
    let view: RunView = client.post(&path, &serde_json::json!({})).await?;
    let outcome = match &view {
        RunView::Job(job) => job.outcome,
        RunView::Bid(bid) => {
            match bid.state {
                BidState::Waiting | BidState::Filling => {
                    eprintln!("The bid is taken out of the book; nothing was locked for it.");
                }
                over => eprintln!("The bid is over: {over}."),
            }
            return context.print(&view, |view| ps::text(std::slice::from_ref(view)));
        }
    };
    match outcome {
        None => eprintln!(
            "Cancelling: what was done is paid, the rest comes back, what was delivered stays."
        ),
        Some(outcome) => eprintln!("The run is over: {}.", words::outcome(outcome)),
    }
    context.print(&view, |view| match view {
        RunView::Job(job) => bill(job),
        RunView::Bid(_) => String::new(),
    })
}
