//! Owns `nightshift demo`: a whole market on this machine, one job bought, run and paid, and another that uses
//! what the first one made.
//!
//! Never takes a short cut: every part is a process of its own, and every figure is measured by it.

mod market;
mod report;
mod text;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use market_node::api::{JobView, RunEvent, RunRequest};
use tempfile::TempDir;

pub(super) use self::market::{DemoMarket, Plan};
use self::report::{Figures, Report};
pub(super) use self::text::tiny_job;
use crate::cli::Context;
use crate::output::Form;
use crate::render_run::{self, RunPrinter};

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Train on this text instead of the project's own handbook
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Training steps
    #[arg(long, default_value_t = 400, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    steps: u32,
    /// Keep everything that the demo made in this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// The prompt that the trained model continues.
const PROMPT: &str = "The provider ";

/// Runs the demo. Everything that it starts is stopped when it returns.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let folder = Folder::make(args.keep)?;
    let data = match &args.data {
        Some(path) => std::path::absolute(path).context("finding the text")?,
        None => text::write_handbook(folder.path())?,
    };
    anyhow::ensure!(data.is_file(), "{} is not a file", data.display());
    say("Founding a market: an operator, two providers, a consumer, each a process of its own.");
    let options = (args.steps, context.form);
    let work = async |market: &DemoMarket| play(market, folder.path(), &data, options).await;
    let report = DemoMarket::run(folder.path(), Plan::demo(), work).await?;
    context.print(&report, report::text)?;
    anyhow::ensure!(
        report.supply_conserved,
        "money does not add up: this is a bug, please report it"
    );
    let train = &report.train;
    anyhow::ensure!(
        train.loss_held_out < train.unigram_entropy,
        "the held-out loss did not come below the text's unigram entropy; try more --steps or a longer text"
    );
    Ok(())
}

/// What happens on the market once it stands.
async fn play(
    market: &DemoMarket,
    folder: &Path,
    data: &Path,
    (steps, form): (u32, Form),
) -> anyhow::Result<Report> {
    let mut figures = Figures::default();
    say("Training: the consumer takes the cheaper of the two offers.");
    let checkpoint = folder.join("model");
    let job = text::train_job(folder, data, steps)?;
    let trained = run(market, request(&job, &checkpoint), &mut figures).await?;
    render_run::report(form, &trained)?;
    say("Inference: a second agreement, whose input is the downloaded checkpoint.");
    let job = text::infer_job(folder, &checkpoint, PROMPT)?;
    let output = folder.join("completion");
    let inferred = run(market, request(&job, &output), &mut figures).await?;
    render_run::report(form, &inferred)?;
    report::collect(market, figures, [trained, inferred]).await
}

fn request(job_file: &Path, output: &Path) -> RunRequest {
    RunRequest {
        job_file: job_file.to_owned(),
        output: output.to_owned(),
    }
}

/// Buys a job, shows it, and keeps what the report needs.
async fn run(
    market: &DemoMarket,
    request: RunRequest,
    figures: &mut Figures,
) -> anyhow::Result<JobView> {
    figures.begin_job();
    let mut printer = RunPrinter::new(Form::Text);
    let mut lines = market.consumer.api.post_lines("/v1/jobs", &request).await?;
    while let Some(event) = lines.next::<RunEvent>().await? {
        figures.note(&event);
        printer.event(&event)?;
    }
    printer.finish()
}

/// Tells on standard error what comes next.
fn say(line: &str) {
    eprintln!("\n== {line}");
}

/// Where the demo works; removed at the end unless it is to be kept.
enum Folder {
    Kept(PathBuf),
    Temporary(TempDir),
}

impl Folder {
    fn make(keep: Option<PathBuf>) -> anyhow::Result<Self> {
        let Some(keep) = keep else {
            // Made anew and for its owner alone, or not at all: what another made under this name is not used.
            let name = format!("nightshift-demo-{}", std::process::id());
            let made = tempfile::Builder::new()
                .prefix(&name)
                .rand_bytes(0)
                .tempdir();
            return Ok(Self::Temporary(made.context("making a folder")?));
        };
        let path = std::path::absolute(keep)?;
        anyhow::ensure!(
            !path.join("operator").exists(),
            "{} holds an earlier demo; name another folder",
            path.display()
        );
        std::fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self::Kept(path))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}
