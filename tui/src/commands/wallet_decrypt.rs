//! Owns `nightshift wallet decrypt`: the account key of this home without a passphrase again.
//!
//! Never needs a running node.

use market_node::identity::{AccountKey, decrypt};

use super::wallet_passphrase::Protected;
use crate::cli::Context;
use crate::output;
use crate::passphrase::PassphraseFlags;

/// Arguments of `wallet decrypt`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Do not ask whether the key may lie open
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    passphrase: PassphraseFlags,
}

/// Puts the key back in the open.
pub(crate) fn execute(args: &Args, context: &Context) -> anyhow::Result<()> {
    let home = context.home()?;
    anyhow::ensure!(
        AccountKey::load(&home)?.is_encrypted(),
        "the account key is not encrypted; `nightshift wallet encrypt` does that"
    );
    if !args.yes {
        output::confirm("Write the account key unencrypted, for whoever reads this disk?")?;
    }
    let passphrase = args.passphrase.existing("the account key")?;
    decrypt(&home, &passphrase)?;
    Protected::Open.print(context)
}
