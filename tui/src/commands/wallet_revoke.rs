//! Owns `nightshift wallet revoke`: taking back what the account delegated to a node.
//!
//! Never revokes before a person agreed, on the terminal or with `--yes`. Signs here: the key stays in this process.

use std::str::FromStr;

use anyhow::Context as _;
use market::ledger::Operation;
use market::{AccountId, NodeId, Timestamp, TxId};
use market_node::api::DelegationsView;
use market_node::identity::DELEGATION_LIFETIME;
use market_node::network::{Multiaddr, Protocol, node_of};
use serde::Serialize;

use crate::cli::Context;
use crate::output;
use crate::passphrase::PassphraseFlags;
use crate::signing::Signer;
use crate::words;

/// Arguments of `wallet revoke`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "From its block on the node opens nothing more for the account: it neither buys nor sells. What is open \
already goes on to its end: its vouchers are paid, its channels close, the rest of their deposits comes back. Revoked are all \
delegations to the node that end within a year from now, or by the end of one that is known to end later; `--for-good` takes \
every one. Costs the fee of a transfer. `nightshift wallet delegate` makes a new delegation for a node whose home has the \
account's key."
)]
pub(crate) struct Args {
    /// Which node: its key in 64 hexadecimal digits, or an address of it that ends with its peer id
    #[arg(value_name = "NODE_OR_ADDRESS", value_parser = named_node)]
    node: NodeId,
    /// Revoke every delegation that this node can ever hold from the account
    #[arg(long)]
    for_good: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    passphrase: PassphraseFlags,
}

/// What was revoked.
#[derive(Debug, Serialize)]
struct RevokedView {
    account: AccountId,
    node: NodeId,
    /// The latest end of a delegation that is revoked.
    until: Timestamp,
    tx: TxId,
    height: u64,
}

/// Reads a node's key, its peer id, or an address that ends with that.
pub(super) fn named_node(text: &str) -> Result<NodeId, String> {
    if let Ok(node) = text.parse() {
        return Ok(node);
    }
    if AccountId::from_str(text).is_ok() {
        return Err(
            "this is an account, and what is revoked is a node: 64 hexadecimal digits, as \
             `nightshift wallet delegations` lists them"
                .to_owned(),
        );
    }
    let address = match text.starts_with('/') {
        true => text.to_owned(),
        false => format!("/p2p/{text}"),
    };
    let peer = Multiaddr::from_str(&address)
        .ok()
        .and_then(|address| match address.iter().last() {
            Some(Protocol::P2p(peer)) => node_of(&peer),
            _ => None,
        });
    peer.ok_or_else(|| {
        "a node is named by its key in 64 hexadecimal digits, or by an address that ends with /p2p/PEER".to_owned()
    })
}

/// Returns the latest end of what is to be revoked: everything that this program can have signed until now, and
/// whatever else is known.
fn until(args: &Args, view: &DelegationsView) -> Timestamp {
    if args.for_good {
        return Timestamp::from_millis(u64::MAX);
    }
    let of_node = view.delegations.iter().filter(|row| row.node == args.node);
    let known = of_node.filter_map(|row| Some(row.held?.expires_at)).max();
    let usual = view.time.saturating_add(DELEGATION_LIFETIME);
    known.map_or(usual, |known| known.max(usual))
}

/// Revokes, and waits until that is final.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let signer = Signer::of(context).await?;
    let view: DelegationsView = signer
        .client
        .get("/v1/wallet/delegations")
        .await
        .context("looking up what is delegated")?;
    let until = until(&args, &view);
    if !args.yes {
        let known = known(&args, &view);
        let reach = reach(until);
        output::confirm(&format!("{known}Revoke node {}, {reach}?", args.node))?;
    }
    let operation = Operation::Revoke {
        account: signer.account,
        node: args.node,
        until,
    };
    let done = signer
        .submit(operation, (context, &args.passphrase))
        .await?;
    let revoked = RevokedView {
        account: signer.account,
        node: args.node,
        until,
        tx: done.tx,
        height: done.height,
    };
    context.print(&revoked, text)
}

/// Says before the question what is known of the node, where that is unlike what a person may think.
fn known(args: &Args, view: &DelegationsView) -> String {
    let mut of_node = view.delegations.iter().filter(|row| row.node == args.node);
    let Some(first) = of_node.clone().next() else {
        return "Nothing shows that this node holds a delegation of this account, which it may all the same. ".to_owned();
    };
    match (first.revoked_until, of_node.all(|row| row.revoked)) {
        (Some(until), true) => format!("It is revoked already, {}. ", reach(until)),
        _ => String::new(),
    }
}

fn reach(until: Timestamp) -> String {
    match until.as_millis() {
        u64::MAX => "for good".to_owned(),
        _ => format!(
            "with every delegation that ends by {} UTC",
            words::utc(until)
        ),
    }
}

fn text(revoked: &RevokedView) -> String {
    format!(
        "revoked node {}, {}\nfinal in block {}, transaction {}\nWhat it has open goes on to its end: vouchers up to each deposit \
         are paid, the rest comes back.\n",
        revoked.node,
        reach(revoked.until),
        revoked.height,
        revoked.tx
    )
}

#[cfg(test)]
mod tests;
