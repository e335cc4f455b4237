//! Owns the exit codes and how a failure is told.
//!
//! Never decides what a failure is.

use market_node::api::ClientError;

use crate::words;

/// What `--help` says about exit codes.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done
  1  failed; standard error says what happened, why, and what to do next
  2  the command line is wrong
  3  no node runs in this home
  4  no offer fits the job";

const FAILED: u8 = 1;
const NOT_RUNNING: u8 = 3;
const NOTHING_FITS: u8 = 4;

/// No standing offer fits a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no offer fits this job: {summary}; loosen its needs or its price, or wait")]
pub(crate) struct NothingFits {
    /// What the book said about each offer.
    pub(crate) summary: String,
}

/// Returns the exit code of a failure.
pub(crate) fn code(error: &anyhow::Error) -> u8 {
    let is_not_running = |error: &ClientError| matches!(error, ClientError::NotRunning { .. });
    if error.downcast_ref().is_some_and(is_not_running) {
        NOT_RUNNING
    } else if error.is::<NothingFits>() {
        NOTHING_FITS
    } else {
        FAILED
    }
}

/// Writes a failure and its causes in a row; a cause that the text before it repeats is left out. Where a
/// cause has lines of its own they stay lines, indented, so that none looks like another message.
pub(crate) fn told(error: &anyhow::Error) -> String {
    let mut text = String::from("error");
    for cause in error.chain() {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    let lines = text.lines().map(words::printable);
    lines.collect::<Vec<String>>().join("\n  ")
}

#[cfg(test)]
mod tests;
