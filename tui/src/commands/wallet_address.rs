//! Owns `nightshift wallet address`: the account of this home.
//!
//! Never needs a running node and never reads a secret's value out.

use market::{AccountId, NodeId};
use market_node::identity::Identity;
use market_node::membership::Membership;
use serde::Serialize;

use crate::cli::Context;

/// Arguments of `wallet address`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Whose home this is.
#[derive(Debug, Serialize)]
struct AddressView {
    /// What others send money to.
    account: AccountId,
    /// This machine.
    node: NodeId,
}

/// Prints the account's address.
pub(crate) fn execute(_args: &Args, context: &Context) -> anyhow::Result<()> {
    let home = context.home()?;
    let membership = Membership::load(&home)?;
    let identity = Identity::load(&home, &membership.chain)?;
    let view = AddressView {
        account: identity.account,
        node: identity.node(),
    };
    context.print(&view, |view| view.account.to_string())
}
