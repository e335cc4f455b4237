//! Owns `nightshift operator rotate-key`.
//!
//! Never touches a key file: the running operator does, before it sends anything.

use market_node::api::{OperatorView, RotatedView};

use crate::cli::Context;
use crate::output;

/// What the help says beyond its first line.
const EXPLANATION: &str = "\
The running operator draws a new key, writes it into keys/operator-next.key of its home, and puts a change of the \
operators into a block, which the old key and the new one have signed. From the next block on the new key signs; \
nothing is restarted, and the members of the market follow by themselves. Then the new key becomes \
keys/operator.key, and one that was there before keys/operator-retired-ID.key.\n\n\
Wherever this is interrupted, the operator starts again with the key that its block log names, and the command can \
be given again. The network key, keys/node.key, stays: the address and the join string remain what they are. Back \
up keys/operator.key afterwards: without it nobody can make the next block.";

/// Arguments of `operator rotate-key`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXPLANATION)]
pub(crate) struct Args {
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Changes the key that signs blocks, and waits until that is final.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let client = context.client().await?;
    let status: OperatorView = client.get("/v1/operator/status").await?;
    if !args.yes {
        let present: Vec<String> = status.operators.iter().map(ToString::to_string).collect();
        eprintln!(
            "{} signs blocks since block {}. A new key is drawn and written to this home, and signs from the \
             block after the change on; the old one is of no use then. Members follow by themselves.",
            present.join(", "),
            status.operators_since
        );
        output::confirm("Sign blocks with a new key from now on?")?;
    }
    let view: RotatedView = client.post("/v1/operator/rotate-key", &()).await?;
    context.print(&view, text)
}

/// Writes what was done and what is left to do.
pub(super) fn text(view: &RotatedView) -> String {
    format!(
        "{} signs from block {} on\nbefore it signed {}\nchanged by transaction {}\nBack up keys/operator.key of \
         this home now: without it nobody can make the next block.\n",
        view.operator, view.since, view.previous, view.tx
    )
}
