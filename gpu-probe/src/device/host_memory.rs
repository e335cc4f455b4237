//! Owns the host memory that a device reads and writes by itself: staging buffers and what is mapped of them.
//!
//! Never leaves a buffer mapped.

use std::time::{Duration, Instant};

use super::Session;
use crate::error::ProbeError;

impl Session {
    /// Writes `contents` over the beginning of a buffer `repeats` times, waits for the last, and returns the time of all.
    pub(crate) fn upload(
        &self,
        buffer: &wgpu::Buffer,
        contents: &[u8],
        repeats: u32,
    ) -> Result<Duration, ProbeError> {
        let start = Instant::now();
        for _ in 0..repeats {
            self.queue.write_buffer(buffer, 0, contents);
            // Otherwise all of them would wait for the first, in memory of the host's.
            self.queue.submit([]);
        }
        self.poll(None)?;
        Ok(start.elapsed())
    }

    /// Allocates host memory that the device copies into.
    pub(crate) fn download_staging(&self, bytes: u64) -> Result<wgpu::Buffer, ProbeError> {
        let usage = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ;
        self.buffer(bytes, usage)
    }

    /// Maps a buffer, gives its bytes to `read` and unmaps it; what was submitted before is done by then.
    pub(crate) fn read_mapped<T>(
        &self,
        buffer: &wgpu::Buffer,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, ProbeError> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        buffer.map_async(wgpu::MapMode::Read, .., move |mapped| {
            // The receiver is gone only when this read was already given up.
            let _ = sender.send(mapped.is_ok());
        });
        self.poll(None)?;
        let unread = || refused("a buffer that was filled could not be read");
        if !receiver.try_recv().unwrap_or(false) {
            return Err(unread());
        }
        let view = buffer.get_mapped_range(..).map_err(|_| unread())?;
        let value = read(&view);
        drop(view);
        buffer.unmap();
        Ok(value)
    }
}

fn refused(detail: &str) -> ProbeError {
    ProbeError::Refused {
        detail: detail.into(),
    }
}
