//! Owns `nightshift man`: the manual pages, made out of the command line's own description.
//!
//! Never says anything that `--help` does not say.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::output;

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Read it at once: nightshift man | man -l -")]
pub(crate) struct Args {
    /// Write the pages of all commands into this folder instead
    #[arg(long, value_name = "DIR")]
    all: Option<PathBuf>,
}

/// Prints the program's page, or writes one for each command.
pub(crate) fn execute(args: &Args) -> anyhow::Result<()> {
    match &args.all {
        None => output::data(&page()?),
        Some(folder) => write_all(folder),
    }
}

/// Writes the page of the program as a whole.
pub(super) fn page() -> anyhow::Result<String> {
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(Cli::command());
    man.render(&mut page).context("writing the page")?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn write_all(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    // The help command repeats every other one, and is left out with its pages.
    let command = Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, folder)
        .with_context(|| format!("writing into {}", folder.display()))
}
