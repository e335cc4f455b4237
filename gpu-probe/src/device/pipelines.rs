//! Owns how kernels are compiled: without the checks that a stranger's shader would need.
//!
//! Never compiles a shader from outside, and never lets a compiler's panic end the node.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Session;
use crate::error::ProbeError;
use crate::kernels::{Kernel, WORKGROUP_INVOCATIONS};

impl Session {
    /// Compiles a kernel.
    pub(crate) fn pipeline(&self, kernel: &Kernel) -> Result<wgpu::ComputePipeline, ProbeError> {
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(kernel.entry_point),
            source: wgpu::ShaderSource::Wgsl(kernel.source.as_str().into()),
        };
        let checks = wgpu::ShaderRuntimeChecks::unchecked();
        self.compiled(|device| {
            // SAFETY: the sources are this crate's own. Callers dispatch whole tiles over buffers of exactly
            // that size, so every index is in range; loops end at uniform bounds; no division has a zero divisor.
            let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };
            create(device, kernel.entry_point, (&module, None))
        })
    }

    /// Compiles SPIR-V whose group 0 binds one buffer of parameters, then one that is written.
    ///
    /// Only where [`Session::takes_spirv`] holds.
    pub(crate) fn pipeline_of_spirv(
        &self,
        words: &[u32],
        entry_point: &str,
    ) -> Result<wgpu::ComputePipeline, ProbeError> {
        let entry = wgpu::PassthroughShaderEntryPoint {
            name: entry_point.into(),
            // Read by Metal alone.
            workgroup_size: (WORKGROUP_INVOCATIONS, 1, 1),
        };
        let descriptor = wgpu::ShaderModuleDescriptorPassthrough {
            label: Some(entry_point),
            entry_points: vec![entry].into(),
            spirv: Some(words.into()),
            ..Default::default()
        };
        self.compiled(|device| {
            // SAFETY: the words are what naga made of this crate's own, validated source, and decorations;
            // see `Session::pipeline` for what the sources hold.
            let module = unsafe { device.create_shader_module_passthrough(descriptor) };
            let layout = parameters_and_result(device);
            create(device, entry_point, (&module, Some(&layout)))
        })
    }

    /// Runs a compiler; what it reports and that it gave up are errors alike.
    fn compiled(
        &self,
        compile: impl FnOnce(&wgpu::Device) -> wgpu::ComputePipeline,
    ) -> Result<wgpu::ComputePipeline, ProbeError> {
        let compiled = catch_unwind(AssertUnwindSafe(|| compile(&self.device)));
        self.healthy()?;
        compiled.map_err(|_| ProbeError::Refused {
            detail: "the shader compiler gave up".into(),
        })
    }
}

fn create(
    device: &wgpu::Device,
    entry_point: &str,
    (module, layout): (&wgpu::ShaderModule, Option<&wgpu::PipelineLayout>),
) -> wgpu::ComputePipeline {
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(entry_point),
        layout,
        module,
        entry_point: Some(entry_point),
        compilation_options: wgpu::PipelineCompilationOptions {
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache: None,
    })
}

/// Returns the layout of a kernel that takes parameters and writes one buffer; nothing is known of SPIR-V itself.
fn parameters_and_result(device: &wgpu::Device) -> wgpu::PipelineLayout {
    let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    };
    let result = wgpu::BufferBindingType::Storage { read_only: false };
    let group = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: None,
        entries: &[entry(0, wgpu::BufferBindingType::Uniform), entry(1, result)],
    });
    device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&group)],
        immediate_size: 0,
    })
}
