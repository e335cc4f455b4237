//! Owns `nightshift wallet send`.
//!
//! Never sends before a person agreed, on the terminal or with `--yes`. Signs here: the key stays in this process.

use market::ledger::Operation;
use market::{AccountId, Amount};
use market_node::api::TxView;

use crate::cli::Context;
use crate::output;
use crate::passphrase::PassphraseFlags;
use crate::signing::Signer;

/// The most bytes of a note that the ledger takes.
const MAX_MEMO_BYTES: usize = 64;

/// Arguments of `wallet send`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// To whom: the address that begins with night1
    #[arg(value_name = "ACCOUNT")]
    to: AccountId,
    /// How many credits, for example 12 or 0.25
    #[arg(allow_negative_numbers = true)]
    amount: Amount,
    /// A public note of at most 64 bytes
    #[arg(long, value_parser = memo, default_value = "")]
    memo: String,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    passphrase: PassphraseFlags,
}

fn memo(text: &str) -> Result<String, String> {
    match text.len() {
        0..=MAX_MEMO_BYTES => Ok(text.to_owned()),
        bytes => Err(format!(
            "a note holds at most {MAX_MEMO_BYTES} bytes, and this has {bytes}"
        )),
    }
}

/// Sends money and waits until that is final.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.amount > Amount::ZERO,
        "there is nothing to send: the amount is 0"
    );
    let signer = Signer::of(context).await?;
    if !args.yes {
        output::confirm(&format!("Send {} to {}?", args.amount, args.to))?;
    }
    let operation = Operation::Transfer {
        from: signer.account,
        to: args.to,
        amount: args.amount,
        memo: args.memo.try_into()?,
    };
    let view = signer
        .submit(operation, (context, &args.passphrase))
        .await?;
    let sent = format!("sent {} to {}", args.amount, args.to);
    context.print(&view, |view| text(&sent, view))
}

/// Writes what was done and where it stands on the ledger.
pub(super) fn text(done: &str, view: &TxView) -> String {
    format!(
        "{done}\nfinal in block {}, transaction {}\n",
        view.height, view.tx
    )
}
