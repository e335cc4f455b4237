//! Owns `nightshift config set`: puts one checked setting into the home's file.
//!
//! Never touches a running node; it says when one must be started again.

use std::path::PathBuf;

use market_node::config::{self, Edited, Origin, Settings};
use market_node::home::Holder;
use serde::Serialize;

use crate::cli::Context;

/// Arguments of `config set`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The setting, for example sell.price
    #[arg(value_name = "KEY")]
    key: String,
    /// Its new value; addresses with commas between them
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    value: String,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Set {
    key: &'static str,
    value: toml::Value,
    before: Option<toml::Value>,
    file: PathBuf,
    /// Whether a node runs in this home, which goes on with what it was started with.
    restart_needed: bool,
    /// The process of that node.
    pid: Option<u32>,
    /// The environment variable that beats the file here, if any.
    beaten_by: Option<String>,
}

/// Sets the key.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let home = context.home()?;
    let file = home.config();
    let Edited { key, before, after } = config::set_in_file(&file, &args.key, &args.value)?;
    let holder = home.holder()?;
    let beaten_by = match Settings::load(&home)?.entry(key).origin {
        Origin::Environment { variable } => Some(variable),
        _ => None,
    };
    let set = Set {
        key: key.name,
        value: after,
        before,
        file,
        restart_needed: holder != Holder::Nobody,
        pid: match holder {
            Holder::Process(pid) => pid,
            Holder::Nobody => None,
        },
        beaten_by,
    };
    context.print(&set, text)
}

fn text(set: &Set) -> String {
    let before = match &set.before {
        Some(before) => format!(", which was {before}"),
        None => String::new(),
    };
    let file = set.file.display();
    let mut text = format!("{} = {}{before}, in {file}\n", set.key, set.value);
    if let Some(variable) = &set.beaten_by {
        text.push_str(&format!(
            "Here the environment variable {variable} beats the file; unset it to use the new value.\n"
        ));
    }
    text.push_str(&match (set.restart_needed, set.pid) {
        (false, _) => "The next start of this home's node uses it.\n".to_owned(),
        (true, None) => {
            "A node runs in this home with the old value; start it again to use the new one.\n".to_owned()
        }
        (true, Some(pid)) => format!(
            "A node runs in this home with the old value (process {pid}); start it again to use the new one.\n"
        ),
    });
    text
}
