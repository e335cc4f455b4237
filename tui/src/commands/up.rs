//! Owns `nightshift up`: runs this home's node until it is asked to stop.
//!
//! Never sells unless `--provide` is given.

use market::PricePerHour;
use market_node::config::{SellSettings, Settings};
use market_node::home::Home;
use market_node::network::Multiaddr;
use provider::SellerConfig;

use crate::cli::Context;
use crate::running::{self, Roles, RunningNode};

/// Arguments of `up`, and of every command that starts a node where none runs.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Sell this machine's GPU as well
    #[arg(long)]
    provide: bool,
    /// Ask this price for a GPU-hour, in credits, instead of the configured one
    #[arg(long, value_name = "AMOUNT", requires = "provide")]
    price: Option<PricePerHour>,
    /// Address to listen on instead of the configured ones; port 0 takes any free one
    #[arg(long, value_name = "MULTIADDR")]
    listen: Vec<Multiaddr>,
}

/// Runs the node.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let home = context.home()?;
    let roles = roles(&home, args)?;
    if roles.sell.is_some() {
        eprintln!("Measuring this machine and testing its sandbox, about ten seconds.");
    }
    let mut running = running::start(home, roles).await?;
    announce(&running).await;
    let result = running.wait().await;
    eprintln!(
        "Stopping; a running lease is yielded and settled first. Press Ctrl-C again to force."
    );
    running.stop().await;
    result
}

/// Starts a node in this process as the arguments say.
pub(crate) async fn start(home: Home, args: Args) -> anyhow::Result<RunningNode> {
    let roles = roles(&home, args)?;
    running::start(home, roles).await
}

/// Reads the settings and lets the flags beat them.
fn roles(home: &Home, args: Args) -> anyhow::Result<Roles> {
    let mut settings = Settings::load(home)?;
    settings.listen_by_flag(&args.listen)?;
    if let Some(price) = args.price {
        settings.decide_by_flag("--price", "sell.price", &price.0.decimal())?;
    }
    let settings = settings.config().clone();
    Ok(Roles {
        sell: args.provide.then(|| seller_config(&settings.sell)),
        settings,
        operator_interval_ms: None,
    })
}

fn seller_config(settings: &SellSettings) -> SellerConfig {
    SellerConfig {
        price: settings.price,
        hold_bps: settings.hold_bps,
        tick_ms: settings.tick_ms,
        max_duration_s: settings.max_duration_s,
    }
}

async fn announce(running: &RunningNode) {
    let node = &running.node;
    eprintln!(
        "Node {} of account {} runs in market {}.",
        node.identity.node().short(),
        node.identity.account,
        node.membership.genesis.name
    );
    let Some(seller) = &running.seller else {
        return eprintln!("It buys and watches; `nightshift up --provide` sells as well.");
    };
    let Some(view) = seller.view().await else {
        return;
    };
    for gpu in &view.gpus {
        eprintln!(
            "It sells {} as {} for {}. `nightshift tui` shows how it goes.",
            gpu.adapter, gpu.class, view.price
        );
    }
}
