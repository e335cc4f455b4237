//! Owns how the stream of a bought job reads: phase by phase with its time, a live loss curve, the outputs
//! and the bill.
//!
//! Never prints and never reads a clock: [`RunPrinter`] does the one, and the caller passes the time since
//! the request in.
//!
//! ```text
//!    0.0s  accepted    job 1a2b3c4d
//!    0.1s  reserved    0.3 cr locked, agreement 9c8d7e6f
//!    0.9s  first step  loss 5.545
//! ```

mod bill;
mod printer;

use std::time::Duration;

use market::gpu::GpuClass;
use market::lease::Phase;
use market::progress::{Progress, StepMetric};
use market::{AgreementId, Amount, PricePerHour, Timestamp};
use market_node::api::{JobView, OfferView, RunEvent};

pub(crate) use bill::{bill, report};
pub(crate) use printer::RunPrinter;

use crate::exit::Ending;
use crate::plot::{self, Series};
use crate::words;

/// The most characters of generated text that wait for a line break.
const MAX_OPEN_TEXT: usize = 4096;

/// Rows of the loss curve.
const CURVE_ROWS: usize = 6;

/// The most cells that a curve or a bar is wide.
const CURVE_WIDTH: usize = 72;

/// What the lines are shown on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    /// A terminal, on which the live part is redrawn in place.
    Live,
    /// A file or a pipe, which gets a line for each tenth of the steps instead.
    Plain,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
enum End {
    Finished(Box<JobView>),
    NothingFits(String),
    Failed(String),
}

/// A run as a person follows it.
#[derive(Debug)]
pub(crate) struct RunView {
    surface: Surface,
    lines: Vec<String>,
    loss: Series,
    step: Option<StepMetric>,
    open_text: String,
    promised: Amount,
    end: Option<End>,
}

impl RunView {
    /// Begins before the first event.
    pub(crate) fn new(surface: Surface) -> Self {
        Self {
            surface,
            lines: Vec::new(),
            loss: Series::default(),
            step: None,
            open_text: String::new(),
            promised: Amount::ZERO,
            end: None,
        }
    }

    /// Takes an event in, `elapsed` after the request.
    pub(crate) fn update(&mut self, event: &RunEvent, elapsed: Duration) {
        match event {
            RunEvent::Requested { .. } => {
                self.tick(elapsed, "requested", "the job file and its inputs are read");
            }
            RunEvent::Accepted { run, job } => {
                self.tick(
                    elapsed,
                    "accepted",
                    &format!("run {run}, job {}", job.short()),
                );
            }
            RunEvent::Standing {
                class,
                max_price,
                until,
                ..
            } => {
                let detail = standing((*class, *max_price), *until);
                self.tick(elapsed, "bid stands", &detail);
            }
            RunEvent::Chosen { offer, summary } => {
                self.tick(elapsed, "chosen", &chosen(offer, summary));
            }
            RunEvent::Refused { node, reason } => {
                let detail = format!("by {}: {reason}; trying the next offer", node.short());
                self.tick(elapsed, "refused", &detail);
            }
            RunEvent::Opened {
                agreement, deposit, ..
            } => self.tick(elapsed, "reserved", &reserved(*deposit, *agreement)),
            RunEvent::Phase { phase } => self.enter(*phase, elapsed),
            RunEvent::Progress { report, .. } => self.progress(report, elapsed),
            RunEvent::Paid { promised } => self.promised = *promised,
            RunEvent::Output {
                name, bytes, path, ..
            } => {
                let size = words::bytes(*bytes);
                let detail = format!("{name}, {size}, hash checked: {}", path.display());
                self.flush_text();
                self.tick(elapsed, "output", &detail);
            }
            RunEvent::Silent { since_ms } => {
                let since = words::duration(Duration::from_millis(*since_ms));
                let detail = format!("no word from the provider for {since}; nothing more is paid");
                self.tick(elapsed, "silent", &detail);
            }
            RunEvent::Back => self.tick(elapsed, "back", "the provider is heard again"),
            RunEvent::Lost { reason } => {
                self.flush_text();
                self.step = None;
                self.tick(
                    elapsed,
                    "lost",
                    &format!("{reason}; what was delivered stays"),
                );
            }
            RunEvent::PendingRefund { amount, due_at } => {
                let detail = format!("{amount} or more comes back by {} UTC", words::utc(*due_at));
                self.tick(elapsed, "refund due", &detail);
            }
            RunEvent::Moved { attempt, from_step } => self.moved((*attempt, *from_step), elapsed),
            RunEvent::Note { line } => self.tick(elapsed, "note", line),
            RunEvent::Finished(job) => self.ended(End::Finished(job.clone())),
            RunEvent::NothingFits { summary } => self.ended(End::NothingFits(summary.clone())),
            RunEvent::Failed { reason } => self.ended(End::Failed(reason.clone())),
        }
    }

