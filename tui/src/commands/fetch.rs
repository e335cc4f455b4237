//! Owns `nightshift fetch`: brings what a run delivered into a folder.
//!
//! Never pays anything: what was not delivered within the lease is only asked for.

use std::path::{self, PathBuf};

use anyhow::Context as _;
use market_node::api::{ArtefactView, FetchRequest, RunDetail};

use super::describe;
use crate::cli::Context;
use crate::run_name::RunName;

/// Arguments of `fetch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its first digits, or latest
    #[arg(value_name = "RUN")]
    run: RunName,
    /// Folder for the outputs [default: the one that the run was given]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// Copies what was delivered, and asks again for what is missing.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let client = context.client().await?;
    let path = format!("/v1/jobs/{}", args.run);
    let output = match args.output {
        Some(output) => path::absolute(output).context("finding the output folder")?,
        None => match client.get::<RunDetail>(&path).await? {
            RunDetail::Job(detail) => detail.job.output,
            RunDetail::Bid(detail) => detail.bid.output,
        },
    };
    let request = FetchRequest { output };
    let path = format!("{path}/fetch");
    let view: Vec<ArtefactView> = client.post(&path, &request).await?;
    context.print(&view, |view| describe::artefacts(view))
}
