//! Owns `nightshift market book`: the standing offers, those that a person asks for.
//!
//! Never ranks them; the node's copy of the book is in order already, unless another order is asked for.

use std::io::{self, IsTerminal as _};

use market_node::api::{BookRow, BookView};

use crate::cli::Context;
use crate::filter::{self, Filter, FilterError, OFFER_FIELDS, Order, OrderError, Selection};
use crate::output::Form;
use crate::table::{Side, Table};
use crate::words;

const MIB: u64 = 1 << 20;

/// The most offers that a terminal shows unless a limit is given.
const TERMINAL_LIMIT: usize = 20;

/// Arguments of `market book`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = help())]
pub(crate) struct Args {
    /// Show only offers for which all these terms hold, for example 'vram>=12 price<0.4'
    #[arg(value_name = "FILTER", value_parser = filter)]
    filters: Vec<Filter<BookRow>>,
    /// Sort by these fields, with commas between them; -FIELD sorts from high to low
    #[arg(
        short,
        long,
        value_name = "FIELDS",
        value_parser = order,
        allow_hyphen_values = true
    )]
    order: Option<Order<BookRow>>,
    /// Say how many offers each term leaves out
    #[arg(long)]
    explain: bool,
    /// Show at most so many offers [default: 20 on a terminal, else all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

fn filter(text: &str) -> Result<Filter<BookRow>, FilterError> {
    Filter::parse(text, &OFFER_FIELDS)
}

fn order(text: &str) -> Result<Order<BookRow>, OrderError> {
    Order::parse(text, &OFFER_FIELDS)
}

/// Writes what a filter can say.
fn help() -> String {
    let fields = filter::table(&OFFER_FIELDS);
    format!(
        "A filter is one or more terms with spaces between them, in quotes, because a shell reads < and > itself.\n\
         A term is a field, one of > >= < <= = !=, and a value. Behind = and != there may be several values with\n\
         commas between them (any of them), and ranges with both ends in them: 12..24, 16.. or ..0.4\n\
         A figure that an offer does not tell fits no term.\n\n\
         {fields}\n\
         nightshift market book 'tier>=12 price<0.4' -o -tflops,price\n\
         nightshift market book 'class=16T-12G,23T-24G duration>=2h attributes=f16' --explain"
    )
}

/// Which of the standing offers are shown, and how much is said about the others.
#[derive(Debug)]
pub(super) struct Listing {
    /// The offers that fit, in order, and how many do not.
    pub(super) offers: Selection<BookRow>,
    /// The most that are shown.
    pub(super) limit: Option<usize>,
    /// What is said about the others.
    pub(super) detail: Detail,
}

/// What is said about offers that are not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// How many there are.
    Counted,
    /// Also how many each term leaves out.
    Explained,
}

/// Lists the standing offers.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let view: BookView = context.client().await?.get("/v1/book").await?;
    let time = view.time;
    let listing = args.listing(view.asks, context.form);
    match context.form {
        Form::Text => context.print(&(), |()| text(&listing)),
        Form::Json => {
            // Standard output has the data alone.
            let is_empty = listing.offers.has_terms() && listing.offers.rows.is_empty();
            if is_empty || listing.detail == Detail::Explained {
                eprintln!("{}", listing.explained());
            }
            let mut asks = listing.offers.rows;
            asks.truncate(listing.limit.unwrap_or(usize::MAX));
            context.print(&BookView { time, asks }, |_| String::new())
        }
    }
}

impl Args {
    /// Filters and sorts the offers.
    fn listing(self, asks: Vec<BookRow>, form: Form) -> Listing {
        let is_terminal = form == Form::Text && io::stdout().is_terminal();
        let mut offers = Filter::all(self.filters).select(asks);
        if let Some(order) = self.order {
            order.sort(&mut offers.rows);
        }
        Listing {
            offers,
            limit: self.limit.or(is_terminal.then_some(TERMINAL_LIMIT)),
            detail: if self.explain {
                Detail::Explained
            } else {
                Detail::Counted
            },
        }
    }
}

impl Listing {
    fn shown(&self) -> usize {
        let fitting = self.offers.rows.len();
        self.limit.map_or(fitting, |limit| limit.min(fitting))
    }

    fn explained(&self) -> String {
        self.offers.explain("offer", self.shown())
    }

    /// Says in one line how much of the book is shown.
    fn counted(&self) -> String {
        let (shown, fitting) = (self.shown(), self.offers.rows.len());
        let offers = words::plural(fitting, "offer");
        if self.offers.has_terms() {
            let considered = self.offers.considered();
            let fit = if fitting == 1 { "fits" } else { "fit" };
            return format!("Shown {shown} of {offers} that {fit}; {considered} in the book.");
        }
        match fitting > shown {
            true => format!("Shown {shown} of {offers}; --limit {fitting} shows all."),
            false => offers,
        }
    }
}

/// Writes the table and how much of the book it is.
pub(super) fn text(listing: &Listing) -> String {
    if listing.offers.considered() == 0 {
        return "No offers stand in this node's copy of the book.\n".to_owned();
    }
    if listing.offers.rows.is_empty() {
        return format!(
            "No offer fits. {}\nLoosen the term that leaves out most, or look at the whole book: `nightshift \
             market book`\n",
            listing.explained()
        );
    }
    let mut table = Table::new([
        ("CLASS", Side::Left),
        ("PRICE", Side::Right),
        ("GPUS", Side::Right),
        ("MEMORY", Side::Right),
        ("LONGEST", Side::Right),
        ("PROVEN", Side::Left),
        ("LAPSES IN", Side::Right),
        ("SELLER", Side::Left),
        ("ORDER", Side::Left),
    ]);
    for row in listing.offers.rows.iter().take(listing.shown()) {
        table.row(cells(row));
    }
    let explained = match listing.detail {
        Detail::Explained => format!("{}\n", listing.explained()),
        Detail::Counted => String::new(),
    };
    format!("{table}{}\n{explained}", listing.counted())
}

fn cells(row: &BookRow) -> [String; 9] {
    let seconds = |seconds| words::duration(std::time::Duration::from_secs(seconds));
    [
        row.class.to_string(),
        row.price.to_string(),
        row.gpus.to_string(),
        words::bytes(row.usable_mib.saturating_mul(MIB)),
        seconds(row.max_duration_s.into()),
        if row.proven { "yes" } else { "no" }.to_owned(),
        seconds(row.expires_in_s),
        row.node.short(),
        row.order.short(),
    ]
}

#[cfg(test)]
pub(super) use tests::whole;

#[cfg(test)]
mod tests;
