//! Owns `nightshift operator run`: the market's bootstrap peer and ledger.
//!
//! Never founds a market; `operator init` does.

use std::os::unix::net::UnixStream;

use anyhow::Context as _;
use market_node::api::ApiClient;
use market_node::config::Settings;
use market_node::home::Home;
use market_node::network::Multiaddr;

use crate::cli::Context;
use crate::exit::Ending;
use crate::output;
use crate::running::{self, Roles, StopSignals};
use crate::service::{self, Manager, ServiceFlags, Unit, Wish};

/// Arguments of `operator run`.
#[derive(Debug, clap::Args)]
#[command(after_help = running::STOPPING)]
pub(crate) struct Args {
    /// Address to listen on instead of the configured ones; port 0 takes any free one
    #[arg(long, value_name = "MULTIADDR")]
    listen: Vec<Multiaddr>,
    #[command(flatten)]
    pub(crate) service: ServiceFlags,
}

/// Runs until it is asked to stop, or has systemd run it. The first line on standard output is the join
/// string.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    if let Some(wish) = args.service.wish() {
        return hand_over(wish, &args, context).await;
    }
    let mut signals = StopSignals::listen()?;
    let home = context.home()?;
    let roles = roles(&home, &args.listen)?;
    let running = tokio::select! {
        running = running::start(home, roles) => running?,
        () = signals.next() => return Err(Ending::Interrupted("stopped while starting").into()),
    };
    let join = running.node.join_string().await;
    let join = join.context("the operator listens on no address; pass --listen MULTIADDR")?;
    output::data(&join.to_string())?;
    eprintln!("The operator runs. Others join with: nightshift init --join {join}");
    running::serve_until_stopped(running, signals).await
}

fn roles(home: &Home, listen: &[Multiaddr]) -> anyhow::Result<Roles> {
    let mut settings = Settings::load(home)?;
    settings.listen_by_flag(listen)?;
    let settings = settings.config().clone();
    Ok(Roles {
        sell: None,
        operator_interval_ms: Some(settings.operator.block_interval_ms),
        settings,
    })
}

/// Has the system's systemd run the operator from now on, or no more.
async fn hand_over(wish: Wish, args: &Args, context: &Context) -> anyhow::Result<()> {
    let listen = args.listen.iter();
    let listen = listen.flat_map(|address| ["--listen".to_owned(), address.to_string()]);
    let words = ["operator".to_owned(), "run".to_owned()];
    let unit = Unit {
        manager: Manager::System,
        program: std::env::current_exe().context("finding this program")?,
        home: service::home_path(context.home_flag.clone())?,
        arguments: words.into_iter().chain(listen).collect(),
    };
    // A node of another user is in reach too: this is done by root.
    let is_running = match Home::at(unit.home.clone()) {
        Ok(home) => ApiClient::connect(&home).await.is_ok(),
        // A socket that nobody answers on was left by a node that was killed.
        Err(_) => UnixStream::connect(unit.home.join("api.sock")).is_ok(),
    };
    let report = service::carry_out(wish, &unit, is_running)?;
    context.print(&report, service::text)
}
