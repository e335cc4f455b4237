//! Owns one open device: buffers, pipelines, submissions that are waited for, and the faults that the
//! driver reports from its own threads.
//!
//! Never lets a driver's fault panic the process: each becomes a [`ProbeError`].
#![expect(
    unsafe_code,
    reason = "our own shaders are compiled without the checks that a stranger's shader would need"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::ProbeError;
use crate::kernels::WORKGROUP_INVOCATIONS;

mod clock;
mod features;
mod host_memory;
mod pipelines;

use clock::Clock;
pub(crate) use clock::Took;
use features::Given;
pub(crate) use features::MatrixUnits;

/// How long one submission may take; slices last about 50 ms.
const SUBMISSION_LIMIT: Duration = Duration::from_secs(20);

/// What the driver reported on its own.
enum Fault {
    Lost(String),
    Refused(String),
}

/// A part of a buffer: a multiple of 4 bytes from a multiple of 4 on, inside of the buffer.
pub(crate) struct Span<'a> {
    /// The buffer.
    pub(crate) buffer: &'a wgpu::Buffer,
    /// Where the part begins, in bytes.
    pub(crate) offset: u64,
    /// How long it is, in bytes.
    pub(crate) bytes: u64,
}

/// An open device; clones are handles of the same one.
#[derive(Clone)]
pub(crate) struct Session {
    device: wgpu::Device,
    queue: wgpu::Queue,
    given: Given,
    clock: Option<Clock>,
    // Shared with callbacks that the driver runs on any thread: nobody else can own it.
    fault: Arc<Mutex<Option<Fault>>>,
}

impl Session {
    /// Opens the device with all limits that the adapter offers.
    pub(crate) fn open(adapter: &wgpu::Adapter) -> Result<Self, ProbeError> {
        let name = || adapter.get_info().name;
        let allowed = adapter.limits().max_compute_invocations_per_workgroup;
        if allowed < WORKGROUP_INVOCATIONS {
            return Err(ProbeError::TooLimited {
                adapter: name(),
                actual: allowed,
                needed: WORKGROUP_INVOCATIONS,
            });
        }
        let (device, queue, given) =
            features::open(adapter).map_err(|source| ProbeError::Open {
                adapter: name(),
                source,
            })?;
        let fault = Arc::new(Mutex::new(None));
        watch(&device, &fault);
        let clock = Clock::of(&device, &queue);
        Ok(Self {
            device,
            queue,
            given,
            clock,
            fault,
        })
    }

    /// Returns the largest buffer that a shader can be given here, in bytes, at most `wanted`.
    pub(crate) fn largest_storage(&self, wanted: u64) -> u64 {
        let limits = self.device.limits();
        let binding = limits.max_storage_buffer_binding_size;
        wanted.min(binding).min(limits.max_buffer_size)
    }

    /// Allocates a buffer that shaders read and write.
    pub(crate) fn storage(&self, bytes: u64) -> Result<wgpu::Buffer, ProbeError> {
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST;
        self.buffer(bytes, usage)
    }

    /// Makes a buffer of parameters.
    pub(crate) fn parameters(&self, words: [u32; 8]) -> Result<wgpu::Buffer, ProbeError> {
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let buffer = self.buffer(size_of_val(&words) as u64, usage)?;
        self.set_parameters(&buffer, words);
        Ok(buffer)
    }

    /// Changes parameters for what is submitted from now on.
    pub(crate) fn set_parameters(&self, buffer: &wgpu::Buffer, words: [u32; 8]) {
        self.queue
            .write_buffer(buffer, 0, bytemuck::cast_slice(&words));
    }

