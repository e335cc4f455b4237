//! Owns how long a pass takes: by the wall clock, and by the device's own clock where it has one.
//!
//! Never believes the device's clock by itself; [`Took`] carries both.

use std::time::Duration;

use super::Session;
use crate::error::ProbeError;

/// How long a piece of work took, by each clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Took {
    /// From submission to fence, by the host.
    pub(crate) wall: Duration,
    /// From the first to the last command, by the device; `None` where it does not say.
    pub(crate) device: Option<Duration>,
}

impl Took {
    /// Makes one of work that only the host timed.
    pub(crate) const fn by_wall(wall: Duration) -> Self {
        Self { wall, device: None }
    }
}

/// The device's clock: two timestamps, and where they are read.
#[derive(Clone)]
pub(super) struct Clock {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    readable: wgpu::Buffer,
    nanos_per_tick: f64,
}

const TIMESTAMPS: u32 = 2;
const BYTES: u64 = 8 * TIMESTAMPS as u64;

impl Clock {
    /// Makes the clock, or `None` where the device has none or does not say how fast it ticks.
    pub(super) fn of(device: &wgpu::Device, queue: &wgpu::Queue) -> Option<Self> {
        let nanos_per_tick = f64::from(queue.get_timestamp_period());
        let is_offered = device.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        if !is_offered || !nanos_per_tick.is_normal() || nanos_per_tick < 0.0 {
            return None;
        }
        let buffer = |usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: BYTES,
                usage,
                mapped_at_creation: false,
            })
        };
        Some(Self {
            queries: device.create_query_set(&wgpu::QuerySetDescriptor {
                label: None,
                ty: wgpu::QueryType::Timestamp,
                count: TIMESTAMPS,
            }),
            resolved: buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC),
            readable: buffer(wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ),
            nanos_per_tick,
        })
    }

    fn writes(&self) -> wgpu::ComputePassTimestampWrites<'_> {
        wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        }
    }

    fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.resolve_query_set(&self.queries, 0..TIMESTAMPS, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.readable, 0, BYTES);
    }
}

impl Session {
    /// Runs one compute pass and waits for it.
    pub(crate) fn pass(
        &self,
        record: impl FnOnce(&mut wgpu::ComputePass<'_>),
    ) -> Result<Took, ProbeError> {
        let wall = self.run(|encoder| {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: None,
                timestamp_writes: self.clock.as_ref().map(Clock::writes),
            });
            record(&mut pass);
            drop(pass);
            if let Some(clock) = &self.clock {
                clock.resolve(encoder);
            }
        })?;
        let Some(clock) = &self.clock else {
            return Ok(Took::by_wall(wall));
        };
        let ticks: [u64; 2] = self.read_mapped(&clock.readable, bytemuck::pod_read_unaligned)?;
        let device = elapsed(ticks, clock.nanos_per_tick);
        Ok(Took { wall, device })
    }
}

/// Returns the time between two timestamps, or `None` where the clock stood or ran backwards.
fn elapsed([first, last]: [u64; 2], nanos_per_tick: f64) -> Option<Duration> {
    let ticks = last.checked_sub(first).filter(|ticks| *ticks > 0)?;
    let seconds = ticks as f64 * nanos_per_tick / 1e9;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests;
