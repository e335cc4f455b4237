//! Owns `nightshift bench yield`: how soon the machine is its owner's again.
//!
//! Never ends a worker that has nothing to do: an idle one is gone sooner.

use std::time::Duration;

use gpu_probe::Echo;
use provider::bench::{self, Ending};
use sandbox::Limits;
use serde::Serialize;

use super::{Times, percentile, workplace};
use crate::cli::Context;

/// Answers that say what the adapter is like while it is idle.
const IDLE_ANSWERS: u32 = 200;

/// Answers that say what it is like while a worker is at work.
const ANSWERS_AT_WORK: u32 = 20;

/// How long the adapter may take to answer as if it were idle.
const PATIENCE: Duration = Duration::from_secs(10);

/// Arguments of `bench yield`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Workers that are ended at work, each at another part of a training step
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    workers: u32,
}

/// What another program sees of the adapter that is sold.
#[derive(Debug, Serialize)]
struct Seen {
    adapter: String,
    /// An answer before any worker.
    idle: Times,
    /// An answer while a worker trains.
    at_work: Times,
    /// From the wish to the end of the first answer that took at most twice what nineteen of twenty took while it was
    /// idle. It is asked for once the worker is gone and cleaned up after.
    quick_again: Times,
}

#[derive(Debug, Serialize)]
struct Measured {
    /// What the workers compute on, in words.
    device: String,
    workers: u32,
    /// From the wish until every process of the worker was gone.
    gone: Times,
    /// Where the machine has an adapter.
    seen: Option<Seen>,
}

/// Ends workers at work.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let measured = tokio::task::spawn_blocking(move || measure(args.workers)).await??;
    context.print(&measured, text)
}

fn measure(workers: u32) -> anyhow::Result<Measured> {
    let (workplace, adapter) = workplace()?;
    let sandbox = workplace.sandbox(Limits::default());
    let mut other = match &adapter {
        Some(adapter) => Some(Other::beside(adapter)?),
        None => None,
    };
    let mut gone = Vec::new();
    for worker in 0..workers {
        let part = (f64::from(worker) + 0.5) / f64::from(workers);
        let mut asked = Ok(());
        let ending = bench::end_at_work(&sandbox, part, || {
            if let Some(other) = &mut other {
                asked = other.ask_at_work();
            }
        })?;
        asked?;
        if let Some(other) = &mut other {
            other.wait_until_quick(&ending)?;
        }
        gone.push(ending.gone);
    }
    Ok(Measured {
        device: workplace.device.describe(),
        workers,
        gone: Times::of(gone),
        seen: other.map(Other::seen),
    })
}

/// A program of the owner's on the adapter that is sold.
struct Other {
    echo: Echo,
    adapter: String,
    idle: Vec<Duration>,
    /// Answers no slower than this count as those of an idle adapter.
    quick: Duration,
    at_work: Vec<Duration>,
    quick_again: Vec<Duration>,
}

impl Other {
    /// Opens the adapter and asks it while it is idle.
    fn beside(adapter: &gpu_probe::Adapter) -> anyhow::Result<Self> {
        let echo = Echo::open(adapter)?;
        // The first answers take longer.
        for _ in 0..ANSWERS_AT_WORK {
            echo.ask()?;
        }
        let idle = (0..IDLE_ANSWERS).map(|_| echo.ask());
        let mut idle = idle.collect::<Result<Vec<_>, _>>()?;
        idle.sort_unstable();
        Ok(Self {
            echo,
            adapter: adapter.info().name.to_string(),
            quick: percentile(&idle, 95) * 2,
            idle,
            at_work: Vec::new(),
            quick_again: Vec::new(),
        })
    }

    fn ask_at_work(&mut self) -> anyhow::Result<()> {
        for _ in 0..ANSWERS_AT_WORK {
            self.at_work.push(self.echo.ask()?);
        }
        Ok(())
    }

    /// Asks until an answer is as quick as those of the idle adapter.
    fn wait_until_quick(&mut self, ending: &Ending) -> anyhow::Result<()> {
        while self.echo.ask()? > self.quick {
            anyhow::ensure!(
                ending.wished.elapsed() < PATIENCE,
                "{} s after a worker's end {} does not answer as if it were idle; does another program use it?",
                PATIENCE.as_secs(),
                self.adapter
            );
        }
        self.quick_again.push(ending.wished.elapsed());
        Ok(())
    }

    fn seen(self) -> Seen {
        Seen {
            adapter: self.adapter,
            idle: Times::of(self.idle),
            at_work: Times::of(self.at_work),
            quick_again: Times::of(self.quick_again),
        }
    }
}

fn text(measured: &Measured) -> String {
    let mut text = format!(
        "{} workers ended in the middle of training on {}\n",
        measured.workers, measured.device
    );
    text += &measured
        .gone
        .line("from the wish until all its processes are gone");
    let Some(seen) = &measured.seen else {
        text += "no adapter answers, so what another program sees was not measured\n";
        return text;
    };
    text += &format!("\nas another program on {} sees it\n", seen.adapter);
    text += &seen.idle.line("an answer while it is idle");
    text += &seen.at_work.line("an answer while a worker trains");
    text += &seen
        .quick_again
        .line("from the wish to an answer as if idle");
    text
}
