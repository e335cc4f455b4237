//! Owns `nightshift config show`: every setting with its value and who decided it.
//!
//! Never changes a setting; `config set` does.

use anyhow::Context as _;
use market_node::config::{self, Entry, Origin, Settings};
use serde::Serialize;

use crate::cli::Context;
use crate::output;
use crate::table::{Side, Table};

/// Arguments of `config show`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show only this setting, for example sell.price
    #[arg(value_name = "KEY")]
    key: Option<String>,
    /// Print the list of all settings as a Markdown table: defaults, ranges, meanings
    #[arg(long, conflicts_with = "key")]
    reference: bool,
}

/// One setting, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    key: &'static str,
    value: toml::Value,
    from: String,
    origin: Origin,
    default: toml::Value,
    allowed: String,
    meaning: &'static str,
    variable: String,
}

/// Shows the settings that a node started now in this home would have.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    if args.reference {
        let text = config::reference();
        return output::write_to(&mut std::io::stdout().lock(), &text)
            .context("writing to standard output");
    }
    let settings = Settings::load(&context.home()?)?;
    match args.key {
        None => {
            let entries = settings.entries();
            context.print(&entries.into_iter().map(row).collect(), list)
        }
        Some(name) => {
            let key = config::known(&name, config::Place::Command)?;
            context.print(&row(settings.entry(key)), one)
        }
    }
}

pub(super) fn row(entry: Entry) -> Row {
    let Entry { key, value, origin } = entry;
    let from = match &origin {
        Origin::Default => "default".to_owned(),
        Origin::File { line } => format!("config.toml, line {line}"),
        Origin::Environment { variable } => format!("environment, {variable}"),
        Origin::Flag { flag } => format!("flag {flag}"),
    };
    Row {
        key: key.name,
        value,
        from,
        origin,
        default: key.default_value(),
        allowed: key.kind.allowed(),
        meaning: key.meaning,
        variable: key.variable(),
    }
}

/// Writes the table.
pub(super) fn list(rows: &Vec<Row>) -> String {
    let mut table = Table::new([
        ("KEY", Side::Left),
        ("VALUE", Side::Left),
        ("FROM", Side::Left),
    ]);
    for row in rows {
        table.row([row.key.to_owned(), row.value.to_string(), row.from.clone()]);
    }
    format!("{table}`nightshift config show KEY` tells what a setting means and may be.\n")
}

fn one(row: &Row) -> String {
    format!(
        "{} = {}\n  from      {}\n  default   {}\n  allowed   {}\n  meaning   {}\n  variable  {}\n",
        row.key, row.value, row.from, row.default, row.allowed, row.meaning, row.variable
    )
}
