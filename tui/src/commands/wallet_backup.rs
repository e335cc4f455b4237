//! Owns `nightshift wallet backup`: the account's key and its market in one file.
//!
//! Never overwrites a file, and never writes one in the open before a person agreed.

use std::path::PathBuf;

use market::AccountId;
use market_node::backup::Backup;
use market_node::identity::AccountKey;
use serde::Serialize;

use crate::cli::Context;
use crate::output;
use crate::passphrase::PassphraseFlags;

/// Arguments of `wallet backup`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The file is encrypted with a passphrase: the one of the account key where that has one, else one \
that is asked for. It holds the account's key, the market's founding facts, where the market is met, and the limits of \
this machine's delegation. It does not hold this machine's own key, its jobs, or an operator's treasury.key and blocks."
)]
pub(crate) struct Args {
    /// The file to write; there must be none of that name
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Do not encrypt it: whoever reads the file owns the money
    #[arg(long)]
    plain: bool,
    /// Do not ask whether it may be unencrypted
    #[arg(long, short, requires = "plain")]
    yes: bool,
    #[command(flatten)]
    passphrase: PassphraseFlags,
}

#[derive(Serialize)]
struct BackupView {
    file: PathBuf,
    account: AccountId,
    encrypted: bool,
}

/// Writes the backup.
pub(crate) fn execute(args: &Args, context: &Context) -> anyhow::Result<()> {
    let home = context.home()?;
    anyhow::ensure!(
        !args.file.exists(),
        "{} is there already, and no backup overwrites a file; choose another name",
        args.file.display()
    );
    let key = AccountKey::load(&home)?;
    if args.plain && !args.yes {
        output::confirm("Write the account key unencrypted, for whoever reads the file?")?;
    }
    let passphrase = match (key.is_encrypted(), args.plain) {
        (true, _) => Some(args.passphrase.existing("the account key")?),
        (false, true) => None,
        (false, false) => Some(args.passphrase.new_one("the backup")?),
    };
    let backup = Backup::of(&home, key.open(passphrase.as_ref())?)?;
    let sealing = passphrase.filter(|_| !args.plain);
    backup.write(&args.file, sealing.as_ref())?;
    let view = BackupView {
        file: args.file.clone(),
        account: backup.contents.account,
        encrypted: sealing.is_some(),
    };
    context.print(&view, text)
}

fn text(view: &BackupView) -> String {
    let how = match view.encrypted {
        true => "It is encrypted: keep its passphrase, but not beside it.",
        false => "It is not encrypted: whoever reads it owns the money.",
    };
    format!(
        "Backed up account {} to {}.\n{how}\n`nightshift --home DIR wallet restore FILE` makes a home of it again.\n",
        view.account,
        view.file.display()
    )
}
