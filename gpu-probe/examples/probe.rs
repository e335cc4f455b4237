//! Measures every adapter of this machine and prints what was found as JSON, which `nightshift probe --from` shows:
//! `cargo run --release -p gpu-probe --example probe [full]`. What is being measured is told on standard error.

use std::error::Error;
use std::time::Instant;

use gpu_probe::{Benchmark, Effort, SavedAdapter, SavedProbe, adapters, best_adapter, probe};

fn main() -> Result<(), Box<dyn Error>> {
    let effort = match std::env::args().nth(1).as_deref() {
        Some("full") => Effort::Full,
        _ => Effort::Quick,
    };
    // Says what to install where there is nothing to measure.
    best_adapter()?;
    let mut found = Vec::new();
    for adapter in adapters() {
        eprintln!("{}", adapter.info().name);
        let start = Instant::now();
        let mut stage = None;
        let probed = probe(&adapter, (effort, &Benchmark::ALL), &mut |progress| {
            let now = (progress.benchmark, progress.stage);
            if stage.replace(now) != Some(now) {
                let (benchmark, stage) = now;
                let seconds = start.elapsed().as_secs_f32();
                eprintln!("{seconds:6.2} s {benchmark:?} {stage:?}");
            }
        })?;
        eprintln!("{:6.2} s done", start.elapsed().as_secs_f32());
        match probed.report.class(None) {
            Ok(class) => eprintln!("class {class}"),
            Err(error) => eprintln!("no class: {error}"),
        }
        found.push(SavedAdapter::from(probed));
    }
    print!("{}", SavedProbe::new(found).to_json()?);
    Ok(())
}
