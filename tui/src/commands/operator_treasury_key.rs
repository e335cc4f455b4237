//! Owns `nightshift operator treasury-key`: the key with which this home signs changes of supply.
//!
//! Never overwrites one, and never prints more than its address.

use market::AccountId;
use market_node::identity::load_or_create;
use serde::Serialize;

use crate::cli::Context;

/// Arguments of `operator treasury-key`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Debug, Serialize)]
struct TreasuryKey {
    treasury: AccountId,
}

/// Makes the key, unless there is one, and prints its address.
pub(crate) fn execute(_args: &Args, context: &Context) -> anyhow::Result<()> {
    let home = context.home()?;
    let view = TreasuryKey {
        treasury: load_or_create(&home, "treasury")?.account(),
    };
    context.print(&view, |view| format!("{}\n", view.treasury))
}
