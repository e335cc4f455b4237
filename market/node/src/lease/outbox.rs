//! Owns what one lease has yet to say to the other side: messages of its machine, and reports of its job.
//!
//! Never makes anyone wait. Of messages only the newest of a kind matters, so few can stand here; of reports
//! the oldest steps and texts make room.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use market::lease::Message;
use market::progress::{MAX_TEXT_BYTES, Progress};
use market::wire;
use tokio::sync::Notify;

use crate::lease_protocol::MAX_PROGRESS_BATCH;

/// The most reports that wait.
const MAX_REPORTS: usize = 1_024;

/// The most encoded bytes of reports in one message, half of what a message may have.
const MAX_BATCH_BYTES: usize = 128 << 10;

/// The most layers of a sandbox that are named.
const MAX_LAYERS: usize = 32;

/// What waits to be sent. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Outbox {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    // A mutex and no owning task: the lease and its shell must never wait for the sender; every change is a
    // few moves in memory.
    waiting: Mutex<Waiting>,
    message_came: Notify,
    report_came: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Message>,
    reports: VecDeque<Progress>,
    is_over: bool,
}

impl Outbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // A change is whole or not begun, so a poisoned lock still holds a whole value.
        let waiting = &self.shared.waiting;
        waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message behind the others; an older one that it makes needless goes.
    pub(super) fn say(&self, message: Message) {
        {
            let mut waiting = self.waiting();
            if waiting.is_over {
                return;
            }
            waiting.messages.retain(|older| !replaces(&message, older));
            waiting.messages.push_back(message);
        }
        self.shared.message_came.notify_one();
    }

    /// Puts a report behind the others, in a form that the other side takes.
    pub(super) fn report(&self, report: Progress) {
        {
            let mut waiting = self.waiting();
            if waiting.is_over {
                return;
            }
            if waiting.reports.len() >= MAX_REPORTS {
                let least = least_missed(&waiting.reports);
                waiting.reports.remove(least);
            }
            waiting.reports.push_back(presentable(report));
        }
        self.shared.report_came.notify_one();
    }

    /// Says that nothing follows.
    pub(super) fn close(&self) {
        self.waiting().is_over = true;
        self.shared.message_came.notify_one();
        self.shared.report_came.notify_one();
    }

    pub(super) fn is_over(&self) -> bool {
        self.waiting().is_over
    }

    /// Takes the next message, once there is one; `None` when nothing follows. For one reader.
    pub(super) async fn next_message(&self) -> Option<Message> {
        loop {
            {
                let mut waiting = self.waiting();
                if let Some(message) = waiting.messages.pop_front() {
                    return Some(message);
                }
                if waiting.is_over {
                    return None;
                }
            }
            self.shared.message_came.notified().await;
        }
    }

    /// Takes as many reports as fit one message, once there are any; `None` when nothing follows. For one
    /// reader.
    pub(super) async fn next_reports(&self) -> Option<Vec<Progress>> {
        loop {
            {
                let mut waiting = self.waiting();
                let reports = take_batch(&mut waiting.reports);
                if !reports.is_empty() {
                    return Some(reports);
                }
                if waiting.is_over {
                    return None;
                }
            }
            self.shared.report_came.notified().await;
        }
    }
}

/// Tells whether an older message need not be sent once there is `newer`.
fn replaces(newer: &Message, older: &Message) -> bool {
    use Message::{Artefact, Cancel, Delivered, Due, Finished, Phase, Receipt, Repeat, Voucher};
    match (newer, older) {
        (Phase { .. }, Phase { .. })
        | (Due { .. }, Due { .. })
        | (Voucher(_), Voucher(_))
        | (Finished { .. }, Finished { .. })
        | (Receipt(_), Receipt(_))
        | (Cancel, Cancel)
        | (Repeat, Repeat) => true,
        (Artefact(_), Artefact(_)) | (Delivered { .. }, Delivered { .. }) => newer == older,
        _ => false,
    }
}

/// Returns the place of the report that is missed least: the oldest step or line, then the oldest text.
fn least_missed(reports: &VecDeque<Progress>) -> usize {
    let is_line = |report: &Progress| matches!(report, Progress::Step(_) | Progress::Log { .. });
    let is_text = |report: &Progress| matches!(report, Progress::Text { .. });
    let line = reports.iter().position(is_line);
    line.or_else(|| reports.iter().position(is_text))
        .unwrap_or(0)
}

fn take_batch(reports: &mut VecDeque<Progress>) -> Vec<Progress> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while let Some(report) = reports.front()
        && batch.len() < MAX_PROGRESS_BATCH
    {
        bytes += wire::encode(report).len();
        if bytes > MAX_BATCH_BYTES && !batch.is_empty() {
            break;
        }
        batch.extend(reports.pop_front());
    }
    batch
}

/// Brings a report into the bounds that the reading side checks: short texts, numbers that are numbers.
fn presentable(report: Progress) -> Progress {
    match report {
        Progress::Confined { mut layers } => {
            layers.truncate(MAX_LAYERS);
            let layers = layers.into_iter().map(shorten).collect();
            Progress::Confined { layers }
        }
        Progress::Started { device, parameters } => Progress::Started {
            device: shorten(device),
            parameters,
        },
        Progress::Step(step) if !step.loss.is_finite() => Progress::Log {
            line: format!("step {}: the loss is {}", step.step, step.loss),
        },
        Progress::Step(mut step) => {
            if !step.tokens_per_second.is_finite() {
                step.tokens_per_second = 0.0;
            }
            Progress::Step(step)
        }
        Progress::HeldOut {
            step,
            loss,
            unigram_entropy,
        } if !(loss.is_finite() && unigram_entropy.is_finite()) => Progress::Log {
            line: format!("after step {step}: the loss on held-out text is {loss}"),
        },
        Progress::HeldOut { .. } => report,
        Progress::Text { text } => Progress::Text {
            text: shorten(text),
        },
        Progress::Log { line } => Progress::Log {
            line: shorten(line),
        },
        Progress::Summary { tokens, seconds } => Progress::Summary {
            tokens,
            seconds: if seconds.is_finite() { seconds } else { 0.0 },
        },
        Progress::Failed { reason } => Progress::Failed {
            reason: shorten(reason),
        },
    }
}

/// Cuts a text at [`MAX_TEXT_BYTES`], between two characters.
fn shorten(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
    text
}

#[cfg(test)]
mod tests;
