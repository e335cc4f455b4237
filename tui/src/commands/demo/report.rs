//! Owns the demo's figures: gathered from the run's events and from the members, never computed twice.
//!
//! Never makes a figure up: what was not seen is an error.

use anyhow::Context as _;
use market::gpu::GpuClass;
use market::progress::Progress;
use market::{Amount, NodeId, PricePerHour};
use market_node::api::{BalanceView, JobView, OperatorView, ProviderView, RunEvent};
use serde::Serialize;

use super::DemoMarket;

/// What the demo ends with.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    pub(super) probe: Vec<ProbeFigures>,
    pub(super) order_to_running_ms: u64,
    pub(super) train: TrainFigures,
    pub(super) infer: InferFigures,
    pub(super) price_per_hour: PricePerHour,
    /// Paid in both jobs.
    pub(super) paid: Amount,
    /// Refunded from both deposits.
    pub(super) refunded: Amount,
    /// What the consumer can still spend.
    pub(super) left: Amount,
    pub(super) supply_conserved: bool,
    pub(super) provider_chosen: NodeId,
    pub(super) sandbox: SandboxFigures,
}

/// One provider's measurement.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ProbeFigures {
    pub(super) adapter: String,
    pub(super) class: GpuClass,
    pub(super) gemm_tflops: f64,
}

/// How training went; losses in nats a token.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct TrainFigures {
    pub(super) parameters: u64,
    pub(super) steps: u64,
    pub(super) loss_first: f32,
    pub(super) loss_last: f32,
    pub(super) loss_held_out: f32,
    pub(super) unigram_entropy: f32,
    pub(super) seconds: f32,
}

/// What the trained model wrote.
#[derive(Debug, Clone, Serialize)]
pub(super) struct InferFigures {
    pub(super) tokens: u64,
    pub(super) text: String,
}

/// What confined the worker.
#[derive(Debug, Clone, Serialize)]
pub(super) struct SandboxFigures {
    pub(super) layers: Vec<String>,
}

/// What one job's events told.
#[derive(Debug, Clone, Default)]
struct JobFigures {
    first_step_ms: Option<u64>,
    parameters: Option<u64>,
    steps: u64,
    loss_first: Option<f32>,
    loss_last: Option<f32>,
    held_out: Option<(f32, f32)>,
    summary: Option<(u64, f32)>,
    text: String,
    layers: Vec<String>,
}

/// What both jobs' events told.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures {
    jobs: Vec<JobFigures>,
}

impl Figures {
    /// Begins the next job.
    pub(super) fn begin_job(&mut self) {
        self.jobs.push(JobFigures::default());
    }

    /// Takes an event of the current job in.
    pub(super) fn note(&mut self, event: &RunEvent) {
        let (Some(job), RunEvent::Progress { at_ms, report, .. }) = (self.jobs.last_mut(), event)
        else {
            return;
        };
        match report {
            Progress::Confined { layers } => job.layers.clone_from(layers),
            Progress::Started { parameters, .. } => job.parameters = Some(*parameters),
            Progress::Step(step) => {
                job.first_step_ms.get_or_insert(*at_ms);
                job.loss_first.get_or_insert(step.loss);
                job.loss_last = Some(step.loss);
                job.steps = step.step;
            }
            Progress::HeldOut {
                loss,
                unigram_entropy,
                ..
            } => job.held_out = Some((*loss, *unigram_entropy)),
            Progress::Text { text } => job.text.push_str(text),
            Progress::Summary { tokens, seconds } => job.summary = Some((*tokens, *seconds)),
            Progress::Log { .. } | Progress::Failed { .. } => {}
        }
    }
}

impl JobFigures {
    fn train(&self) -> anyhow::Result<TrainFigures> {
        let (loss_held_out, unigram_entropy) = self
            .held_out
            .context("the held-out loss was not reported")?;
        let (_, seconds) = self
            .summary
            .context("the training's end was not reported")?;
        Ok(TrainFigures {
            parameters: self
                .parameters
                .context("the model's size was not reported")?,
            steps: self.steps,
            loss_first: self.loss_first.context("no step was reported")?,
            loss_last: self.loss_last.context("no step was reported")?,
            loss_held_out,
            unigram_entropy,
            seconds,
        })
    }

    fn infer(&self) -> anyhow::Result<InferFigures> {
        let (tokens, _) = self
            .summary
            .context("the inference's end was not reported")?;
        Ok(InferFigures {
            tokens,
            text: self.text.clone(),
        })
    }
}

/// Asks all members and puts the report together.
pub(super) async fn collect(
    market: &DemoMarket,
    figures: Figures,
    jobs: [JobView; 2],
) -> anyhow::Result<Report> {
    let [trained, inferred] = figures.jobs.as_slice() else {
        anyhow::bail!("the demo ran {} jobs and not two", figures.jobs.len());
    };
    let mut probe = Vec::new();
    for provider in &market.providers {
        let view: ProviderView = provider.api.get("/v1/provider").await?;
        probe.extend(view.gpus.into_iter().map(|gpu| ProbeFigures {
            adapter: gpu.adapter,
            class: gpu.class,
            gemm_tflops: gpu.gemm_mflops as f64 / 1e6,
        }));
    }
    let operator: OperatorView = market.operator.api.get("/v1/operator/status").await?;
    let balance: BalanceView = market.consumer.api.get("/v1/wallet/balance").await?;
    Ok(Report {
        probe,
        order_to_running_ms: trained.first_step_ms.context("no step was reported")?,
        train: trained.train()?,
        infer: inferred.infer()?,
        price_per_hour: jobs[0].price_per_hour,
        paid: sum(jobs.iter().map(|job| Some(job.paid)))?,
        refunded: sum(jobs.iter().map(|job| job.refunded))?,
        left: balance.available,
        supply_conserved: operator.audit.conserved,
        provider_chosen: jobs[0].provider,
        sandbox: SandboxFigures {
            layers: trained.layers.clone(),
        },
    })
}

fn sum(amounts: impl Iterator<Item = Option<Amount>>) -> anyhow::Result<Amount> {
    let mut total = Amount::ZERO;
    for amount in amounts {
        let amount = amount.context("a job is not settled")?;
        total = total.checked_add(amount).context("the sum is too large")?;
    }
    Ok(total)
}

/// Tells the report to a person.
pub(super) fn text(report: &Report) -> String {
    let train = &report.train;
    let layers: Vec<&str> = report
        .sandbox
        .layers
        .iter()
        .filter_map(|layer| layer.split(':').next())
        .collect();
    format!(
        "\nThe whole market, once around\n\
         order to running   {} ms, from the accepted request to the first step's metric\n\
         training           {} parameters, {} steps in {:.0} s, loss {:.3} -> {:.3}\n\
         held-out loss      {:.3} nats a byte; a model without context reaches {:.3}\n\
         inference          {} tokens: {:?}\n\
         paid               {} at {}, to provider {}\n\
         refunded           {} from two deposits; the consumer has {} left\n\
         supply conserved   {}\n\
         confined by        {}\n",
        report.order_to_running_ms,
        train.parameters,
        train.steps,
        train.seconds,
        train.loss_first,
        train.loss_last,
        train.loss_held_out,
        train.unigram_entropy,
        report.infer.tokens,
        report.infer.text,
        report.paid,
        report.price_per_hour,
        report.provider_chosen.short(),
        report.refunded,
        report.left,
        if report.supply_conserved { "yes" } else { "NO" },
        layers.join(", ")
    )
}
