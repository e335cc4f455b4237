//! Owns the exit codes and how a failure is told.
//!
//! Never decides what a failure is.

use market_node::api::ClientError;

use crate::words;

/// What `--help` and the manual say about exit codes.
pub(crate) const HELP: &str = "\
Exit codes:
  0    done; a node that was asked to stop has stopped
  1    failed; standard error says what happened, why, and what to do next
  2    the command line is wrong
  3    no node runs in this home
  4    no offer fits the job
  5    the job was cancelled
  6    the provider was lost, and no other took the job over
  130  a signal ended it before it was done";

const FAILED: u8 = 1;
const NOT_RUNNING: u8 = 3;
const NOTHING_FITS: u8 = 4;
const CANCELLED: u8 = 5;
const PROVIDER_LOST: u8 = 6;
const INTERRUPTED: u8 = 130;

/// A failure that scripts tell apart by its exit code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ending {
    /// No standing offer fits a job.
    #[error("no offer fits this job: {summary}; loosen its needs or its price, or wait")]
    NothingFits {
        /// What the book said about each offer.
        summary: String,
    },
    /// A job was cancelled before it completed.
    #[error("the job was cancelled; what was delivered is kept and was paid for")]
    Cancelled,
    /// The last provider of a job is gone and no other took the job over.
    #[error(
        "the provider was lost and no other took the job over: {reason}; what was delivered is kept and \
         was paid for; `nightshift quote` shows who could run it now"
    )]
    ProviderLost {
        /// Why it counts as lost.
        reason: String,
    },
    /// A signal came before the work was done.
    #[error("{0}")]
    Interrupted(&'static str),
}

/// Returns the exit code of a failure.
pub(crate) fn code(error: &anyhow::Error) -> u8 {
    let is_not_running = |error: &ClientError| matches!(error, ClientError::NotRunning { .. });
    if error.downcast_ref().is_some_and(is_not_running) {
        return NOT_RUNNING;
    }
    match error.downcast_ref() {
        Some(Ending::NothingFits { .. }) => NOTHING_FITS,
        Some(Ending::Cancelled) => CANCELLED,
        Some(Ending::ProviderLost { .. }) => PROVIDER_LOST,
        Some(Ending::Interrupted(_)) => INTERRUPTED,
        None => FAILED,
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
