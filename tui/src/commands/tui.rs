//! Owns `nightshift tui`: the live screen.
//!
//! Never draws without a terminal.

use std::io::{self, IsTerminal};

use super::up;
use crate::cli::Context;
use crate::running::{self, StopSignals};
use crate::screen::{self, Farewell};

/// Arguments of `tui`: how the node runs, where this command starts it.
#[derive(Debug, clap::Args)]
#[group(skip)] // clap names the group after the struct, and the flattened one has the same name.
pub(crate) struct Args {
    #[command(flatten)]
    node: up::NodeArgs,
}

/// Shows the screen until the person leaves; starts a node in this process where none runs.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        anyhow::bail!(
            "the screen needs a terminal; use `nightshift status` instead, also with --json"
        );
    }
    let trade = args.node.trade();
    let start = |home| up::start(home, args.node);
    let left = screen::run(context.home()?, trade, start).await?;
    let signals = StopSignals::listen()?;
    match left {
        None => Ok(()),
        Some((own, Farewell::Keep)) => {
            eprintln!("The node goes on in this terminal. Ctrl-C stops it.");
            running::serve_until_stopped(own, signals).await
        }
        Some((own, Farewell::Stop)) => {
            let mut signals = signals;
            own.stop(&mut signals).await;
            Ok(())
        }
    }
}
