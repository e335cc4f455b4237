//! Owns which reports of a provider are passed on: each once, in order, and only what can be shown.
//!
//! Never trusts a number or a text from the provider.

use market::progress::{MAX_TEXT_BYTES, Progress};

/// The most layers of confinement that one report names, and the most bytes of one layer's words.
const MAX_LAYERS: usize = 64;
const MAX_LAYER_BYTES: usize = 512;

/// Why a batch, or a report in it, is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadReport {
    /// Reports before it are missing.
    #[error("the batch begins with report {first}, and {next} is the next one")]
    Gap {
        /// The batch's first number.
        first: u64,
        /// The number that was to come.
        next: u64,
    },
    /// The numbers run over.
    #[error("the reports' numbers are beyond what can be counted")]
    Numbers,
    /// A figure that is no number.
    #[error("{0} is not a finite number")]
    NotFinite(&'static str),
    /// A text beyond its limit.
    #[error("{what} has {actual} bytes, more than {max}")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its bytes.
        actual: usize,
        /// The most that it may have.
        max: usize,
    },
    /// More layers than there are.
    #[error("{0} layers of confinement are named, more than {MAX_LAYERS}")]
    Layers(usize),
}

/// What is left of a batch after the checks.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Checked {
    /// The reports that are new and can be shown, each with its number.
    pub(super) reports: Vec<(u64, Progress)>,
    /// The number of the next new report.
    pub(super) next: u64,
    /// Why reports were left out, where some were: the number of the last report of the batch, and the first reason.
    pub(super) left_out: Option<(u64, BadReport)>,
}

/// Checks a batch whose first report is number `first`, where `next` is the next new one.
///
/// # Errors
/// A batch that leaves a gap, or whose numbers run over, is refused whole.
pub(super) fn check(first: u64, batch: Vec<Progress>, next: u64) -> Result<Checked, BadReport> {
    let known = next
        .checked_sub(first)
        .ok_or(BadReport::Gap { first, next })?;
    let count = u64::try_from(batch.len()).map_err(|_| BadReport::Numbers)?;
    let end = first.checked_add(count).ok_or(BadReport::Numbers)?;
    let mut checked = Checked {
        next: end.max(next),
        ..Checked::default()
    };
    let known = usize::try_from(known).unwrap_or(usize::MAX);
    for (number, report) in (first..end).zip(batch).skip(known) {
        match check_one(&report) {
            Ok(()) => checked.reports.push((number, report)),
            Err(reason) => checked.left_out = checked.left_out.or(Some((end - 1, reason))),
        }
    }
    Ok(checked)
}

fn check_one(report: &Progress) -> Result<(), BadReport> {
    match report {
        Progress::Confined { layers } => {
            if layers.len() > MAX_LAYERS {
                return Err(BadReport::Layers(layers.len()));
            }
            let mut layers = layers.iter();
            layers.try_for_each(|layer| short("a layer", layer, MAX_LAYER_BYTES))
        }
        Progress::Started { device, .. } => short("the device", device, MAX_TEXT_BYTES),
        Progress::Step(step) => {
            finite("the loss", step.loss)?;
            finite("the speed", step.tokens_per_second)
        }
        Progress::HeldOut {
            loss,
            unigram_entropy,
            ..
        } => {
            finite("the held-out loss", *loss)?;
            finite("the entropy", *unigram_entropy)
        }
        Progress::Text { text } => short("a piece of text", text, MAX_TEXT_BYTES),
        Progress::Log { line } => short("a line of the log", line, MAX_TEXT_BYTES),
        Progress::Summary { seconds, .. } => finite("the time", *seconds),
        Progress::Failed { reason } => short("the reason", reason, MAX_TEXT_BYTES),
    }
}

fn finite(what: &'static str, figure: f32) -> Result<(), BadReport> {
    if figure.is_finite() {
        return Ok(());
    }
    Err(BadReport::NotFinite(what))
}

fn short(what: &'static str, text: &str, max: usize) -> Result<(), BadReport> {
    let actual = text.len();
    if actual <= max {
        return Ok(());
    }
    Err(BadReport::TooLong { what, actual, max })
}

#[cfg(test)]
mod tests;
