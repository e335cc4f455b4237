//! Prints the report of every adapter of this machine: `cargo run -p gpu-probe --example probe [full]`.

use std::time::Instant;

use gpu_probe::{Benchmark, Effort, ProbeError, adapters, best_adapter, probe};

fn main() -> Result<(), ProbeError> {
    let effort = match std::env::args().nth(1).as_deref() {
        Some("full") => Effort::Full,
        _ => Effort::Quick,
    };
    // Says what to install where there is nothing to measure.
    best_adapter()?;
    for adapter in adapters() {
        println!("{:#?}", adapter.info());
        let start = Instant::now();
        let mut stage = None;
        let probed = probe(&adapter, (effort, &Benchmark::ALL), &mut |progress| {
            let now = (progress.benchmark, progress.stage);
            if stage.replace(now) != Some(now) {
                let (benchmark, stage) = now;
                println!(
                    "{:6.2} s {benchmark:?} {stage:?}",
                    start.elapsed().as_secs_f32()
                );
            }
        })?;
        let report = probed.report;
        println!("{:6.2} s done", start.elapsed().as_secs_f32());
        println!("{:#?}", report.figures);
        for problem in probed.problems {
            println!("{:?} failed: {}", problem.benchmark, problem.error);
        }
        match report.class(None) {
            Ok(class) => println!("class {class}"),
            Err(error) => println!("no class: {error}"),
        }
    }
    Ok(())
}