    fn ended(&mut self, end: End) {
        self.flush_text();
        self.step = None;
        self.end = Some(end);
    }

    fn moved(&mut self, (attempt, from_step): (u32, u64), elapsed: Duration) {
        let from = match from_step {
            0 => "from the beginning".to_owned(),
            step => format!("after step {step}"),
        };
        if from_step == 0 {
            self.loss = Series::default();
        }
        self.step = None;
        self.tick(
            elapsed,
            "moved",
            &format!("attempt {attempt} goes on {from}"),
        );
    }

    fn enter(&mut self, phase: Phase, elapsed: Duration) {
        let detail = match phase {
            Phase::Opening | Phase::Ended => return, // `reserved` and the bill tell these.
            Phase::Preparing => "bringing inputs to the provider",
            Phase::Running => "the worker starts",
            Phase::Paused => "waiting for the other side; only the hold rate runs",
            Phase::Delivering => "bringing outputs back",
            Phase::Closing => "settling",
        };
        self.tick(elapsed, words::phase(phase), detail);
    }

    fn progress(&mut self, report: &Progress, elapsed: Duration) {
        match report {
            Progress::Confined { layers } => self.tick(elapsed, "confined", &words::layers(layers)),
            Progress::Started { device, parameters } => {
                let parameters = words::count(*parameters);
                self.tick(
                    elapsed,
                    "started",
                    &format!("{parameters} parameters on {device}"),
                );
            }
            Progress::Step(metric) => self.step(*metric, elapsed),
            Progress::HeldOut {
                step,
                loss,
                unigram_entropy,
            } => {
                let detail = format!(
                    "loss {loss:.3} after step {step}; unigram entropy {unigram_entropy:.3}"
                );
                self.tick(elapsed, "held out", &detail);
            }
            Progress::Text { text } => self.text(text),
            Progress::Log { line } => self.tick(elapsed, "log", line),
            Progress::Summary { tokens, seconds } => {
                self.flush_text();
                self.curve();
                self.step = None;
                let detail = format!("{} tokens in {seconds:.1}s", words::count(*tokens));
                self.tick(elapsed, "work done", &detail);
            }
            Progress::Failed { reason } => self.tick(elapsed, "job failed", reason),
        }
    }

    fn step(&mut self, metric: StepMetric, elapsed: Duration) {
        let tenth =
            |metric: &StepMetric| u128::from(metric.step) * 10 / u128::from(metric.steps.max(1));
        let is_first = self.loss.ends().is_none();
        let is_next_tenth = self
            .step
            .as_ref()
            .is_none_or(|before| tenth(before) < tenth(&metric));
        self.loss.push(metric.loss);
        self.step = Some(metric);
        if is_first {
            self.tick(elapsed, "first step", &format!("loss {:.3}", metric.loss));
        } else if self.surface == Surface::Plain && is_next_tenth {
            self.tick(elapsed, "step", &figures(&metric));
        }
    }

    /// Takes generated text in: whole lines are done, the rest waits.
    fn text(&mut self, text: &str) {
        for piece in text.split_inclusive('\n') {
            self.open_text
                .push_str(&words::printable(piece.trim_end_matches('\n')));
            if piece.ends_with('\n') || self.open_text.chars().count() > MAX_OPEN_TEXT {
                self.lines.push(std::mem::take(&mut self.open_text));
            }
        }
    }

