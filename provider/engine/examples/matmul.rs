//! Times Burn's own matrix multiplication on its wgpu backend, to hold the probe's beside it: `make versus-probe`.
//!
//! `cargo run -p engine --features autotune --example matmul -- [SECONDS]`. A line a side: `burn SIDE P50_GFLOPS`.

use std::time::{Duration, Instant};

use burn::tensor::{Device, DeviceKind, Distribution, Tensor};

/// Sides of the square products.
const SIDES: [usize; 4] = [256, 512, 1_024, 2_048];

/// The slice that a rate is taken of.
const SLICE: Duration = Duration::from_millis(50);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(4), |text| text.parse())?;
    // A GPU where there is one, else the processor that emulates one.
    let device = Device::wgpu(DeviceKind::DefaultDevice);
    for side in SIDES {
        let rates = measure(&device, side, Duration::from_secs(seconds))?;
        println!("burn {side} {:.2}", rates[rates.len() / 2]);
    }
    Ok(())
}

/// Returns the rates of slices in GFLOP/s, sorted, at least one; the first two seconds, or three products where they
/// last longer, choose the kernel and warm up.
fn measure(
    device: &Device,
    side: usize,
    length: Duration,
) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
    let operand = || Tensor::<2>::random([side, side], Distribution::Uniform(-1.0, 1.0), device);
    let (left, right) = (operand(), operand());
    let run = |repeats: u32| -> Result<Duration, Box<dyn std::error::Error>> {
        let begun = Instant::now();
        for _ in 0..repeats {
            // Kept until the device is done, as a layer's output is.
            std::hint::black_box(left.clone().matmul(right.clone()));
        }
        device.sync()?;
        Ok(begun.elapsed())
    };
    let warm = Instant::now();
    let mut once = run(1)?;
    for _ in 0.. {
        once = once.min(run(1)?);
        if warm.elapsed() > Duration::from_secs(2) {
            break;
        }
    }
    let repeats = (SLICE.as_nanos() / once.as_nanos().max(1)).clamp(1, 512) as u32;
    let operations = 2.0 * (side as f64).powi(3) * f64::from(repeats);
    let begun = Instant::now();
    let mut rates = Vec::new();
    while rates.is_empty() || begun.elapsed() < length {
        rates.push(operations / run(repeats)?.as_secs_f64() / 1e9);
    }
    rates.sort_by(f64::total_cmp);
    Ok(rates)
}
