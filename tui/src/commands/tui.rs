//! Owns `nightshift tui`: the live screen.
//!
//! Never draws without a terminal.

use std::convert::Infallible;
use std::io::{self, IsTerminal};

use market_node::api::ClientError;
use market_node::home::Home;

use crate::cli::Context;
use crate::screen;

/// Arguments of `tui`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Shows the screen until the person leaves.
pub(crate) async fn execute(_args: Args, context: &Context) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        anyhow::bail!(
            "the screen needs a terminal; use `nightshift status` instead, also with --json"
        );
    }
    screen::run(context.home()?, start).await?;
    Ok(())
}

/// Says that a node must be started first.
async fn start(home: Home) -> anyhow::Result<Infallible> {
    let home = home.path().to_owned();
    Err(ClientError::NotRunning { home }.into())
}
