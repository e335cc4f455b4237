//! Measures the memory of the last adapter, a CPU's where there is one, beside a plain copy over all cores:
//! `cargo run -p gpu-probe --example bandwidth [full]`.
//!
//! The copy counts as the probe does: each byte once as read and once as written.

use std::thread;
use std::time::{Duration, Instant};

use gpu_probe::{Benchmark, Effort, ProbeError, adapters, probe};

/// Far larger than the cache, as the probe's buffers are.
const COPY_BYTES: usize = 128 << 20;

/// How often both are measured, in turns, so that what else runs here meets both.
const TURNS: u32 = 3;

fn main() -> Result<(), ProbeError> {
    let effort = match std::env::args().nth(1).as_deref() {
        Some("full") => Effort::Full,
        _ => Effort::Quick,
    };
    let adapter = adapters().pop().ok_or(ProbeError::NoAdapter)?;
    println!("{}", adapter.info().name);
    for _ in 0..TURNS {
        println!("plain copy {:7} MiB/s", plain_copy_mib_per_s());
        let benchmarks = [Benchmark::MemoryBandwidth];
        let probed = probe(&adapter, (effort, &benchmarks), &mut |_| ())?;
        let figures = probed.report.figures;
        println!("read  {:?}", figures.memory_read_mib_per_s);
        println!("write {:?}", figures.memory_write_mib_per_s);
        println!("copy  {:?}", figures.memory_copy_mib_per_s);
        for problem in probed.problems {
            println!("{:?} failed: {}", problem.benchmark, problem.error);
        }
    }
    Ok(())
}

/// Returns the median rate of copies over all cores, each its own part of the buffers.
fn plain_copy_mib_per_s() -> u128 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let from = vec![1_u8; COPY_BYTES];
    let mut to = vec![2_u8; COPY_BYTES];
    let part = COPY_BYTES.div_ceil(cores);
    let start = Instant::now();
    let mut rates = Vec::new();
    while rates.len() < 3 || start.elapsed() < Duration::from_millis(500) {
        let begun = Instant::now();
        thread::scope(|scope| {
            for (from, to) in from.chunks(part).zip(to.chunks_mut(part)) {
                scope.spawn(|| to.copy_from_slice(from));
            }
        });
        let mib = (2 * COPY_BYTES as u128) >> 20;
        rates.push(mib * 1_000_000_000 / begun.elapsed().as_nanos());
    }
    rates.sort_unstable();
    rates[rates.len() / 2]
}
