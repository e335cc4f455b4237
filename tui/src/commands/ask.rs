//! Owns `nightshift ask`: shows what this node asks for its GPU and why, and changes it while the node runs.
//!
//! Never starts selling; `up --provide` does.

use market::{Amount, PricePerHour};
use market_node::api::{AskChange, ProviderView};
use market_node::config::{self, Strategy};
use market_node::home::Home;

use crate::cli::Context;
use crate::words;

/// Arguments of `ask`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without a flag nothing is changed. A new figure holds at once and until the node stops, with --save for good. \
After `nightshift cancel-order` of the ask, a new figure, or the same one again, offers again.")]
pub(crate) struct Args {
    /// What a GPU-hour costs, in credits; other strategies ask it where there is nothing to follow
    #[arg(long, value_name = "AMOUNT")]
    price: Option<PricePerHour>,
    /// The least that a GPU-hour costs, whatever the market does
    #[arg(long, value_name = "AMOUNT")]
    floor: Option<PricePerHour>,
    /// How the price follows the market: fixed, join, undercut, follow-mid or cost
    #[arg(long, value_name = "STRATEGY")]
    strategy: Option<Strategy>,
    /// How far below the lowest ask of others the strategy undercut asks
    #[arg(long, value_name = "AMOUNT")]
    undercut_step: Option<PricePerHour>,
    /// What the GPU draws at work, in watts; 0 for unknown
    #[arg(long, value_name = "W")]
    watts: Option<u32>,
    /// What a kilowatt-hour of power costs, in credits; 0 for unknown
    #[arg(long, value_name = "AMOUNT")]
    tariff: Option<Amount>,
    /// What the strategy cost adds to the cost of power
    #[arg(long, value_name = "AMOUNT")]
    margin: Option<PricePerHour>,
    /// Also write the new figures into config.toml
    #[arg(long)]
    save: bool,
}

/// Shows the ask, changed as far as that was asked for.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let change = args.change();
    anyhow::ensure!(
        !args.save || !change.is_empty(),
        "nothing was saved: --save keeps the figures that are given beside it, and there is none"
    );
    let client = context.client().await?;
    let view: ProviderView = match change.is_empty() {
        true => client.get("/v1/provider/ask").await?,
        false => client.post("/v1/provider/ask", &change).await?,
    };
    if args.save {
        save(&context.home()?, &change)?;
    }
    context.print(&view, text)
}

impl Args {
    fn change(&self) -> AskChange {
        AskChange {
            price: self.price,
            floor: self.floor,
            strategy: self.strategy,
            undercut_step: self.undercut_step,
            watts: self.watts,
            tariff: self.tariff,
            margin: self.margin,
        }
    }
}

/// Writes the figures into the file, one setting after the other, and says so.
fn save(home: &Home, change: &AskChange) -> anyhow::Result<()> {
    for (key, value) in settings(change) {
        let edited = config::set_in_file(&home.config(), key, &value)?;
        eprintln!("Saved {key} = {}.", edited.after);
    }
    Ok(())
}

/// Lists the settings that a change says, as text that [`config::set_in_file`] takes.
pub(super) fn settings(change: &AskChange) -> Vec<(&'static str, String)> {
    let price = |price: PricePerHour| price.0.decimal();
    let said = [
        ("sell.price", change.price.map(price)),
        ("sell.floor", change.floor.map(price)),
        (
            "sell.strategy",
            change.strategy.map(|name| name.to_string()),
        ),
        ("sell.undercut_step", change.undercut_step.map(price)),
        ("sell.watts", change.watts.map(|watts| watts.to_string())),
        ("sell.tariff", change.tariff.map(Amount::decimal)),
        ("sell.margin", change.margin.map(price)),
    ];
    let said = said.into_iter();
    said.filter_map(|(key, value)| Some((key, value?)))
        .collect()
}

/// Writes the ask that stands, where its price comes from, and why it is not filled.
pub(super) fn text(view: &ProviderView) -> String {
    let ask = &view.ask;
    let order = match ask.order {
        Some(order) => format!("ask {} stands", order.short()),
        None => "no ask stands".to_owned(),
    };
    let mut lines = vec![
        format!("{order}: {} at {}", ask.class, ask.price),
        format!("price: {}", words::printable(&ask.why)),
        format!("strategy: {}; never below {}", ask.strategy, ask.least),
    ];
    if !view.why.is_empty() {
        let state = words::selling(view.state);
        lines.push(format!("{state}: {}", words::printable(&view.why)));
    }
    lines.join("\n") + "\n"
}
