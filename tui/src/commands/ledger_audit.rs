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
    let asserted = audit.movements.saturating_sub(audit.proved + audit.due);
    let available = match audit.is_proved {
        true => format!("{}, proved", audit.available),
        false => format!("{}, by the operator's word alone", audit.available),
    };
    let rows = [
        ("account", audit.account.to_string()),
        ("as of", format!("block {}", audit.height)),
        ("available", available),
        ("came in", audit.came_in.to_string()),
        ("went out", audit.went_out.to_string()),
        (
            "movements",
            format!(
                "{}: {} in proved receipts, {} fell due of channels that are proved closed, {asserted} by the \
                 operator's word alone, of {}",
                audit.movements, audit.proved, audit.due, audit.asserted
            ),
        ),
        (
            "adds up",
            match &audit.problem {
                None if audit.is_proved => "yes".to_owned(),
                None => "yes, and nothing proves that this is all".to_owned(),
                Some(problem) => format!("NO: {}", words::printable(problem)),
            },
        ),
    ];
    boxed("audit", &rows)
}
