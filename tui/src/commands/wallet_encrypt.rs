//! Owns `nightshift wallet encrypt`: the account key of this home under a passphrase.
//!
//! Never needs a running node, and never leaves the open key behind when it succeeds.

use market_node::identity::{AccountKey, encrypt};

use super::wallet_passphrase::Protected;
use crate::cli::Context;
use crate::passphrase::PassphraseFlags;

/// Arguments of `wallet encrypt`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The node runs without the passphrase: only what the account itself signs needs it, such as \
`wallet send`. The open file is overwritten by a new one; a disk may keep old sectors until it writes over them, so a \
key that was ever open to others is better left for a new account."
)]
pub(crate) struct Args {
    #[command(flatten)]
    passphrase: PassphraseFlags,
}

/// Encrypts the key, with a passphrase that is asked for twice.
pub(crate) fn execute(args: &Args, context: &Context) -> anyhow::Result<()> {
    let home = context.home()?;
    if !AccountKey::load(&home)?.is_encrypted() {
        let passphrase = args.passphrase.new_one("the account key")?;
        encrypt(&home, &passphrase)?;
        return Protected::Encrypted.print(context);
    }
    anyhow::bail!(
        "the account key is encrypted already; `nightshift wallet passphrase` changes its passphrase"
    )
}
