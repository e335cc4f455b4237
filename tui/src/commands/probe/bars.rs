//! Owns the progress of a probe on standard error: a bar a benchmark, redrawn in place on a terminal, and one line a
//! benchmark in a file.
//!
//! Never writes to standard output.

use std::io::{self, IsTerminal as _, Write as _};

use gpu_probe::{Benchmark, Progress, Stage};
use market::gpu::AdapterInfo;

use super::figures;
use crate::plot;

/// Cells of a bar.
const BAR_CELLS: usize = 30;

/// The bars of one adapter.
#[derive(Debug)]
pub(super) struct Bars {
    surface: Surface,
    shown: Option<(Benchmark, Stage)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Surface {
    Terminal,
    File,
}

impl Bars {
    /// Names the adapter and begins.
    pub(super) fn new(number: usize, adapter: &AdapterInfo) -> Self {
        eprintln!("Measuring adapter {number}: {}", adapter.name);
        Self {
            surface: match io::stderr().is_terminal() {
                true => Surface::Terminal,
                false => Surface::File,
            },
            shown: None,
        }
    }

    /// Shows how far the probe is.
    pub(super) fn show(&mut self, progress: Progress) {
        let before = self.shown.replace((progress.benchmark, progress.stage));
        let is_new = before.is_none_or(|(benchmark, _)| benchmark != progress.benchmark);
        match self.surface {
            Surface::File if is_new => eprintln!("  {}", figures::name(progress.benchmark)),
            Surface::File => {}
            Surface::Terminal => {
                if is_new && before.is_some() {
                    eprintln!();
                }
                eprint!("\r{}\x1b[K", line(progress));
                // A terminal that went away is no reason to stop measuring.
                let _ = io::stderr().flush();
            }
        }
    }

    /// Ends the last line.
    pub(super) fn end(self) {
        if self.surface == Surface::Terminal && self.shown.is_some() {
            eprintln!();
        }
    }
}

/// Writes the line of one benchmark.
pub(super) fn line(progress: Progress) -> String {
    let (done, stage) = match progress.stage {
        Stage::Preparing => (0, "preparing"),
        Stage::WarmingUp => (0, "warming up"),
        Stage::Timing => (progress.permille, "timing"),
        Stage::Checking => (1_000, "checking the result"),
    };
    let bar = plot::bar((done.into(), 1_000), BAR_CELLS);
    let name = figures::name(progress.benchmark);
    format!("  {name:<20} {bar} {stage}")
}
