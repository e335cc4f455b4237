//! Owns `nightshift wallet delegations`: which nodes act for this account, as far as that can be known.
//!
//! Never says that the list is whole: a delegation that was never used is known to its two sides alone.

use market::Timestamp;
use market::delegation::Permission;
use market_node::api::{DelegationRow, DelegationsView};

use crate::cli::Context;
use crate::table::{Side, Table};
use crate::words;

/// Arguments of `wallet delegations`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A delegation is a statement that the account signs and a node keeps; the ledger meets it when the node \
opens, claims or closes something. Listed are this home's own and those in the account's newest transactions. A delegation that \
was never used cannot be listed, and can be revoked all the same: `nightshift wallet revoke NODE` takes any node's key."
)]
pub(crate) struct Args {}

/// Lists the delegations.
pub(crate) async fn execute(_args: Args, context: &Context) -> anyhow::Result<()> {
    let view: DelegationsView = context
        .client()
        .await?
        .get("/v1/wallet/delegations")
        .await?;
    context.print(&view, text)
}

/// Writes the table, what cannot be known, and how to revoke.
pub(super) fn text(view: &DelegationsView) -> String {
    let mut table = Table::new([
        ("NODE", Side::Left),
        ("MAY", Side::Left),
        ("DEPOSITED", Side::Right),
        ("CAP", Side::Right),
        ("ENDS (UTC)", Side::Left),
        ("STATE", Side::Left),
    ]);
    for row in &view.delegations {
        table.row(cells(row, view.time));
    }
    let older = match view.has_older {
        true => "; older ones were not looked at",
        false => "",
    };
    let looked = words::plural(view.looked_through, "transaction");
    format!(
        "{table}Listed are this home's delegation and those met in the account's newest {looked}{older}. One that was never \
         used is not on the ledger and cannot be listed.\nRevoke with: nightshift wallet revoke NODE\n"
    )
}

fn cells(row: &DelegationRow, now: Timestamp) -> [String; 6] {
    let unknown = || "?".to_owned();
    let own = if row.own { " (this node)" } else { "" };
    let held = row.held.as_ref();
    [
        format!("{}{own}", row.node),
        held.map_or_else(unknown, |held| may(held.permission).to_owned()),
        held.map_or_else(unknown, |held| held.spent.to_string()),
        held.map_or_else(unknown, |held| held.spend_cap.to_string()),
        held.map_or_else(unknown, |held| words::utc(held.expires_at)),
        match held {
            _ if row.revoked => "revoked".to_owned(),
            Some(held) if held.expires_at <= now => "ended".to_owned(),
            _ => "good".to_owned(),
        },
    ]
}

fn may(permission: Permission) -> &'static str {
    match permission {
        Permission::Sell => "sell",
        Permission::Buy => "buy",
        Permission::SellAndBuy => "sell and buy",
    }
}

#[cfg(test)]
mod tests;
