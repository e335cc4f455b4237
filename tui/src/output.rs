//! Owns what goes to standard output: a view as JSON or as text for a person, and nothing else.
//!
//! Never prints progress, questions or errors; those go to standard error.

use std::io::{self, IsTerminal, Write};

use anyhow::Context as _;
use serde::Serialize;

/// In which form data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Tables and sentences.
    Text,
    /// The view itself as JSON.
    Json,
}

/// Returns how many characters a line of the standard output has, where that is a terminal.
pub(crate) fn width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let (columns, _) = ratatui::crossterm::terminal::size().ok()?;
    Some(columns.into())
}

/// Tells whether colours are wanted on a stream: on a terminal that has some, unless `NO_COLOR` is set.
pub(crate) fn colours(is_terminal: bool) -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    is_terminal && !is_set("NO_COLOR") && !is_dumb
}

/// Prints a view, in words through `text` or as one JSON document.
pub(crate) fn print<T: Serialize>(
    form: Form,
    view: &T,
    text: impl FnOnce(&T) -> String,
) -> anyhow::Result<()> {
    let printed = match form {
        Form::Text => text(view),
        Form::Json => serde_json::to_string_pretty(view).context("writing JSON")?,
    };
    data(&printed)
}

/// Prints data as it is.
pub(crate) fn data(text: &str) -> anyhow::Result<()> {
    write_to(&mut io::stdout().lock(), text).context("writing to standard output")
}

/// Whether anybody still reads a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Somebody does.
    There,
    /// Nobody does, for example after `head` had its lines: more need not be written.
    Gone,
}

/// Prints one piece of a stream as it comes.
pub(crate) fn stream(text: &str) -> anyhow::Result<Readers> {
    written(&mut io::stdout().lock(), text).context("writing to standard output")
}

/// Writes a text that ends with a line break. A reader that went away, such as `head`, is no error.
pub(crate) fn write_to(out: &mut impl Write, text: &str) -> io::Result<()> {
    written(out, text).map(|_readers| ())
}

fn written(out: &mut impl Write, text: &str) -> io::Result<Readers> {
    let ending = if text.ends_with('\n') { "" } else { "\n" };
    let written = write!(out, "{text}{ending}").and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(Readers::There),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Readers::Gone),
        Err(error) => Err(error),
    }
}

/// Asks on standard error and returns only when the answer is yes.
///
/// Fails when there is nobody to ask, naming `--yes`, and when the answer is no.
pub(crate) fn confirm(question: &str) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        anyhow::bail!(
            "there is no terminal to ask on: \"{question}\"; pass --yes to agree beforehand"
        );
    }
    let mut error = io::stderr().lock();
    write!(error, "{question} [y/N] ")
        .and_then(|()| error.flush())
        .context("asking")?;
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .context("reading the answer")?;
    anyhow::ensure!(is_yes(&answer), "nothing was done: the answer was not yes");
    Ok(())
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests;
