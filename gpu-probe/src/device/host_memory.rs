//! Owns the host memory that a device reads and writes by itself: staging buffers and what is mapped of them.
//!
//! Never leaves a buffer mapped.

use super::Session;
use crate::error::ProbeError;

impl Session {
    /// Allocates host memory that the device copies from, holding `contents`; pinned where the driver pins.
    pub(crate) fn upload_staging(&self, contents: &[u8]) -> Result<wgpu::Buffer, ProbeError> {
        let buffer = self.allocate(&wgpu::BufferDescriptor {
            label: None,
            size: contents.len() as u64,
            usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: true,
        })?;
        let mapped = buffer.get_mapped_range_mut(..);
        let mut view = mapped.map_err(|_| refused("new host memory could not be written"))?;
        view.copy_from_slice(contents);
        drop(view);
        buffer.unmap();
        Ok(buffer)
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
