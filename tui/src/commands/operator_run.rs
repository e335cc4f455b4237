//! Owns `nightshift operator run`: the market's bootstrap peer and ledger.
//!
//! Never founds a market; `operator init` does.

use anyhow::Context as _;
use market_node::config::Settings;
use market_node::network::Multiaddr;

use crate::cli::Context;
use crate::output;
use crate::running::{self, Roles};

/// Arguments of `operator run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Address to listen on instead of the configured ones; port 0 takes any free one
    #[arg(long, value_name = "MULTIADDR")]
    listen: Vec<Multiaddr>,
}

/// Runs until it is asked to stop. The first line on standard output is the join string.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let home = context.home()?;
    let mut settings = Settings::load(&home)?;
    settings.listen_by_flag(&args.listen)?;
    let settings = settings.config().clone();
    let roles = Roles {
        sell: None,
        operator_interval_ms: Some(settings.operator.block_interval_ms),
        settings,
    };
    let mut running = running::start(home, roles).await?;
    let join = running.node.join_string().await;
    let join = join.context("the operator listens on no address; pass --listen MULTIADDR")?;
    output::write_to(&mut std::io::stdout().lock(), &join.to_string())?;
    eprintln!("The operator runs. Others join with: nightshift init --join {join}");
    let result = running.wait().await;
    eprintln!("Stopping.");
    running.stop().await;
    result
}
