//! Prints the rate of every matrix kernel on every adapter of this machine, for tuning the list of candidates:
//! `cargo run --release -p gpu-probe --example gemm [FMA peak in GFLOP/s]`. With the peak of the same device, it also
//! prints each kernel's share of it.

use gpu_probe::{ProbeError, adapters, best_adapter, survey};

fn main() -> Result<(), ProbeError> {
    let peak: Option<f64> = std::env::args().nth(1).and_then(|text| text.parse().ok());
    // Says what to install where there is nothing to measure.
    best_adapter()?;
    for adapter in adapters() {
        let info = adapter.info();
        println!("{} ({}, {})", info.name, info.backend, info.driver);
        survey(&adapter, &mut |found| match found {
            Ok(rate) => {
                let gflops = rate.mflops as f64 / 1_000.0;
                let share = peak.map(|peak| format!(" {:5.1} %", 100.0 * gflops / peak));
                println!(
                    "  {:44} {:5} {gflops:10.1} GFLOP/s{} ready in {:.2} s",
                    rate.name,
                    rate.side,
                    share.unwrap_or_default(),
                    rate.prepared_in.as_secs_f64(),
                );
            }
            Err((name, error)) => println!("  {name:44} failed: {error}"),
        })?;
    }
    Ok(())
}
