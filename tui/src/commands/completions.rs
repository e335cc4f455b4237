//! Owns `nightshift completions`: what makes a shell complete this program's commands and flags.
//!
//! Never writes into a shell's folders; the caller says where it goes.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::output;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For bash:  nightshift completions bash > ~/.local/share/bash-completion/completions/nightshift
For zsh:   nightshift completions zsh > DIR/_nightshift, where DIR is in $fpath
For fish:  nightshift completions fish > ~/.config/fish/completions/nightshift.fish")]
pub(crate) struct Args {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Prints the completions of a shell.
pub(crate) fn execute(args: &Args) -> anyhow::Result<()> {
    output::data(&script(args.shell))
}

/// Writes the completions of a shell.
pub(super) fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "nightshift", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
