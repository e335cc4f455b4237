//! Owns `nightshift run`: buys a job and follows it to its end.
//!
//! Never buys without a yes, and never spends more than the job file's budget.

use std::path::{self, PathBuf};

use anyhow::Context as _;
use market_node::api::{
    ApiClient, ClientError, JobView, QuoteRequest, QuoteView, RunEvent, RunId, RunRequest,
};
use serde::Serialize;

use super::{quote, up};
use crate::cli::Context;
use crate::exit::Ending;
use crate::output::{self, Form};
use crate::render_run::{self, RunPrinter};
use crate::running::{RunningNode, StopSignals};

/// Offers shown before the question.
const SHOWN_OFFERS: usize = 10;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The job file
    #[arg(value_name = "JOB.toml")]
    job_file: PathBuf,
    /// Buy without asking
    #[arg(long)]
    yes: bool,
    /// Leave once the job is bought and print its run alone; needs a running node, which goes on with it
    #[arg(short, long)]
    detach: bool,
    /// Folder for the outputs
    #[arg(short, long, value_name = "DIR", default_value = "out")]
    output: PathBuf,
}

/// How long a bought job is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// To its end.
    Over,
    /// Until its channel is open.
    Opened,
}

/// What following a job ended with.
enum Followed {
    /// The job is over.
    Over(Box<JobView>),
    /// The job goes on without us.
    Left(RunId),
}

/// What `--detach` prints with `--json`.
#[derive(Serialize)]
struct Detached {
    run: RunId,
}

/// Buys the job; starts a node in this process where none runs.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let job_file = path::absolute(&args.job_file).context("finding the job file")?;
    let output = path::absolute(&args.output).context("finding the output folder")?;
    let request = RunRequest { job_file, output };
    let home = context.home()?;
    let mut own: Option<RunningNode> = None;
    let client = match ApiClient::connect(&home).await {
        Err(error @ ClientError::NotRunning { .. }) if args.detach => {
            return Err(anyhow::Error::new(error).context(
                "a job without its window needs a node that goes on (or leave --detach away)",
            ));
        }
        Err(ClientError::NotRunning { .. }) => {
            own = Some(up::start(home.clone(), up::NodeArgs::default()).await?);
            ApiClient::connect(&home).await?
        }
        connected => connected?,
    };
    let mut signals = StopSignals::listen()?;
    let until = match args.detach {
        true => Until::Opened,
        false => Until::Over,
    };
    let result = async {
        if !args.yes {
            ask(&client, &request).await?;
        }
        let asked = Asked {
            request: &request,
            until,
            form: context.form,
        };
        follow(&client, asked, &mut signals).await
    };
    let result = result.await;
    if let Some(own) = own {
        own.stop(&mut signals).await;
    }
    match result? {
        Followed::Over(job) => render_run::report(context.form, &job),
        Followed::Left(run) => context.print(&Detached { run }, |left| left.run.to_string()),
    }
}

/// Shows what it would cost and asks.
async fn ask(client: &ApiClient, request: &RunRequest) -> anyhow::Result<()> {
    let job_file = request.job_file.clone();
    let view: QuoteView = client.post("/v1/quote", &QuoteRequest { job_file }).await?;
    let Some(best) = view.offers.first() else {
        let summary = view.summary;
        return Err(Ending::NothingFits { summary }.into());
    };
    let detail = quote::Detail {
        limit: SHOWN_OFFERS,
        explain: false,
    };
    output::write_to(&mut std::io::stderr(), &quote::text(&view, detail))?;
    eprintln!(
        "The provider can see this job's data and model; send no secrets to a stranger's card."
    );
    output::confirm(&format!(
        "Buy this job for about {}, at most {}?",
        best.expected_total, view.deposit
    ))
}

/// What is bought, and how it is shown.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    request: &'a RunRequest,
    until: Until,
    form: Form,
}

/// Buys and shows the events. The first Ctrl-C cancels the job and waits for its settlement; a second one
/// leaves at once.
async fn follow(
    client: &ApiClient,
    asked: Asked<'_>,
    signals: &mut StopSignals,
) -> anyhow::Result<Followed> {
    // The stream of a job that goes on alone is not its data: the run's id is.
    let shown = match asked.until {
        Until::Over => asked.form,
        Until::Opened => Form::Text,
    };
    let mut printer = RunPrinter::new(shown);
    let mut lines = client.post_lines("/v1/jobs", asked.request).await?;
    let mut bought = Bought::default();
    loop {
        let next = tokio::select! {
            next = lines.next::<RunEvent>() => next?,
            () = signals.next() => {
                bought.cancel(client).await?;
                continue;
            }
        };
        let Some(event) = next else {
            return Ok(Followed::Over(Box::new(printer.finish()?)));
        };
        printer.event(&event)?;
        bought.note(&event);
        if let (Until::Opened, true, Some(run)) = (asked.until, bought.is_open, bought.run) {
            return Ok(Followed::Left(run));
        }
    }
}

/// How far buying has come.
#[derive(Debug, Default)]
struct Bought {
    run: Option<RunId>,
    is_open: bool,
    is_cancelled: bool,
}

impl Bought {
    fn note(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Accepted { run, .. } => self.run = Some(*run),
            RunEvent::Opened { .. } => self.is_open = true,
            _ => {}
        }
    }

    /// Stops a job that runs; one that is not open yet has cost nothing and is left. Fails where leaving at
    /// once is wanted.
    async fn cancel(&mut self, client: &ApiClient) -> anyhow::Result<()> {
        let (Some(run), true) = (self.run, self.is_open) else {
            return Err(Ending::Interrupted("stopped before anything was bought").into());
        };
        if self.is_cancelled {
            return Err(Ending::Interrupted(
                "left before the job was settled; `nightshift ps` shows it",
            )
            .into());
        }
        eprintln!(
            "Cancelling the job; what was done is paid, the rest is refunded. Ctrl-C again to leave at once."
        );
        let path = format!("/v1/jobs/{run}/cancel");
        let _view: JobView = client.post(&path, &serde_json::json!({})).await?;
        self.is_cancelled = true;
        Ok(())
    }
}
