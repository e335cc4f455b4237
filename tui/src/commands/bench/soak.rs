//! Owns `nightshift bench soak`: many jobs, good and hostile, and what is left of them on this machine.
//!
//! Never runs beside a node of its own: what it counts is this process and its children.

use engine::EngineDevice;
use provider::check::{Left, Tally, soak};
use sandbox::{DriverProfile, Limits, Sandbox};
use serde::Serialize;

use crate::cli::Context;
use crate::table::{Side, Table};

/// How many jobs lie between two lines of the table.
const LINE_EVERY: u32 = 50;

/// Arguments of `bench soak`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Jobs, good and hostile ones in turn
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    jobs: u32,
}

/// What there was after so many jobs.
#[derive(Debug, Serialize)]
struct Line {
    jobs: u32,
    #[serde(flatten)]
    left: Left,
}

#[derive(Debug, Serialize)]
struct Soaked {
    tally: Tally,
    /// Before the first job, on the way, and last when everything was given back.
    lines: Vec<Line>,
    /// What there is more of at the end, in words.
    leaked: Vec<String>,
}

/// Runs the jobs. Fails where one went wrong or something is left of them.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let soaked = tokio::task::spawn_blocking(move || run(args.jobs)).await??;
    context.print(&soaked, text)?;
    anyhow::ensure!(
        soaked.tally.wrong.is_empty(),
        "{} jobs did not go as they should; they are listed above",
        soaked.tally.wrong.len()
    );
    anyhow::ensure!(
        soaked.leaked.is_empty(),
        "the jobs left something behind; it is listed above. If other programs of Nightshift run here, end them and try \
         again: what they hold is counted too"
    );
    Ok(())
}

fn run(jobs: u32) -> anyhow::Result<Soaked> {
    let program = provider::worker::program(&EngineDevice::Flex);
    let sandbox = Sandbox::new(program, DriverProfile::cpu(), Limits::default());
    let first = Left::count();
    // Of memory the first jobs take some for good.
    let mut warm = first;
    let mut lines = vec![Line {
        jobs: 0,
        left: first,
    }];
    let tally = soak(&sandbox, jobs, &mut |jobs, left| {
        if jobs <= LINE_EVERY {
            warm = left;
        }
        if jobs.is_multiple_of(LINE_EVERY) {
            lines.push(Line { jobs, left });
        }
    })
    .map_err(anyhow::Error::msg)?;
    let last = Left::count();
    lines.push(Line { jobs, left: last });
    Ok(Soaked {
        tally,
        lines,
        leaked: last.leaked_since(&first, &warm),
    })
}

fn text(soaked: &Soaked) -> String {
    let mut table = Table::new([
        ("JOBS", Side::Right),
        ("PROCESSES", Side::Right),
        ("MOUNTS", Side::Right),
        ("GROUPS", Side::Right),
        ("DESCRIPTORS", Side::Right),
        ("THREADS", Side::Right),
        ("FILES", Side::Right),
        ("RESIDENT MiB", Side::Right),
    ]);
    for Line { jobs, left } in &soaked.lines {
        table.row([
            jobs.to_string(),
            left.processes.to_string(),
            left.mounts.to_string(),
            left.groups.to_string(),
            left.descriptors.to_string(),
            left.threads.to_string(),
            left.files.to_string(),
            format!("{:.1}", left.resident_bytes as f64 / f64::from(1 << 20)),
        ]);
    }
    let Tally {
        done,
        killed,
        refused,
        stopped,
        wrong,
    } = &soaked.tally;
    let mut text = format!(
        "{table}\n{done} honest jobs done, {killed} workers killed, {refused} hostile jobs refused, {stopped} attacks \
         stopped, {} went wrong\n",
        wrong.len()
    );
    for words in wrong {
        text += &format!("wrong: {words}\n");
    }
    for words in &soaked.leaked {
        text += &format!("left: {words}\n");
    }
    text
}
