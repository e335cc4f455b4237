//! Owns `nightshift wallet restore`: a home of the same account, out of a backup.
//!
//! Never overwrites an account, and never makes two machines of one node's key.

use std::path::PathBuf;

use market::{AccountId, Amount, ChainId, NodeId};
use market_node::backup::{Backup, Form};
use market_node::clock::wall_now;
use serde::Serialize;

use crate::cli::Context;
use crate::passphrase::PassphraseFlags;

/// Arguments of `wallet restore`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Restores into a home without an account: name a new one with --home DIR. The account and its money \
are the same; the machine is another one, with a node's key of its own and a fresh delegation. Jobs and channels of the \
old node are not in a backup. Where the old home is lost, the ledger ends its channels by itself: its providers close \
theirs and what is left of a deposit comes back at once, or when the channel has expired and its challenge window is \
over; what others owed the old node beyond its last claim is lost with its vouchers. Where the old home still is, start \
its node there to settle them, then stop it."
)]
pub(crate) struct Args {
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseFlags,
}

/// What was restored.
#[derive(Serialize)]
struct Restored {
    home: PathBuf,
    market: String,
    chain: ChainId,
    account: AccountId,
    node: NodeId,
    old_node: NodeId,
    spend_cap: Amount,
    encrypted: bool,
    addresses: usize,
}

/// Makes the home.
pub(crate) fn execute(args: &Args, context: &Context) -> anyhow::Result<()> {
    let home = context.home()?;
    let _lock = home.lock()?;
    let passphrase = match Backup::form(&args.file)? {
        Form::Encrypted => Some(args.passphrase.existing("the backup")?),
        Form::Plain => None,
    };
    let backup = Backup::read(&args.file, passphrase.as_ref())?;
    let identity = backup.restore(&home, (wall_now(), passphrase.as_ref()))?;
    let contents = backup.contents;
    let restored = Restored {
        home: home.path().to_owned(),
        chain: contents.chain(),
        account: identity.account,
        node: identity.node(),
        old_node: contents.delegation.node,
        spend_cap: contents.delegation.spend_cap,
        encrypted: passphrase.is_some(),
        addresses: contents.bootstrap.len(),
        market: contents.genesis.name,
    };
    context.print(&restored, text)
}

fn text(restored: &Restored) -> String {
    let key = match restored.encrypted {
        true => "The account key is encrypted, with the passphrase of the backup.",
        false => "The account key lies unencrypted; `nightshift wallet encrypt` changes that.",
    };
    let next = match restored.addresses {
        // The operator's own home knows no address to meet the market at.
        0 => {
            "The backup names no address of the market: `nightshift init --join HASH@MULTIADDR` here, then \
              `nightshift up`."
        }
        _ => "Next: `nightshift up`, then `nightshift wallet balance`.",
    };
    format!(
        "Restored into {}\n  market   {} ({})\n  account  {}\n  node     {}, a new one; the backup was made by {}\n  \
         cap      {} in agreements\n{key}\n{next}\n",
        restored.home.display(),
        restored.market,
        restored.chain.short(),
        restored.account,
        restored.node.short(),
        restored.old_node.short(),
        restored.spend_cap
    )
}
