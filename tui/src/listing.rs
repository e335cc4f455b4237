//! Owns lists that a person cuts to what they want: the arguments of the commands that show one, what fits, and what is
//! said about the rest.
//!
//! Never knows what a row is, and never draws one.

use std::fmt;
use std::io::{self, IsTerminal as _};

use serde::Serialize;

use crate::cli::Context;
use crate::filter::{self, Field, Filter, FilterError, Order, OrderError, Selection};
use crate::output::Form;
use crate::table::Table;
use crate::words;

/// The most rows that a terminal shows unless a limit is given.
const TERMINAL_LIMIT: usize = 20;

/// A row of a list that is filtered and sorted.
pub(crate) trait Listed: Clone + Send + Sync + fmt::Debug + 'static {
    /// What one is called.
    const NOUN: &'static str;
    /// Where all of them are, behind their number: `40 in the book`.
    const PLACE: &'static str;
    /// What is said where there are none.
    const NONE: &'static str;
    /// The command that lists them all.
    const COMMAND: &'static str;

    /// Returns the fields that a filter knows.
    fn fields() -> &'static [Field<Self>];
}

/// Which rows of a list are shown, and how much is said about the others.
#[derive(Debug, clap::Args)]
pub(crate) struct Choice<Row: Listed> {
    /// Show only rows for which all these terms hold, for example 'price<0.4'
    #[arg(value_name = "FILTER", value_parser = filter::<Row>)]
    filters: Vec<Filter<Row>>,
    /// Sort by these fields, with commas between them; -FIELD sorts from high to low
    #[arg(
        short,
        long,
        value_name = "FIELDS",
        value_parser = order::<Row>,
        allow_hyphen_values = true
    )]
    order: Option<Order<Row>>,
    /// Say how many rows each term leaves out
    #[arg(long)]
    explain: bool,
    /// Show at most so many rows [default: 20 on a terminal, else all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

fn filter<Row: Listed>(text: &str) -> Result<Filter<Row>, FilterError> {
    Filter::parse(text, Row::fields())
}

fn order<Row: Listed>(text: &str) -> Result<Order<Row>, OrderError> {
    Order::parse(text, Row::fields())
}

/// Writes what a filter of such rows can say, for `--help`.
pub(crate) fn help<Row: Listed>(examples: &str) -> String {
    let fields = filter::table(Row::fields());
    format!(
        "A filter is one or more terms with spaces between them, in quotes, because a shell reads < and > itself.\n\
         A term is a field, one of > >= < <= = !=, and a value. Behind = and != there may be several values with\n\
         commas between them (any of them), and ranges with both ends in them: 12..24, 16.. or ..0.4\n\
         What is not known of a row fits no term.\n\n\
         {fields}\n\
         {examples}"
    )
}

impl<Row: Listed> Choice<Row> {
    /// Filters and sorts the rows.
    pub(crate) fn of(self, rows: Vec<Row>, form: Form) -> Listing<Row> {
        let is_terminal = form == Form::Text && io::stdout().is_terminal();
        let mut selection = Filter::all(self.filters).select(rows);
        if let Some(order) = self.order {
            order.sort(&mut selection.rows);
        }
        Listing {
            selection,
            limit: self.limit.or(is_terminal.then_some(TERMINAL_LIMIT)),
            detail: if self.explain {
                Detail::Explained
            } else {
                Detail::Counted
            },
        }
    }
}

/// What fits, and how much of it is shown.
#[derive(Debug)]
pub(crate) struct Listing<Row> {
    /// The rows that fit, in order, and how many do not.
    selection: Selection<Row>,
    /// The most that are shown.
    limit: Option<usize>,
    detail: Detail,
}

/// What is said about rows that are not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// How many there are.
    Counted,
    /// Also how many each term leaves out.
    Explained,
}

impl<Row: Listed> Listing<Row> {
    /// Prints the list: as text, or as the view that `view` makes of the rows that are shown.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn print<View: Serialize>(
        self,
        context: &Context,
        text: impl FnOnce(&Self) -> String,
        view: impl FnOnce(Vec<Row>) -> View,
    ) -> anyhow::Result<()> {
        match context.form {
            Form::Text => context.print(&(), |()| text(&self)),
            Form::Json => {
                // Standard output has the data alone.
                let is_empty = self.selection.has_terms() && self.selection.rows.is_empty();
                if is_empty || self.detail == Detail::Explained {
                    eprintln!("{}", self.explained());
                }
                let shown = self.shown();
                let mut rows = self.selection.rows;
                rows.truncate(shown);
                context.print(&view(rows), |_| String::new())
            }
        }
    }

    /// Writes the rows that are shown as a table, and how many of all they are.
    pub(crate) fn text<const COLUMNS: usize>(
        &self,
        mut table: Table<COLUMNS>,
        cells: impl Fn(&Row) -> [String; COLUMNS],
    ) -> String {
        if self.selection.considered() == 0 {
            return format!("{}\n", Row::NONE);
        }
        if self.selection.rows.is_empty() {
            return format!(
                "No {} fits. {}\nLoosen the term that leaves out most, or look at all: `{}`\n",
                Row::NOUN,
                self.explained(),
                Row::COMMAND,
            );
        }
        for row in self.selection.rows.iter().take(self.shown()) {
            table.row(cells(row));
        }
        let explained = match self.detail {
            Detail::Explained => format!("{}\n", self.explained()),
            Detail::Counted => String::new(),
        };
        format!("{table}{}\n{explained}", self.counted())
    }

    fn shown(&self) -> usize {
        let fitting = self.selection.rows.len();
        self.limit.map_or(fitting, |limit| limit.min(fitting))
    }

    fn explained(&self) -> String {
        self.selection.explain(Row::NOUN, self.shown())
    }

    /// Says in one line how many of all are shown.
    fn counted(&self) -> String {
        let (shown, fitting) = (self.shown(), self.selection.rows.len());
        if self.selection.has_terms() {
            let all = format!("{} {}", self.selection.considered(), Row::PLACE);
            return words::shown_of((shown, fitting), Row::NOUN, &all);
        }
        let rows = words::plural(fitting, Row::NOUN);
        match fitting > shown {
            true => format!("Shown {shown} of {rows}; --limit {fitting} shows all."),
            false => rows,
        }
    }
}

/// Lists all rows, as where nothing is asked for.
#[cfg(test)]
pub(crate) fn whole<Row: Listed>(rows: Vec<Row>) -> Listing<Row> {
    Listing {
        selection: Filter::all(Vec::new()).select(rows),
        limit: None,
        detail: Detail::Counted,
    }
}
