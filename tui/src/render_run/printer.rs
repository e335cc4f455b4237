//! Owns where a run is shown: standard error for people, standard output for `--json`.
//!
//! Never decides what is shown; [`RunView`] does.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use market_node::api::{JobView, RunEvent};
use ratatui::crossterm::terminal;

use super::{RunView, Surface};
use crate::output::{self, Form};

/// The least time between two drawings of which only the live part differs.
const REDRAW: Duration = Duration::from_millis(50);

/// The width of a terminal that does not tell its own.
const USUAL_WIDTH: u16 = 80;

/// Shows a run as its events come.
#[derive(Debug)]
pub(crate) struct RunPrinter {
    form: Form,
    view: RunView,
    requested_at: Instant,
    drawn_at: Instant,
    /// Live lines on the terminal now.
    drawn: usize,
}

impl RunPrinter {
    /// Begins at the moment of the request.
    pub(crate) fn new(form: Form) -> Self {
        let surface = match io::stderr().is_terminal() {
            true => Surface::Live,
            false => Surface::Plain,
        };
        let now = Instant::now();
        Self {
            form,
            view: RunView::new(surface),
            requested_at: now,
            drawn_at: now,
            drawn: 0,
        }
    }

    /// Shows an event.
    pub(crate) fn event(&mut self, event: &RunEvent) -> anyhow::Result<()> {
        let elapsed = self.requested_at.elapsed();
        self.view.update(event, elapsed);
        match self.form {
            Form::Json => {
                let line = serde_json::to_string(event).context("writing JSON")?;
                output::write_to(&mut io::stdout().lock(), &line)
            }
            Form::Text => self.draw(),
        }
        .context("showing the job's progress")
    }

    fn draw(&mut self) -> io::Result<()> {
        let lines = self.view.take_lines();
        let is_over = self.view.end.is_some();
        if lines.is_empty() && !is_over && self.drawn > 0 && self.drawn_at.elapsed() < REDRAW {
            return Ok(());
        }
        let columns = terminal::size().map_or(USUAL_WIDTH, |(columns, _)| columns);
        // The last cell stays free: a full line may wrap, and then one line takes two rows.
        let live = self.view.live(usize::from(columns).saturating_sub(1));
        let text = frame(self.drawn, &lines, &live);
        self.drawn = live.len();
        self.drawn_at = Instant::now();
        let mut error = io::stderr().lock();
        error
            .write_all(text.as_bytes())
            .and_then(|()| error.flush())
    }

    /// Ends the run: the job as it was settled, or why there is none.
    pub(crate) fn finish(self) -> anyhow::Result<JobView> {
        self.view.finish()
    }
}

/// Writes what replaces `drawn` live lines by lines that stay and then new live ones.
fn frame(drawn: usize, lines: &[String], live: &[String]) -> String {
    let mut text = String::new();
    if drawn > 0 {
        // Up to the first live line, then clear to the end of the screen.
        let _ = write!(text, "\x1b[{drawn}A\r\x1b[J"); // Writing into a string cannot fail.
    }
    for line in lines.iter().chain(live) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
