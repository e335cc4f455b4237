//! Owns the host memory that a device reads and writes by itself: staging buffers and what is mapped of them.
//!
//! Never leaves a buffer mapped.

use super::Session;
use crate::error::ProbeError;

impl Session {
    /// Allocates host memory that the device copies into and from; `None` where the driver does not allow both. Memory
    /// that the host reads lies in the host's own, while a driver puts what the host only writes on the card if it can.
    pub(crate) fn host_memory(&self, bytes: u64) -> Result<Option<wgpu::Buffer>, ProbeError> {
        let usage = wgpu::BufferUsages::COPY_DST
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::MAP_READ;
        match self.copies_from_host() {
            true => self.buffer(bytes, usage).map(Some),
            false => Ok(None),
        }
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
