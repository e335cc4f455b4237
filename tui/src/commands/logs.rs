//! Owns `nightshift logs`: what happened in one run, from its beginning, also after a restart of the node.
//!
//! Never changes a run; leaving it leaves the run alone.

use std::time::Duration;

use market_node::api::{NumberedEvent, RunEvent};

use crate::cli::Context;
use crate::output::{self, Form};
use crate::render_run::{RunView, Surface, bill};
use crate::run_name::RunName;

/// Arguments of `logs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its first digits, or latest
    #[arg(value_name = "RUN")]
    run: RunName,
    /// Go on until the run is over
    #[arg(short, long)]
    follow: bool,
    /// Begin at the event with this number, as --json shows them
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
}

/// Prints a run's events, one a line.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let client = context.client().await?;
    let (run, from, follow) = (args.run, args.from, args.follow);
    let path = format!("/v1/jobs/{run}/events?from={from}&follow={follow}");
    let mut lines = client.get_lines(&path).await?;
    let mut reader = Reader::new();
    while let Some(event) = lines.next::<NumberedEvent>().await? {
        let text = match context.form {
            Form::Json => serde_json::to_string(&event)?,
            Form::Text => reader.read(&event),
        };
        if !text.is_empty() && output::stream(&text)? == output::Readers::Gone {
            return Ok(());
        }
    }
    let rest = reader.rest();
    match rest.is_empty() || context.form == Form::Json {
        true => Ok(()),
        false => output::data(&rest),
    }
}

/// Turns events into lines. Each line's time is that of the job's last report.
pub(super) struct Reader {
    view: RunView,
    reported_at: Duration,
}

impl Reader {
    /// Begins before the first event.
    pub(super) fn new() -> Self {
        Self {
            view: RunView::new(Surface::Plain),
            reported_at: Duration::ZERO,
        }
    }

    /// Returns the lines that an event adds; may be empty.
    pub(super) fn read(&mut self, event: &NumberedEvent) -> String {
        if let RunEvent::Progress { at_ms, .. } = event.event {
            self.reported_at = Duration::from_millis(at_ms);
        }
        self.view.update(&event.event, self.reported_at);
        let mut lines = self.view.take_lines();
        match &event.event {
            RunEvent::Finished(job) => lines.push(bill(job)),
            RunEvent::NothingFits { summary } => lines.push(format!("no offer fits: {summary}")),
            RunEvent::Failed { reason } => lines.push(format!("failed: {reason}")),
            _ => {}
        }
        lines.join("\n")
    }

    /// Returns generated text that ends without a line break.
    pub(super) fn rest(mut self) -> String {
        self.view.flush_text();
        self.view.take_lines().join("\n")
    }
}
