//! Owns `nightshift operator redeem`: takes money out of the market.
//!
//! Never takes anybody's without their signature, and never before a person agreed.

use std::path::PathBuf;

use market::ledger::Operation;
use market::{AccountId, Amount};
use market_node::identity::Identity;
use market_node::membership::Membership;

use super::wallet_send;
use crate::cli::Context;
use crate::output;
use crate::passphrase::PassphraseFlags;
use crate::treasury::{self, Asked};

/// Arguments of `operator redeem`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many credits, for example 12 or 0.25
    #[arg(allow_negative_numbers = true)]
    amount: Amount,
    /// Whose, who must sign as well; this home's account unless given
    #[arg(long, value_name = "ACCOUNT")]
    from: Option<AccountId>,
    /// Write it to this file, to be handed to whoever must sign as well
    #[arg(long, value_name = "FILE")]
    propose: Option<PathBuf>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    passphrase: PassphraseFlags,
}

/// Takes money out and waits until that is final, or writes what others must sign.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.amount > Amount::ZERO,
        "there is nothing to redeem: the amount is 0"
    );
    let home = context.home()?;
    let from = match args.from {
        Some(from) => from,
        None => Identity::load(&home, &Membership::load(&home)?.chain)?.account,
    };
    if !args.yes {
        let question = format!("Take {} of {from} out of the market for good?", args.amount);
        output::confirm(&question)?;
    }
    let operation = Operation::Redeem {
        from,
        amount: args.amount,
    };
    let keys = (context, &args.passphrase);
    match treasury::ask(operation, args.propose.as_deref(), keys).await? {
        Asked::Final(view) => {
            let redeemed = format!("redeemed {} of {from}", args.amount);
            context.print(&view, |view| wallet_send::text(&redeemed, view))
        }
        Asked::Waiting(outlook) => {
            let file = args.propose.unwrap_or_default();
            context.print(&outlook, |outlook| treasury::text(&file, outlook))
        }
    }
}
