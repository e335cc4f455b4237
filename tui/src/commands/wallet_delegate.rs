//! Owns `nightshift wallet delegate`: a new delegation of the account to this home's node.
//!
//! Never signs before a person agreed, on the terminal or with `--yes`, and never changes the old one's cap on the ledger.

use std::time::Duration;

use market::{AccountId, Amount, NodeId, Timestamp};
use market_node::api::DelegationsView;
use market_node::identity::Identity;
use serde::Serialize;

use crate::cli::Context;
use crate::output;
use crate::passphrase::{PassphraseFlags, account_key};
use crate::signing::Signer;
use crate::words;

/// Seconds of a day.
const DAY_S: u64 = 24 * 3600;

/// Arguments of `wallet delegate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "For a node whose delegation has ended, was spent or was revoked. It takes effect when the node is started \
again; deposits under it are counted from zero. Where this node was revoked, the new delegation ends after all that were."
)]
pub(crate) struct Args {
    /// The most that deposits of this node may add up to
    #[arg(long, value_name = "CREDITS")]
    spend_cap: Option<Amount>,
    /// For how many days
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u64).range(1..=3650))]
    days: u64,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    passphrase: PassphraseFlags,
}

/// What was delegated.
#[derive(Debug, Serialize)]
struct DelegatedView {
    account: AccountId,
    node: NodeId,
    spend_cap: Amount,
    expires_at: Timestamp,
}

/// Signs and keeps a new delegation.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let signer = Signer::of(context).await?;
    let view: DelegationsView = signer.client.get("/v1/wallet/delegations").await?;
    let own = view.delegations.iter().find(|row| row.own);
    let revoked = own.and_then(|row| row.revoked_until);
    anyhow::ensure!(
        revoked.is_none_or(|until| until.as_millis() < u64::MAX),
        "the account has revoked this node for good; make a home with another node by `nightshift wallet restore`"
    );
    let wanted = view
        .time
        .saturating_add(Duration::from_secs(args.days.saturating_mul(DAY_S)));
    let after = revoked.map(|until| until.saturating_add(Duration::from_secs(1)));
    let expires_at = after.map_or(wanted, |after| after.max(wanted));
    let held = own.and_then(|row| row.held);
    let cap = args.spend_cap.or(held.map(|held| held.spend_cap));
    let cap = cap.unwrap_or(market::amount::SUPPLY_CAP);
    if !args.yes {
        output::confirm(&format!(
            "Let this node sell and buy for {} until {} UTC, with deposits of at most {cap} in all?",
            signer.account,
            words::utc(expires_at)
        ))?;
    }
    let home = context.home()?;
    let key = account_key(&home, &args.passphrase)?;
    signer.check_key(&key)?;
    let delegation = Identity::renew(&home, (signer.chain(), &key), (cap, expires_at))?;
    let delegated = DelegatedView {
        account: delegation.account,
        node: delegation.node,
        spend_cap: cap,
        expires_at,
    };
    context.print(&delegated, text)
}

fn text(delegated: &DelegatedView) -> String {
    format!(
        "node {} acts for {} until {} UTC, with deposits of at most {} in all\nStart the node again to use it.\n",
        delegated.node.short(),
        delegated.account,
        words::utc(delegated.expires_at),
        delegated.spend_cap
    )
}
