//! Owns `nightshift run`: buys a job and follows it to its end.
//!
//! Never buys without a yes, and never spends more than the job file's budget.

use std::path::{self, PathBuf};

use anyhow::Context as _;
use market_node::api::{
    ApiClient, ClientError, JobView, QuoteRequest, QuoteView, RunEvent, RunId, RunRequest, RunView,
};
use serde::Serialize;

use super::{quote, up};
use crate::cli::Context;
use crate::exit::Ending;
use crate::output::{self, Form};
use crate::privacy;
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

/// When a person said yes to what a provider can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agreed {
    /// Beforehand, with `--yes`; nothing was said yet.
    Beforehand,
    /// When asked, after it was said.
    WhenAsked,
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
            tokio::select! {
                agreed = ask(&client, &request) => agreed?,
                () = signals.next() => {
                    return Err(Ending::Interrupted("stopped; nothing was bought").into());
                }
            }
        }
        let asked = Asked {
            request: &request,
            until,
            agreed: match args.yes {
                true => Agreed::Beforehand,
                false => Agreed::WhenAsked,
            },
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
    privacy::tell_buyer();
    let question = format!(
        "Buy this job for about {}, at most {}?",
        best.expected_total, view.deposit
    );
    // On a thread of its own: Ctrl-C is heard while the terminal is read.
    let asked = tokio::task::spawn_blocking(move || output::confirm(&question));
    asked.await.context("asking")?
}

/// What is bought, and how it is shown.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    request: &'a RunRequest,
    until: Until,
    agreed: Agreed,
    form: Form,
}

/// Buys and shows the events. The first Ctrl-C cancels the job, however far buying has come, and waits for its
/// end; a second one leaves at once.
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
    let mut lines = tokio::select! {
        lines = client.post_lines("/v1/jobs", asked.request) => lines?,
        () = signals.next() => return Err(Ending::Interrupted(LEFT_UNSEEN).into()),
    };
    let mut bought = Bought::default();
    loop {
        let next = tokio::select! {
            next = lines.next::<RunEvent>() => next?,
            () = signals.next() => {
                bought.want_its_end()?;
                bought.cancel(client, signals).await?;
                continue;
            }
        };
        let Some(event) = next else {
            return bought.end(printer.finish());
        };
        if let (RunEvent::Accepted { .. }, Agreed::Beforehand) = (&event, asked.agreed) {
            // Nothing has left yet, and a job file with a mistake in it never will.
            privacy::tell_buyer();
        }
        printer.event(&event)?;
        bought.note(&event);
        // The signal may have come before the run had a name.
        bought.cancel(client, signals).await?;
        if let (Until::Opened, Some(run)) = (asked.until, bought.goes_on_alone()) {
            return Ok(Followed::Left(run));
        }
    }
}

/// What is said when a second signal comes before the node has named the run.
const LEFT_UNSEEN: &str =
    "left before the node said what becomes of the job; `nightshift ps` shows whether it goes on";

/// What is said when a second signal comes while a run that is cancelled is not over.
const LEFT_UNSETTLED: &str = "left before the job was settled; `nightshift ps` shows it";

/// What is said of a run that was cancelled in time.
const NOTHING_BOUGHT: &str = "stopped before anything was bought";

/// How far buying has come, and stopping it.
#[derive(Debug, Default)]
struct Bought {
    run: Option<RunId>,
    is_open: bool,
    /// The person wants the end of it.
    is_unwanted: bool,
    /// The node was told so.
    is_cancelled: bool,
}

impl Bought {
    fn note(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Requested { run } => self.run = Some(*run),
            RunEvent::Opened { .. } => self.is_open = true,
            _ => {}
        }
    }

    /// Returns the run once it can be left alone, unless it is to end.
    fn goes_on_alone(&self) -> Option<RunId> {
        self.run.filter(|_| self.is_open && !self.is_unwanted)
    }

    /// Notes that a signal came. Fails at the second one, where leaving at once is wanted.
    fn want_its_end(&mut self) -> anyhow::Result<()> {
        if self.is_unwanted {
            return Err(Ending::Interrupted(self.left()).into());
        }
        self.is_unwanted = true;
        eprintln!(
            "{}",
            match self.is_open {
                true => {
                    "Cancelling the job; what was done is paid, the rest is refunded. Ctrl-C again to leave at once."
                }
                false => {
                    "Cancelling before anything is bought; an opening that is on its way is closed again. Ctrl-C \
                 again to leave at once."
                }
            }
        );
        Ok(())
    }

    fn left(&self) -> &'static str {
        match self.run {
            Some(_) => LEFT_UNSETTLED,
            None => LEFT_UNSEEN,
        }
    }

    /// Tells the node once that the run is to end, as soon as its name is known. A run that has bought nothing
    /// is no error: the node answers that it never will, and ends the stream.
    async fn cancel(
        &mut self,
        client: &ApiClient,
        signals: &mut StopSignals,
    ) -> anyhow::Result<()> {
        let (Some(run), true, false) = (self.run, self.is_unwanted, self.is_cancelled) else {
            return Ok(());
        };
        let path = format!("/v1/jobs/{run}/cancel");
        let nothing = serde_json::json!({});
        let told = tokio::select! {
            told = client.post::<_, RunView>(&path, &nothing) => told,
            () = signals.next() => return Err(Ending::Interrupted(self.left()).into()),
        };
        match told {
            Ok(_) => {}
            Err(ClientError::Refused(why)) if !self.is_open => {
                tracing::debug!(why, "nothing was bought");
            }
            Err(error) => return Err(error.into()),
        }
        self.is_cancelled = true;
        Ok(())
    }

    /// Tells how following ended. A run that was stopped before it bought anything did not fail.
    fn end(&self, ended: anyhow::Result<JobView>) -> anyhow::Result<Followed> {
        match ended {
            Err(_) if self.is_cancelled && !self.is_open => {
                Err(Ending::Interrupted(NOTHING_BOUGHT).into())
            }
            ended => Ok(Followed::Over(Box::new(ended?))),
        }
    }
}
