//! Owns `nightshift operator issue`.
//!
//! Never makes money itself: the operator's ledger checks its key, its supply and its cap.

use market::{AccountId, Amount};
use market_node::api::{IssueRequest, TxView};

use super::wallet_send;
use crate::cli::Context;

/// Arguments of `operator issue`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// To whom: the address that begins with night1
    #[arg(value_name = "ACCOUNT")]
    to: AccountId,
    /// How many credits, for example 12 or 0.25
    amount: Amount,
}

/// Issues money and waits until that is final.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.amount > Amount::ZERO,
        "there is nothing to issue: the amount is 0"
    );
    let request = IssueRequest {
        to: args.to,
        amount: args.amount,
    };
    let client = context.client().await?;
    let view: TxView = client.post("/v1/operator/issue", &request).await?;
    let issued = format!("issued {} to {}", request.amount, request.to);
    context.print(&view, |view| wallet_send::text(&issued, view))
}
