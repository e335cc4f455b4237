//! Owns `nightshift up`: runs this home's node until it is asked to stop.
//!
//! Never sells unless `--provide` is given.

use anyhow::Context as _;
use market::PricePerHour;
use market_node::api::ApiClient;
use market_node::config::{SellSettings, Settings};
use market_node::home::Home;
use market_node::membership::Membership;
use market_node::network::Multiaddr;
use provider::SellerConfig;
use provider::pricing::Pricing;

use crate::cli::Context;
use crate::exit::Ending;
use crate::privacy;
use crate::running::{self, Roles, RunningNode, StopSignals};
use crate::screen::Trade;
use crate::service::{self, Manager, ServiceFlags, Unit, Wish};

/// Arguments of `up`.
#[derive(Debug, clap::Args)]
#[command(after_help = running::STOPPING)]
pub(crate) struct Args {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    pub(crate) service: ServiceFlags,
}

/// How a node runs: arguments of every command that starts one.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct NodeArgs {
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

/// Runs the node, or has systemd run it.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let home = context.home()?;
    if let Some(wish) = args.service.wish() {
        return hand_over(wish, &home, &args.node, context).await;
    }
    let mut signals = StopSignals::listen()?;
    let roles = roles(&home, args.node)?;
    if roles.sell.is_some() {
        privacy::tell_seller();
        eprintln!("Measuring this machine and testing its sandbox, about ten seconds.");
    }
    let running = tokio::select! {
        running = running::start(home, roles) => running?,
        () = signals.next() => return Err(Ending::Interrupted("stopped while starting").into()),
    };
    announce(&running).await;
    running::serve_until_stopped(running, signals).await
}

/// Has systemd run the node from now on, or no more.
async fn hand_over(
    wish: Wish,
    home: &Home,
    args: &NodeArgs,
    context: &Context,
) -> anyhow::Result<()> {
    Membership::load(home)?;
    if args.provide && wish == Wish::Install {
        privacy::tell_seller();
    }
    let unit = Unit {
        manager: Manager::User,
        program: std::env::current_exe().context("finding this program")?,
        home: home.path().to_owned(),
        arguments: args.words(),
    };
    let is_running = ApiClient::connect(home).await.is_ok();
    let report = service::carry_out(wish, &unit, is_running)?;
    context.print(&report, service::text)
}

impl NodeArgs {
    /// Tells what such a node is for.
    pub(crate) fn trade(&self) -> Trade {
        match self.provide {
            true => Trade::Sells,
            false => Trade::Buys,
        }
    }

    /// Writes the command line that runs such a node.
    fn words(&self) -> Vec<String> {
        let mut words = vec!["up".to_owned()];
        if self.provide {
            words.push("--provide".to_owned());
        }
        if let Some(price) = self.price {
            words.extend(["--price".to_owned(), price.0.decimal()]);
        }
        for address in &self.listen {
            words.extend(["--listen".to_owned(), address.to_string()]);
        }
        words
    }
}

/// Starts a node in this process as the arguments say.
pub(crate) async fn start(home: Home, args: NodeArgs) -> anyhow::Result<RunningNode> {
    let roles = roles(&home, args)?;
    running::start(home, roles).await
}

/// Reads the settings and lets the flags beat them.
fn roles(home: &Home, args: NodeArgs) -> anyhow::Result<Roles> {
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
        pricing: Pricing::from(settings),
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