    fn buffer(&self, bytes: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer, ProbeError> {
        self.allocate(&wgpu::BufferDescriptor {
            label: None,
            size: bytes,
            usage,
            mapped_at_creation: false,
        })
    }

    fn allocate(
        &self,
        descriptor: &wgpu::BufferDescriptor<'_>,
    ) -> Result<wgpu::Buffer, ProbeError> {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.device.create_buffer(descriptor);
        let bytes = descriptor.size;
        match pollster::block_on(scope.pop()) {
            Some(_) => Err(ProbeError::OutOfMemory { bytes }),
            None => self.healthy().map(|()| buffer),
        }
    }

    /// Binds buffers to a pipeline in the order of their bindings.
    pub(crate) fn bind(
        &self,
        pipeline: &wgpu::ComputePipeline,
        buffers: &[&wgpu::Buffer],
    ) -> wgpu::BindGroup {
        let entries: Vec<wgpu::BindGroupEntry<'_>> = (0..)
            .zip(buffers)
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        })
    }

    /// Submits what `record` records, waits for it, and returns the time from submission to fence.
    pub(crate) fn run(
        &self,
        record: impl FnOnce(&mut wgpu::CommandEncoder),
    ) -> Result<Duration, ProbeError> {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        record(&mut encoder);
        let commands = encoder.finish();
        let start = Instant::now();
        let submission = self.queue.submit([commands]);
        self.poll(Some(submission))?;
        Ok(start.elapsed())
    }

    /// Reads one 32-bit word at each byte offset, which must be a multiple of 4 inside of its buffer.
    pub(crate) fn read_words(
        &self,
        places: &[(&wgpu::Buffer, u64)],
    ) -> Result<Vec<u32>, ProbeError> {
        let spans: Vec<Span<'_>> = places
            .iter()
            .map(|(buffer, offset)| Span {
                buffer,
                offset: *offset,
                bytes: 4,
            })
            .collect();
        self.run_and_read(|_| (), &spans)
    }

    /// Submits what `record` records, and reads the spans one after another as it leaves them.
    pub(crate) fn run_and_read(
        &self,
        record: impl FnOnce(&mut wgpu::CommandEncoder),
        spans: &[Span<'_>],
    ) -> Result<Vec<u32>, ProbeError> {
        let usage = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ;
        let bytes = spans.iter().map(|span| span.bytes).sum();
        let staging = self.buffer(bytes, usage)?;
        self.run(|encoder| {
            record(encoder);
            let mut target = 0;
            for Span {
                buffer,
                offset,
                bytes,
            } in spans
            {
                encoder.copy_buffer_to_buffer(buffer, *offset, &staging, target, *bytes);
                target += bytes;
            }
        })?;
        self.read_mapped(&staging, bytemuck::pod_collect_to_vec)
    }

    /// Waits for a submission, or for all of them, and for the callbacks that follow.
    fn poll(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<(), ProbeError> {
        let wait = wgpu::PollType::Wait {
            submission_index,
            timeout: Some(SUBMISSION_LIMIT),
        };
        // wgpu panics where the driver loses the device during the wait; that must not end the node.
        let polled = catch_unwind(AssertUnwindSafe(|| self.device.poll(wait)));
        self.healthy()?;
        match polled {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(wgpu::PollError::Timeout)) => Err(ProbeError::Hung {
                seconds: SUBMISSION_LIMIT.as_secs(),
            }),
            // The submission was never taken, and no command was refused: only a device that is gone does that.
            Ok(Err(wgpu::PollError::WrongSubmissionIndex(..))) => Err(ProbeError::DeviceLost {
                reason: "it takes no more work".into(),
            }),
            Err(_) => Err(gave_up()),
        }
    }

    /// Returns the first fault that the driver reported since the last look; the loss of the device outranks it.
    fn healthy(&self) -> Result<(), ProbeError> {
        match self.take_fault() {
            None => Ok(()),
            Some(Fault::Lost(reason)) => Err(ProbeError::DeviceLost { reason }),
            Some(Fault::Refused(detail)) => {
                // A device that is gone refuses everything, and says that it is gone only when it is asked.
                let asked = || self.device.poll(wgpu::PollType::Poll);
                let answered = catch_unwind(AssertUnwindSafe(asked));
                match (answered, self.take_fault()) {
                    (_, Some(Fault::Lost(reason))) => Err(ProbeError::DeviceLost { reason }),
                    (Err(_), _) => Err(gave_up()),
                    _ => Err(ProbeError::Refused { detail }),
                }
            }
        }
    }

    /// Takes the driver's last report; a lost device stays lost.
    fn take_fault(&self) -> Option<Fault> {
        let mut slot = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = slot.take();
        if let Some(Fault::Lost(reason)) = &fault {
            *slot = Some(Fault::Lost(reason.clone()));
        }
        fault
    }
}

/// wgpu panics where the driver loses the device during a wait.
fn gave_up() -> ProbeError {
    ProbeError::DeviceLost {
        reason: "the driver gave up during a wait".into(),
    }
}

/// Keeps the driver's reports; the loss of the device outranks what follows from it.
fn watch(device: &wgpu::Device, fault: &Arc<Mutex<Option<Fault>>>) {
    let lost = Arc::clone(fault);
    device.set_device_lost_callback(move |_, reason| {
        let mut slot = lost.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(Fault::Lost(reason));
    });
    let refused = Arc::clone(fault);
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
        let mut slot = refused.lock().unwrap_or_else(PoisonError::into_inner);
        slot.get_or_insert_with(|| Fault::Refused(error.to_string()));
    }));
}

#[cfg(test)]
mod tests;
