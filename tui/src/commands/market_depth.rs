//! Owns `nightshift market depth`: the price levels of a class.
//!
//! Never sorts them; the node's are best first already. On a terminal the table stands below a picture.

use market::gpu::GpuClass;
use market_node::api::{DepthView, LevelRow};

use crate::cli::Context;
use crate::table::{Side, Table};
use crate::{output, picture, words};

/// Arguments of `market depth`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The class, for example 16T-12G
    class: GpuClass,
}

/// Shows both sides of a class.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let path = format!("/v1/market/depth?class={}", args.class);
    let view: DepthView = context.client().await?.get(&path).await?;
    context.print(&view, |view| {
        let picture = output::width().map(|width| picture::depth_text(view, width));
        format!("{}{}", picture.unwrap_or_default(), text(view))
    })
}

/// Writes both sides.
pub(super) fn text(view: &DepthView) -> String {
    let asks = side("Asks, cheapest first", "Nobody offers", &view.asks);
    let bids = side("Bids, dearest first", "Nobody bids", &view.bids);
    let meeting = match view.meeting_gpus {
        0 => String::new(),
        gpus => format!(
            "\n{} of orders that meet, and are about to trade, are left out.\n",
            words::plural(gpus as usize, "GPU")
        ),
    };
    let class = view.class;
    format!("{class}, by the GPU and the hour\n\n{asks}\n{bids}{meeting}")
}

fn side(title: &str, empty: &str, levels: &[LevelRow]) -> String {
    if levels.is_empty() {
        return format!("{title}\n{empty} in this node's copy of the book.\n");
    }
    let mut table = Table::new([
        ("PRICE", Side::Right),
        ("GPUS", Side::Right),
        ("ORDERS", Side::Right),
        ("GPUS SO FAR", Side::Right),
    ]);
    for level in levels {
        table.row([
            level.price.to_string(),
            level.gpus.to_string(),
            level.orders.to_string(),
            level.cumulative_gpus.to_string(),
        ]);
    }
    format!("{title}\n{table}")
}
