//! Owns how a change of supply gets its signatures on the command line: with the keys of this home at once, or as a
//! file that is handed around.
//!
//! Never submits what is not fully signed, and never signs before a person agreed.

use std::path::Path;

use anyhow::Context as _;
use market::ledger::Operation;
use market_node::api::{BalanceView, SubmitRequest, TxView, transaction_at};
use market_node::identity::load_key;
use market_node::membership::Membership;
use market_node::proposal::{Outlook, Proposal};

use crate::cli::Context;
use crate::passphrase::{PassphraseFlags, account_key};

/// What became of a change of supply.
pub(crate) enum Asked {
    /// It is final.
    Final(TxView),
    /// It was written to the file and waits for more signatures.
    Waiting(Box<Outlook>),
}

/// Signs `operation` with this home's treasury key, and with its account key where it is `holder`. Submits it when that
/// is enough, and writes it to `file` otherwise.
///
/// # Errors
/// A key is missing, no node runs, more signatures are needed and no file is named, or the ledger refuses.
pub(crate) async fn ask(
    operation: Operation,
    file: Option<&Path>,
    (context, flags): (&Context, &PassphraseFlags),
) -> anyhow::Result<Asked> {
    let home = context.home()?;
    let membership = Membership::load(&home)?;
    let client = context.client().await?;
    let balance: BalanceView = client.get("/v1/wallet/balance").await?;
    let transaction =
        transaction_at(balance.height, operation).context("making the transaction")?;
    let treasury = load_key(&home, "treasury").context(
        "this home has no treasury key, so it can begin no change of supply; a holder of one can",
    )?;
    let mut proposal = Proposal::begin(&transaction, &treasury, membership.chain);
    sign_as_holder(&mut proposal, &membership, (context, flags))?;
    let outlook = proposal.outlook(&membership.genesis)?;
    if outlook.is_complete() && file.is_none() {
        let request = SubmitRequest::of(proposal.signed());
        return Ok(Asked::Final(
            client.post("/v1/wallet/submit", &request).await?,
        ));
    }
    let file = file.with_context(|| {
        format!(
            "{}; name a file with --propose FILE, and hand that to them",
            open(&outlook)
        )
    })?;
    proposal.write_new(file)?;
    Ok(Asked::Waiting(Box::new(outlook)))
}

/// Adds the account key's signature where this home's account is whose money is taken out.
pub(crate) fn sign_as_holder(
    proposal: &mut Proposal,
    membership: &Membership,
    (context, flags): (&Context, &PassphraseFlags),
) -> anyhow::Result<bool> {
    let Some(holder) = proposal.outlook(&membership.genesis)?.holder_open else {
        return Ok(false);
    };
    let home = context.home()?;
    let own = market_node::identity::Identity::load(&home, &membership.chain);
    if !own.is_ok_and(|own| own.account == holder) {
        return Ok(false);
    }
    Ok(proposal.sign(&account_key(&home, flags)?)?)
}

/// Says in one sentence who must still sign.
pub(crate) fn open(outlook: &Outlook) -> String {
    let mut parts = Vec::new();
    match outlook.missing() {
        0 => {}
        1 => parts.push("1 more treasury key must sign".to_owned()),
        more => parts.push(format!("{more} more treasury keys must sign")),
    }
    if let Some(holder) = outlook.holder_open {
        parts.push(format!("{holder} must sign, whose money it is"));
    }
    match parts.is_empty() {
        true => "all have signed who must".to_owned(),
        false => parts.join(", and "),
    }
}

/// Says in one sentence what a change of supply does.
pub(crate) fn says(operation: &Operation) -> String {
    match operation {
        Operation::Issue { to, amount } => format!("issue {amount} to {to}"),
        Operation::Redeem { from, amount } => format!("redeem {amount} of {from}"),
        _ => "no change of supply".to_owned(),
    }
}

/// Writes the lines about a proposal in a file.
pub(crate) fn text(file: &Path, outlook: &Outlook) -> String {
    let next = match outlook.is_complete() {
        true => format!("Next: nightshift operator submit {}", file.display()),
        false => format!(
            "Next: hand it to them; they run `nightshift operator cosign {}`",
            file.display()
        ),
    };
    format!(
        "{} in {}, valid up to block {}\n{} of {} treasury signatures; {}\n{next}\n",
        says(&outlook.operation),
        file.display(),
        outlook.valid_until_height,
        outlook.treasury_signed.len(),
        outlook.threshold,
        open(outlook)
    )
}

#[cfg(test)]
mod tests;
