//! Owns one compute workload: a kernel, what it is bound to, how many workgroups run, and the buffer that
//! shows whether they did.
//!
//! Never knows what a kernel computes.

use market::gpu::Spread;

use crate::Bench;
use crate::device::{Session, Took};
use crate::error::ProbeError;
use crate::slices::{self, Quantity};

/// A kernel ready to run.
pub(crate) struct Dispatch<'a> {
    session: &'a Session,
    pipeline: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
    groups: [u32; 2],
    result: wgpu::Buffer,
}

impl<'a> Dispatch<'a> {
    /// Binds the kernel's inputs in order, then its result.
    ///
    /// Every index that a kernel makes must be in range for `groups` workgroups across and down.
    pub(crate) fn new(
        session: &'a Session,
        pipeline: wgpu::ComputePipeline,
        (inputs, result): (&[&wgpu::Buffer], wgpu::Buffer),
        groups: [u32; 2],
    ) -> Self {
        let buffers: Vec<&wgpu::Buffer> = inputs.iter().copied().chain([&result]).collect();
        let bindings = session.bind(&pipeline, &buffers);
        Self {
            session,
            pipeline,
            bindings,
            groups,
            result,
        }
    }

    /// Returns the buffer that the kernel writes.
    pub(crate) fn result(&self) -> &wgpu::Buffer {
        &self.result
    }

    /// Runs the kernel `repeats` times in one submission.
    pub(crate) fn run(&self, repeats: u32) -> Result<Took, ProbeError> {
        let [across, down] = self.groups;
        self.session.pass(|pass| {
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &self.bindings, &[]);
            for _ in 0..repeats {
                pass.dispatch_workgroups(across, down, 1);
            }
        })
    }

    /// Times the kernel; `quantity` is what one run does. What the result then holds was written meanwhile.
    pub(crate) fn measure(
        &self,
        bench: &mut Bench<'_>,
        quantity: Quantity,
    ) -> Result<Spread, ProbeError> {
        let mut run = |repeats| self.run(repeats);
        slices::measure(bench, quantity, (&mut run, &self.result))
    }
}
