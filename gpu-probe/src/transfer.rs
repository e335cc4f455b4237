//! Owns the rates between host memory and the device, both ways.
//!
//! Never counts bytes whose contents did not arrive.

use std::time::{Duration, Instant};

use market::gpu::{Figures, Spread};

use crate::device::{Session, Took};
use crate::dispatch::Dispatch;
use crate::error::ProbeError;
use crate::kernels::{self, filled_word};
use crate::slices::{self, Pace, Plan, Quantity};
use crate::{Bench, Stage, fresh_seed, fresh_word, sampled};

/// The size of one transfer: 40 ms over the slowest bus of a mining card, PCIe 1.1 with four lanes.
const BYTES: u64 = 32 << 20;
const WORDS: u32 = (BYTES / 4) as u32;

/// Measures both, in MiB a second, and keeps the first if the second fails.
///
/// The host's side is memory that the driver keeps in place for the device, as a loader of weights would use; filling it is
/// no part of the time.
pub(crate) fn measure(mut bench: Bench<'_>, figures: &mut Figures) -> Result<(), ProbeError> {
    (bench.report)(Stage::Preparing, 0);
    let device = bench.session.storage(BYTES)?;
    figures.upload_mib_per_s = upload(&mut bench, &device)?;
    (bench.report)(Stage::Preparing, 0);
    figures.download_mib_per_s = Some(download(&mut bench, &device)?);
    Ok(())
}

fn upload(bench: &mut Bench<'_>, device: &wgpu::Buffer) -> Result<Option<Spread>, ProbeError> {
    let session = bench.session;
    let Some(host) = session.host_memory(BYTES)? else {
        return Ok(None);
    };
    let salt = fresh_word("transfer");
    fill(session, device, salt)?;
    session.run(|encoder| encoder.copy_buffer_to_buffer(device, 0, &host, 0, BYTES))?;
    let mut run = |repeats| {
        let wall = session.run(|encoder| {
            for _ in 0..repeats {
                encoder.copy_buffer_to_buffer(&host, 0, device, 0, BYTES);
            }
        })?;
        Ok(Took::by_wall(wall))
    };
    let spread = slices::measure(bench, Quantity::Bytes(BYTES), (&mut run, device))?;
    (bench.report)(Stage::Checking, 0);
    let places = sampled::places(u64::from(WORDS), &fresh_seed("positions"));
    sampled::check(session, device, &places, |place| word(place, salt))?;
    Ok(Some(spread))
}

fn download(bench: &mut Bench<'_>, device: &wgpu::Buffer) -> Result<Spread, ProbeError> {
    let session = bench.session;
    let staging = session.download_staging(BYTES)?;
    let mut run = |repeats| {
        let mut wall = Duration::ZERO;
        for _ in 0..repeats {
            wall += fetch(session, device, &staging)?;
        }
        Ok(Took::by_wall(wall))
    };
    let plan = Plan::of(bench.effort);
    let pace = Pace::settle(bench, &mut run, &plan)?;
    // What is fetched from here on is not what was fetched before.
    let salt = fresh_word("transfer");
    fill(session, device, salt)?;
    let spread = pace.time(bench, Quantity::Bytes(BYTES), (&mut run, &plan))?;
    (bench.report)(Stage::Checking, 0);
    let places = sampled::places(u64::from(WORDS), &fresh_seed("positions"));
    let arrived = session.read_mapped(&staging, |bytes| {
        let words: &[u32] = bytemuck::cast_slice(bytes);
        let at = |place: &u64| words[usize::try_from(*place).expect("a place in the buffer")];
        places.iter().map(at).collect::<Vec<u32>>()
    })?;
    sampled::compare(&places, &arrived, |place| word(place, salt))?;
    Ok(spread)
}

/// Copies the device's buffer into host memory and makes it readable; returns how long that took.
fn fetch(
    session: &Session,
    device: &wgpu::Buffer,
    staging: &wgpu::Buffer,
) -> Result<Duration, ProbeError> {
    let start = Instant::now();
    session.run(|encoder| encoder.copy_buffer_to_buffer(device, 0, staging, 0, BYTES))?;
    session.read_mapped(staging, |_| ())?;
    Ok(start.elapsed())
}

/// Writes the pattern of `salt` over the device's buffer, on the device.
fn fill(session: &Session, device: &wgpu::Buffer, salt: u32) -> Result<(), ProbeError> {
    const LINE_GROUPS: u32 = 64;
    let parameters = session.parameters([salt, 256 * LINE_GROUPS, 0, 0, 0, 0, 0, 0])?;
    let bound = (&[&parameters][..], device.clone());
    let pipeline = session.pipeline(&kernels::fill())?;
    let lines = WORDS / 4 / 256 / LINE_GROUPS;
    Dispatch::new(session, pipeline, bound, [LINE_GROUPS, lines])
        .run(1)
        .map(|_| ())
}

fn word(place: u64, salt: u32) -> u32 {
    filled_word(u32::try_from(place).expect("a place in the buffer"), salt)
}

#[cfg(test)]
mod tests;
