//! Owns `nightshift wallet history`: what came in and what went out, with whom and for which job, page by page.
//!
//! Never computes money.

use std::collections::BTreeSet;

use market::AccountId;
use market_node::api::{HistoryRow, HistoryView, PageLimit};
use market_node::ledger::protocol::HistoryCursor;

use crate::cli::Context;
use crate::table::{Side, Table};
use crate::words;

/// Arguments of `wallet history`.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
#[command(
    after_help = "Each entry is named HEIGHT:INDEX in the first column: its block, and its place in it. A page that \
                  others come after ends with the command for the next one. --json has all ids in full, and under \
                  `next` what --before is for the next page."
)]
pub(crate) struct Args {
    /// How many entries a page holds, 1 to 256
    #[arg(long, value_name = "N", default_value_t, allow_negative_numbers = true)]
    pub(super) limit: PageLimit,
    /// List what came before this entry
    #[arg(long, value_name = "HEIGHT:INDEX", allow_hyphen_values = true)]
    pub(super) before: Option<HistoryCursor>,
}

/// Lists a page of the account's history, newest first.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let mut path = format!("/v1/wallet/history?limit={}", args.limit);
    if let Some(before) = args.before {
        path.push_str(&format!("&before={before}"));
    }
    let view: HistoryView = context.client().await?.get(&path).await?;
    context.print(&view, |view| text(view, args))
}

/// Writes the page, the accounts in it in full, and how the next page is reached.
pub(super) fn text(view: &HistoryView, args: Args) -> String {
    if view.entries.is_empty() {
        return match args.before {
            None => "Nothing came in and nothing went out yet.\n".to_owned(),
            Some(before) => format!("Nothing came in and nothing went out before {before}.\n"),
        };
    }
    let mut text = table(view).to_string();
    let others = view.entries.iter().filter_map(|entry| entry.counterparty);
    let others: BTreeSet<AccountId> = others.filter(|other| *other != view.account).collect();
    if !others.is_empty() {
        text.push_str("\nAddresses in full:\n");
        others
            .iter()
            .for_each(|other| text.push_str(&format!("{other}\n")));
    }
    if let Some(next) = &view.next {
        let limit = match args.limit == PageLimit::default() {
            true => String::new(),
            false => format!(" --limit {}", args.limit),
        };
        let next = words::printable(next);
        text.push_str(&format!(
            "\nNext page: nightshift wallet history{limit} --before {next}\n"
        ));
    }
    text
}

fn table(view: &HistoryView) -> Table<9> {
    let mut table = Table::new([
        ("ENTRY", Side::Right),
        ("TIME (UTC)", Side::Left),
        ("WHAT", Side::Left),
        ("CHANGE", Side::Right),
        ("BALANCE", Side::Right),
        ("WITH", Side::Left),
        ("FOR", Side::Left),
        ("TRANSACTION", Side::Left),
        ("NOTE", Side::Left),
    ]);
    for entry in &view.entries {
        table.row([
            format!("{}:{}", entry.height, entry.index),
            words::utc(entry.time),
            words::printable(&entry.what),
            words::printable(&entry.change),
            entry.balance.to_string(),
            with(entry, view.account),
            purpose(entry),
            entry.tx.map_or_else(|| "-".to_owned(), |tx| tx.short()),
            words::printable(&entry.memo),
        ]);
    }
    table
}

/// Names who paid or was paid, or the channel where that is not known.
fn with(entry: &HistoryRow, own: AccountId) -> String {
    match (entry.counterparty, entry.channel) {
        (Some(other), _) if other == own => "itself".to_owned(),
        (Some(other), _) => other.short(),
        (None, Some(channel)) => format!("channel {}", channel.short()),
        (None, None) => "-".to_owned(),
    }
}

/// Names the run that was bought, or the agreement where another node bought or this one sold.
fn purpose(entry: &HistoryRow) -> String {
    match (entry.run, entry.agreement) {
        (Some(run), _) => format!("run {run}"),
        (None, Some(agreement)) => format!("agreement {}", agreement.short()),
        (None, None) => "-".to_owned(),
    }
}
