//! Owns `nightshift operator submit`: takes a proposal that all have signed to the ledger.
//!
//! Never signs anything.

use std::path::PathBuf;

use market_node::api::{SubmitRequest, TxView};
use market_node::membership::Membership;
use market_node::proposal::Proposal;

use super::wallet_send;
use crate::cli::Context;
use crate::treasury;

/// Arguments of `operator submit`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The proposal, signed by all who must
    file: PathBuf,
}

/// Submits the proposal and waits until it is final. Doing it twice changes nothing more.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let membership = Membership::load(&context.home()?)?;
    let proposal = Proposal::read(&args.file, membership.chain)?;
    let outlook = proposal.outlook(&membership.genesis)?;
    anyhow::ensure!(
        outlook.is_complete(),
        "it cannot be submitted yet: {}",
        treasury::open(&outlook)
    );
    let request = SubmitRequest::of(proposal.signed());
    let view: TxView = context
        .client()
        .await?
        .post("/v1/wallet/submit", &request)
        .await?;
    let done = format!("done: {}", treasury::says(&outlook.operation));
    context.print(&view, |view| wallet_send::text(&done, view))
}
