//! Owns `nightshift run`: buys a job and follows it to its end.
//!
//! Never buys without a yes, and never spends more than the job file's budget.

use std::path::{self, PathBuf};

use anyhow::Context as _;
use market::AgreementId;
use market_node::api::{
    ApiClient, ClientError, JobView, QuoteRequest, QuoteView, RunEvent, RunRequest,
};

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
    /// Folder for the outputs
    #[arg(short, long, value_name = "DIR", default_value = "out")]
    output: PathBuf,
}

/// Buys the job; starts a node in this process where none runs.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let job_file = path::absolute(&args.job_file).context("finding the job file")?;
    let output = path::absolute(&args.output).context("finding the output folder")?;
    let home = context.home()?;
    let mut own: Option<RunningNode> = None;
    let client = match ApiClient::connect(&home).await {
        Err(ClientError::NotRunning { .. }) => {
            own = Some(up::start(home.clone(), up::Args::default()).await?);
            ApiClient::connect(&home).await?
        }
        connected => connected?,
    };
    let request = RunRequest { job_file, output };
    let result = ask_and_follow(&client, &request, args.yes, context.form).await;
    if let Some(own) = own {
        own.stop().await;
    }
    render_run::report(context.form, &result?)
}

async fn ask_and_follow(
    client: &ApiClient,
    request: &RunRequest,
    yes: bool,
    form: Form,
) -> anyhow::Result<JobView> {
    if !yes {
        ask(client, request).await?;
    }
    follow(client, request, form).await
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

/// Buys and shows the events until the end. The first Ctrl-C cancels the job and waits for its settlement; a
/// second one leaves at once.
pub(crate) async fn follow(
    client: &ApiClient,
    request: &RunRequest,
    form: Form,
) -> anyhow::Result<JobView> {
    let mut signals = StopSignals::listen()?;
    let mut printer = RunPrinter::new(form);
    let mut lines = client.post_lines("/v1/jobs", request).await?;
    let mut agreement = None;
    let mut cancelled = false;
    loop {
        let next = tokio::select! {
            next = lines.next::<RunEvent>() => next?,
            () = signals.next() => {
                anyhow::ensure!(!cancelled, "left before the job was settled; `nightshift ps` shows it");
                cancel(client, agreement).await?;
                cancelled = true;
                continue;
            }
        };
        let Some(event) = next else {
            return printer.finish();
        };
        if let RunEvent::Opened {
            agreement: opened, ..
        } = &event
        {
            agreement = Some(*opened);
        }
        printer.event(&event)?;
    }
}

/// Stops a job that runs; one that is not open yet has cost nothing and is left.
async fn cancel(client: &ApiClient, agreement: Option<AgreementId>) -> anyhow::Result<()> {
    let agreement = agreement.context("stopped before anything was bought")?;
    eprintln!(
        "Cancelling the job; what was done is paid, the rest is refunded. Ctrl-C again to leave at once."
    );
    let path = format!("/v1/jobs/{agreement}/cancel");
    let _view: JobView = client.post(&path, &serde_json::json!({})).await?;
    Ok(())
}
