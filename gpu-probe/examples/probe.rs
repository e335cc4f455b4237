//! Prints the report of every adapter of this machine: `cargo run -p gpu-probe --example probe [full]`.

use std::time::Instant;

use gpu_probe::{Effort, ProbeError, adapters, best_adapter, probe};

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
        let report = probe(&adapter, effort, &mut |progress| {
            if stage.replace(progress.stage) != Some(progress.stage) {
                println!(
                    "{:6.2} s {:?}",
                    start.elapsed().as_secs_f32(),
                    progress.stage
                );
            }
        })?;
        println!("{:6.2} s done", start.elapsed().as_secs_f32());
        println!("{:#?}", report.figures);
        match report.class(None) {
            Ok(class) => println!("class {class}"),
            Err(error) => println!("no class: {error}"),
        }
    }
    Ok(())
}
