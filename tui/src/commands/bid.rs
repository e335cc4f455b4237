//! Owns `nightshift bid`: leaves a bid with this home's node, which buys by itself when somebody sells at its price.
//!
//! Never bids without a yes, and never ends a bid by leaving: `nightshift cancel` does.

use std::path::{self, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use market::PricePerHour;
use market::gpu::GpuClass;
use market_node::api::{ApiClient, BidRequest, ClientError, JobView, MAX_BID_S, RunEvent, RunId};
use serde::Serialize;

use crate::cli::Context;
use crate::exit::Ending;
use crate::output::{self, Form};
use crate::privacy;
use crate::render_run::{self, RunPrinter};
use crate::running::StopSignals;
use crate::words;

/// Arguments of `bid`.
#[derive(Debug, clap::Args)]
#[command(after_help = WAITING)]
pub(crate) struct Args {
    /// The job file
    #[arg(value_name = "JOB.toml")]
    job_file: PathBuf,
    /// The most that a GPU may cost for an hour, in credits; the job file's own limit holds as well
    #[arg(long, value_name = "AMOUNT")]
    max_price: PricePerHour,
    /// How long the bid stands, such as 90m, 2h or 7d; at most 7d
    #[arg(long = "for", value_name = "TIME", default_value = "24h", value_parser = stands)]
    stands: Duration,
    /// The least class that will do; any that can do the job without it
    #[arg(long, value_name = "CLASS")]
    class: Option<GpuClass>,
    /// Folder for the outputs
    #[arg(short, long, value_name = "DIR", default_value = "out")]
    output: PathBuf,
    /// Bid without asking
    #[arg(long)]
    yes: bool,
    /// Stay and show what happens until the job is over; leaving leaves the bid alone
    #[arg(short, long)]
    follow: bool,
}

/// What the help says about waiting.
const WAITING: &str = "\
The bid waits in this home's running node, also over its restarts. No money is locked while it waits. \
`nightshift ps` shows why nobody sells, `nightshift orders` where it stands among the bids, and \
`nightshift cancel RUN` ends it.";

/// What is said of a signal while following.
const LEFT: &str = "left; the bid goes on in its node, and `nightshift cancel RUN` ends it";

/// What is printed of a bid that is left alone, with `--json`.
#[derive(Serialize)]
struct Left {
    run: RunId,
}

/// How far a bid is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Until it stands, or is filled at once.
    Stands,
    /// To the end of the job.
    Over,
}

/// What following ended with.
enum Followed {
    Left(RunId),
    Over(Box<JobView>),
}

/// Reads how long a bid stands: a whole number of seconds, minutes, hours or days.
fn stands(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text} is no time such as 90m, 2h or 7d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let seconds = number.checked_mul(seconds).ok_or_else(wrong)?;
    match seconds {
        0 => Err("a bid stands for a second at least".to_owned()),
        _ if seconds > MAX_BID_S.into() => Err("a bid stands for 7d at most".to_owned()),
        _ => Ok(Duration::from_secs(seconds)),
    }
}

/// Leaves the bid with the running node.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let stands_s = u32::try_from(args.stands.as_secs()).context("reading the time")?;
    let request = BidRequest {
        job_file: path::absolute(&args.job_file).context("finding the job file")?,
        output: path::absolute(&args.output).context("finding the output folder")?,
        max_price: args.max_price,
        stands_s,
        class: args.class,
    };
    let client = match context.client().await {
        Err(error) if is_not_running(&error) => {
            return Err(error.context("a bid waits in a node that goes on; start one first"));
        }
        client => client?,
    };
    let mut signals = StopSignals::listen()?;
    privacy::tell_buyer();
    if !args.yes {
        tokio::select! {
            agreed = ask(&args) => agreed?,
            () = signals.next() => return Err(Ending::Interrupted("stopped; nothing was bid").into()),
        }
    }
    let until = match args.follow {
        true => Until::Over,
        false => Until::Stands,
    };
    let followed = tokio::select! {
        followed = follow(&client, &request, (until, context.form)) => followed?,
        () = signals.next() => return Err(Ending::Interrupted(LEFT).into()),
    };
    match followed {
        Followed::Over(job) => render_run::report(context.form, &job),
        Followed::Left(run) => {
            eprintln!(
                "`nightshift describe {run}` shows how it stands, `nightshift orders` where it is among the bids, \
                 `nightshift logs -f {run}` follows it, and `nightshift cancel {run}` ends it."
            );
            context.print(&Left { run }, |left| left.run.to_string())
        }
    }
}

fn is_not_running(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<ClientError>();
    matches!(error, Some(ClientError::NotRunning { .. }))
}

async fn ask(args: &Args) -> anyhow::Result<()> {
    let question = format!(
        "Buy this job by itself as soon as somebody sells for at most {}, for {}?",
        args.max_price,
        words::duration(args.stands)
    );
    // On a thread of its own: Ctrl-C is heard while the terminal is read.
    let asked = tokio::task::spawn_blocking(move || output::confirm(&question));
    asked.await.context("asking")?
}

/// Bids and shows the events. The stream of a bid that is left alone is not its data: the run's id is.
async fn follow(
    client: &ApiClient,
    request: &BidRequest,
    (until, form): (Until, Form),
) -> anyhow::Result<Followed> {
    let shown = match until {
        Until::Over => form,
        Until::Stands => Form::Text,
    };
    let mut printer = RunPrinter::new(shown);
    let mut lines = client.post_lines("/v1/bids", request).await?;
    let mut run = None;
    while let Some(event) = lines.next::<RunEvent>().await? {
        printer.event(&event)?;
        match event {
            RunEvent::Requested { run: named } => run = Some(named),
            RunEvent::Standing { .. } | RunEvent::Opened { .. } if until == Until::Stands => {
                if let Some(run) = run {
                    return Ok(Followed::Left(run));
                }
            }
            _ => {}
        }
    }
    Ok(Followed::Over(Box::new(printer.finish()?)))
}

#[cfg(test)]
mod tests;
