//! Prints what is known of every adapter, and who uses it, once a second:
//! `cargo run -p gpu-probe --example telemetry [SAMPLES]`.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use gpu_probe::telemetry::Watch;
use gpu_probe::{ProbeError, adapters, best_adapter};

fn main() -> Result<(), ProbeError> {
    let wanted = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let samples: u32 = wanted.unwrap_or(5);
    // Says what to install where there is nothing to watch.
    best_adapter()?;
    let own_pids = BTreeSet::from([std::process::id()]);
    let found = adapters();
    let mut watches: Vec<(&str, Watch)> = found
        .iter()
        .map(|adapter| {
            let info = adapter.info();
            (info.name.as_str(), Watch::open(info))
        })
        .collect();
    for index in 0..samples {
        if index > 0 {
            thread::sleep(Duration::from_secs(1));
        }
        for (name, watch) in &mut watches {
            let start = Instant::now();
            let sample = watch.sample(&own_pids);
            let took = start.elapsed();
            match &sample.telemetry.silence {
                Some(silence) => println!("{name}: {silence}"),
                None => println!("{name}: {:#?}", sample.telemetry),
            }
            println!("{:#?}, took {took:?}", sample.activity);
        }
    }
    Ok(())
}