    /// Makes a line of generated text that ends without a line break.
    pub(crate) fn flush_text(&mut self) {
        if !self.open_text.is_empty() {
            self.lines.push(std::mem::take(&mut self.open_text));
        }
    }

    /// Keeps the finished curve among the lines.
    fn curve(&mut self) {
        match self.surface {
            Surface::Live => self.lines.extend(self.loss.plot(CURVE_WIDTH, CURVE_ROWS)),
            Surface::Plain => self.lines.extend(loss_line(&self.loss)),
        }
    }

    fn tick(&mut self, elapsed: Duration, what: &str, detail: &str) {
        let elapsed = words::duration(elapsed);
        let line = format!("{elapsed:>7}  {what:<11} {}", words::printable(detail));
        self.lines.push(line.trim_end().to_owned());
    }

    /// Returns the lines that came to stay since the last call.
    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// Returns the lines that the next event may change, none wider than `width` cells; none on a plain
    /// surface.
    pub(crate) fn live(&self, width: usize) -> Vec<String> {
        if self.surface == Surface::Plain {
            return Vec::new();
        }
        let mut lines = Vec::new();
        if let Some(step) = &self.step {
            lines.extend(self.loss.plot(width.min(CURVE_WIDTH), CURVE_ROWS));
            let bar = plot::bar((step.step, step.steps), width.min(CURVE_WIDTH) / 3);
            lines.push(format!(
                "{bar}  {}  {} promised",
                figures(step),
                self.promised
            ));
        }
        if !self.open_text.is_empty() {
            lines.push(self.open_text.clone());
        }
        lines.iter().map(|line| end_of(line, width)).collect()
    }

    /// Ends the run: the job as it was settled, or why there is none.
    pub(crate) fn finish(self) -> anyhow::Result<JobView> {
        match self.end {
            Some(End::Finished(job)) => Ok(*job),
            Some(End::NothingFits(summary)) => Err(Ending::NothingFits { summary }.into()),
            Some(End::Failed(reason)) => anyhow::bail!("{reason}"),
            None => anyhow::bail!(
                "the node stopped telling about the job before it was over; \
                 `nightshift ps` shows where it stands"
            ),
        }
    }
}

fn standing((class, max_price): (GpuClass, PricePerHour), until: Timestamp) -> String {
    let until = words::utc(until);
    format!("for {class} or better at most {max_price}, until {until} UTC")
}

fn reserved(deposit: Amount, agreement: AgreementId) -> String {
    format!("{deposit} locked, agreement {}", agreement.short())
}

fn chosen(offer: &OfferView, summary: &str) -> String {
    let row = &offer.row;
    let (class, price, seller) = (row.class, row.price, row.node.short());
    let time = words::duration(Duration::from_secs(offer.expected_seconds));
    let total = offer.expected_total;
    format!("{class} at {price} from {seller}, about {time} and {total}; {summary}")
}

fn figures(metric: &StepMetric) -> String {
    let steps = words::steps((metric.step, metric.steps));
    let speed = metric.tokens_per_second;
    format!("{steps}  loss {:.3}  {speed:.0} tokens/s", metric.loss)
}

/// Draws a series on one line between its first and its last figure.
pub(crate) fn loss_line(loss: &Series) -> Option<String> {
    let ends = loss.ends()?;
    let (first, last) = (ends.first, ends.last);
    Some(format!("loss {first:.3} {} {last:.3}", loss.sparkline(40)))
}

/// Returns the end of a text that fits into `width` cells.
fn end_of(text: &str, width: usize) -> String {
    let mut cells = 0;
    let mut kept: Vec<char> = Vec::new();
    for character in text.chars().rev() {
        let mut buffer = [0; 4];
        cells += ratatui::text::Span::raw(&*character.encode_utf8(&mut buffer)).width();
        if cells > width {
            break;
        }
        kept.push(character);
    }
    kept.iter().rev().collect()
}

#[cfg(test)]
mod tests;
