//! Owns `nightshift operator issue`.
//!
//! Never makes money itself: the ledger checks the treasury's keys, the supply and the cap.

use std::path::PathBuf;

use market::ledger::Operation;
use market::{AccountId, Amount};
use market_node::api::{IssueRequest, TxView};
use market_node::membership::Membership;

use super::wallet_send;
use crate::cli::Context;
use crate::passphrase::PassphraseFlags;
use crate::treasury::{self, Asked};

/// Arguments of `operator issue`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// To whom: the address that begins with night1
    #[arg(value_name = "ACCOUNT")]
    to: AccountId,
    /// How many credits, for example 12 or 0.25
    #[arg(allow_negative_numbers = true)]
    amount: Amount,
    /// Where several treasury keys must sign: write it to this file, to be handed to the next one
    #[arg(long, value_name = "FILE")]
    propose: Option<PathBuf>,
}

/// Issues money and waits until that is final, or writes what others must sign.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.amount > Amount::ZERO,
        "there is nothing to issue: the amount is 0"
    );
    let issued = format!("issued {} to {}", args.amount, args.to);
    let membership = Membership::load(&context.home()?)?;
    if membership.genesis.treasury_threshold > 1 || args.propose.is_some() {
        let operation = Operation::Issue {
            to: args.to,
            amount: args.amount,
        };
        return propose(operation, (args.propose, &issued), context).await;
    }
    let request = IssueRequest {
        to: args.to,
        amount: args.amount,
    };
    let client = context.client().await?;
    let view: TxView = client.post("/v1/operator/issue", &request).await?;
    context.print(&view, |view| wallet_send::text(&issued, view))
}

async fn propose(
    operation: Operation,
    (file, issued): (Option<PathBuf>, &str),
    context: &Context,
) -> anyhow::Result<()> {
    // An issue takes nobody's money, so that no account key is asked for.
    let flags = PassphraseFlags::default();
    match treasury::ask(operation, file.as_deref(), (context, &flags)).await? {
        Asked::Final(view) => context.print(&view, |view| wallet_send::text(issued, view)),
        Asked::Waiting(outlook) => {
            let file = file.unwrap_or_default();
            context.print(&outlook, |outlook| treasury::text(&file, outlook))
        }
    }
}
