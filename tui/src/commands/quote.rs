//! Owns `nightshift quote`: the offers that fit a job, best first, and why the others do not.
//!
//! Never buys and never ranks: the node does the ranking.

use std::path::{self, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use market_node::api::{CostView, OfferView, QuoteRequest, QuoteView};

use crate::cli::Context;
use crate::exit::Ending;
use crate::table::{Side, Table};
use crate::words;

/// Arguments of `quote`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job file
    #[arg(value_name = "JOB.toml")]
    job_file: PathBuf,
    /// Also say why the other offers do not fit
    #[arg(long)]
    explain: bool,
    /// Show at most so many offers
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: usize,
}

/// How much of a quote is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Detail {
    /// The most offers shown.
    pub(super) limit: usize,
    /// Whether the reasons are.
    pub(super) explain: bool,
}

/// Ranks the offers that fit a job. Fails with [`Ending::NothingFits`] where none does, after printing the reasons.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let job_file = path::absolute(&args.job_file).context("finding the job file")?;
    anyhow::ensure!(job_file.is_file(), "{} is not a file", job_file.display());
    let request = QuoteRequest { job_file };
    let view: QuoteView = context.client().await?.post("/v1/quote", &request).await?;
    let detail = Detail {
        limit: args.limit,
        explain: args.explain,
    };
    context.print(&view, |view| text(view, detail))?;
    if view.offers.is_empty() {
        let summary = view.summary;
        return Err(Ending::NothingFits { summary }.into());
    }
    Ok(())
}

/// Writes the table, the counts and the reasons.
pub(super) fn text(view: &QuoteView, detail: Detail) -> String {
    let mut text = String::new();
    if !view.offers.is_empty() {
        text.push_str(&table(&view.offers, detail.limit));
    }
    let shown = view.offers.len().min(detail.limit);
    let all = format!("{} in the book", view.considered);
    let counted = words::shown_of((shown, view.fitting), "offer", &all);
    text.push_str(&format!("{counted}\n"));
    if detail.explain || view.offers.is_empty() {
        text.push_str(&reasons(view));
    }
    if let Some(best) = view.offers.first() {
        if let Some(cost) = view.expected.as_ref().filter(|_| detail.explain) {
            text.push_str(&total(cost, best));
        }
        let deposit = view.deposit;
        text.push_str(&format!(
            "A run takes the offer marked >, and locks {deposit} at most.\n"
        ));
    }
    text
}

/// Says why the others do not fit, and what would help most.
fn reasons(view: &QuoteView) -> String {
    let mut text = String::new();
    for (reason, count) in &view.rejections {
        text.push_str(&format!("{count:>6}  {}\n", words::printable(reason)));
    }
    if let Some(hint) = &view.hint {
        let hint = words::printable(hint);
        text.push_str(&format!("What would help most: {hint}.\n"));
    }
    text
}

/// Adds up what the best offer is expected to cost.
fn total(cost: &CostView, best: &OfferView) -> String {
    let time = words::duration(Duration::from_secs(best.expected_seconds));
    format!(
        "Expected total {}: {} for {time} at {}, {} for opening the channel.\n",
        cost.total, cost.running, best.row.price, cost.opening_fee
    )
}

fn table(offers: &[OfferView], limit: usize) -> String {
    let mut table = Table::new([
        ("", Side::Left),
        ("CLASS", Side::Left),
        ("PRICE", Side::Right),
        ("TIME", Side::Right),
        ("COST", Side::Right),
        ("GPUS", Side::Right),
        ("PROVEN", Side::Left),
        ("SELLER", Side::Left),
        ("ORDER", Side::Left),
    ]);
    for (rank, offer) in offers.iter().enumerate().take(limit) {
        let row = &offer.row;
        table.row([
            if rank == 0 { ">" } else { "" }.to_owned(),
            row.class.to_string(),
            row.price.to_string(),
            words::duration(Duration::from_secs(offer.expected_seconds)),
            offer.expected_total.to_string(),
            row.gpus.to_string(),
            if row.proven { "yes" } else { "no" }.to_owned(),
            row.node.short(),
            row.order.short(),
        ]);
    }
    table.to_string()
}
