//! Owns `nightshift ledger audit`: one account's whole history, added up and held against proofs.
//!
//! Never believes the operator where a proof can be had.

use market::AccountId;
use market_node::api::AccountAuditEntry;

use crate::cli::Context;
use crate::table::boxed;
use crate::words;

/// Arguments of `ledger audit`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Asks the operator for the history and for the proof of each transaction in it."
)]
pub(crate) struct Args {
    /// The account's address
    #[arg(value_name = "ACCOUNT")]
    account: AccountId,
}

/// Audits the account; fails where something does not fit.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let path = format!("/v1/ledger/{}/audit", args.account);
    let audit: AccountAuditEntry = context.client().await?.get(&path).await?;
    context.print(&audit, text)?;
    match &audit.problem {
        None => Ok(()),
        Some(problem) => anyhow::bail!(
            "the account does not add up: {problem}. Keep this output, and ask the operator for its block log: \
             `nightshift ledger verify` says whether that one does"
        ),
    }
}

/// Writes the box.
pub(super) fn text(audit: &AccountAuditEntry) -> String {
    let unproved = audit.movements - audit.proved.min(audit.movements);
    let rows = [
        ("account", audit.account.to_string()),
        ("as of", format!("block {}", audit.height)),
        ("available", format!("{}, proved", audit.available)),
        ("came in", audit.came_in.to_string()),
        ("went out", audit.went_out.to_string()),
        (
            "movements",
            format!(
                "{}: {} in proved receipts, {unproved} that fell due by themselves",
                audit.movements, audit.proved
            ),
        ),
        (
            "adds up",
            match &audit.problem {
                None => "yes".to_owned(),
                Some(problem) => format!("NO: {}", words::printable(problem)),
            },
        ),
    ];
    boxed("audit", &rows)
}
