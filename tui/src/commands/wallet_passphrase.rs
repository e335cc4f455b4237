//! Owns `nightshift wallet passphrase`: another passphrase for the account key, and how both forms are told.
//!
//! Never writes the key in the open on the way.

use std::path::PathBuf;

use market_node::identity::{AccountKey, change_passphrase};
use serde::Serialize;

use crate::cli::Context;
use crate::passphrase::{self, PassphraseFlags};

/// Arguments of `wallet passphrase`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    passphrase: PassphraseFlags,
    /// Read the new passphrase from this file instead of asking for it
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
}

/// How the account key lies on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protected {
    /// Under a passphrase.
    Encrypted,
    /// For whoever reads the file.
    Open,
}

#[derive(Serialize)]
struct ProtectedView {
    encrypted: bool,
}

impl Protected {
    /// Tells how it is now.
    pub(super) fn print(self, context: &Context) -> anyhow::Result<()> {
        let view = ProtectedView {
            encrypted: self == Self::Encrypted,
        };
        let text = match self {
            Self::Encrypted => {
                "The account key is encrypted. Keep the passphrase, and a backup (`nightshift wallet backup`): \
                 nobody can restore either.\n"
            }
            Self::Open => {
                "The account key lies unencrypted in keys/account.key: whoever reads that file owns the money.\n"
            }
        };
        context.print(&view, |_| text.to_owned())
    }
}

/// Encrypts the key with another passphrase.
pub(crate) fn execute(args: &Args, context: &Context) -> anyhow::Result<()> {
    let home = context.home()?;
    anyhow::ensure!(
        AccountKey::load(&home)?.is_encrypted(),
        "the account key is not encrypted; `nightshift wallet encrypt` does that"
    );
    let old = args.passphrase.existing("the account key")?;
    let file = args.new_passphrase_file.as_deref();
    let new = passphrase::new_one(file, ("the account key", "--new-passphrase-file"))?;
    change_passphrase(&home, &old, &new)?;
    Protected::Encrypted.print(context)
}
