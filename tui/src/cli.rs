//! Owns the command line: the flags that every command has, and the way from `main` into a command.
//!
//! Never knows what a command does.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use market_node::api::ApiClient;
use market_node::home::Home;
use serde::Serialize;

use crate::commands::{self, Command};
use crate::exit;
use crate::logs::{self, LogFlags, Logs};
use crate::memory;
use crate::output::{self, Form};

/// How long work that still runs in other threads may hold up the end of the program.
const LAST_WORK: Duration = Duration::from_secs(2);

/// Where the help lists the flags that every command has.
pub(crate) const FOR_ALL: &str = "For every command";

/// A peer-to-peer market for GPU compute: sell hours of the card that you own, or buy them.
#[derive(Debug, Parser)]
#[command(name = "nightshift", version, after_help = exit::HELP)]
pub(crate) struct Cli {
    /// Folder of this node [default: NIGHTSHIFT_HOME, else nightshift in the platform's data folder]
    #[arg(long, global = true, value_name = "DIR", help_heading = FOR_ALL)]
    home: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long, global = true, help_heading = FOR_ALL)]
    json: bool,
    #[command(flatten)]
    logs: LogFlags,
    #[command(subcommand)]
    command: Command,
}

/// What every command is told.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The folder that `--home` names.
    pub(crate) home_flag: Option<PathBuf>,
    /// In which form data is printed.
    pub(crate) form: Form,
}

impl Context {
    /// Opens the home folder, which is made if needed.
    pub(crate) fn home(&self) -> anyhow::Result<Home> {
        Ok(Home::locate(self.home_flag.clone())?)
    }

    /// Connects to the node that runs in this home.
    pub(crate) async fn client(&self) -> anyhow::Result<ApiClient> {
        Ok(ApiClient::connect(&self.home()?).await?)
    }

    /// Prints a view in the form that was asked for.
    pub(crate) fn print<T: Serialize>(
        &self,
        view: &T,
        text: impl FnOnce(&T) -> String,
    ) -> anyhow::Result<()> {
        output::print(self.form, view, text)
    }
}

/// Reads the command line, does what it says and returns the exit code.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print(); // With nowhere to print to, the exit code still tells.
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = output::write_to(&mut std::io::stderr(), &exit::told(&error));
            ExitCode::from(exit::code(&error))
        }
    }
}

fn execute(cli: Cli) -> anyhow::Result<()> {
    let form = if cli.json { Form::Json } else { Form::Text };
    let context = Context {
        home_flag: cli.home,
        form,
    };
    logs::install(cli.command.logs(), cli.logs, || context.home())?;
    if cli.command.logs() != Logs::Brief {
        memory::keep_little();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let result = runtime.block_on(commands::execute(cli.command, &context));
    runtime.shutdown_timeout(LAST_WORK);
    result
}

#[cfg(test)]
mod tests;
