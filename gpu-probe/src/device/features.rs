//! Owns what is asked of an adapter beyond the least, and what a session was given of it.
//!
//! Never lets a device stay closed for something that only one figure needs.

use super::Session;
use crate::adapters::form;
use crate::kernels::SUBGROUP_LINES;
use crate::tuning::candidates::Offered;

/// What is used where the adapter offers it; nothing that the class rests on needs any of it.
const WANTED: wgpu::Features = wgpu::Features::TIMESTAMP_QUERY
    .union(wgpu::Features::SUBGROUP)
    .union(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS)
    .union(wgpu::Features::SHADER_F16)
    .union(wgpu::Features::PASSTHROUGH_SHADERS)
    .union(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX);

/// Invocations of a subgroup of every Apple GPU, of which wgpu gives only a range.
const METAL_SUBGROUP: u32 = 32;

/// Matrix units that take f16 and add up in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MatrixUnits {
    /// Rows and columns of each matrix, 8 or 16.
    pub(crate) side: u32,
    /// Invocations that work on one multiplication together: the most that a subgroup has.
    pub(crate) lanes: u32,
}

impl MatrixUnits {
    /// Returns the largest square ones that the adapter offers.
    fn of(adapter: &wgpu::Adapter) -> Option<Self> {
        let square = |offered: &wgpu::CooperativeMatrixProperties| {
            let is_square = offered.m_size == offered.n_size && offered.n_size == offered.k_size;
            let is_mixed = offered.ab_type == wgpu::CooperativeScalarType::F16
                && offered.cr_type == wgpu::CooperativeScalarType::F32;
            (is_square && is_mixed).then_some(offered.m_size)
        };
        let offered = adapter.cooperative_matrix_properties();
        let side = offered.iter().filter_map(square).max()?;
        let info = adapter.get_info();
        let lanes = match info.backend {
            wgpu::Backend::Metal => METAL_SUBGROUP,
            _ => info.subgroup_max_size,
        };
        Some(Self { side, lanes })
    }
}

/// What a session may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    features: wgpu::Features,
    backend: wgpu::Backend,
    matrix_units: Option<MatrixUnits>,
}

impl Session {
    /// Returns what the adapter offers to kernels of the fp32 and of the exact matrix product.
    pub(crate) fn offered(&self) -> Offered {
        let info = self.device.adapter_info();
        // Those kernels are written for subgroups that all have the same lanes.
        let is_uniform = info.subgroup_min_size == info.subgroup_max_size;
        Offered {
            form: form(&info),
            has_subgroups: self.given.features.contains(wgpu::Features::SUBGROUP)
                && info.subgroup_min_size >= SUBGROUP_LINES,
            workgroup_bytes: self.device.limits().max_compute_workgroup_storage_size,
            has_f16: self.has_f16(),
            matrix_units: self.matrix_units().filter(|_| is_uniform),
        }
    }

    /// Tells whether shaders may use 16-bit floats.
    pub(crate) fn has_f16(&self) -> bool {
        self.given.features.contains(wgpu::Features::SHADER_F16)
    }

    /// Returns the matrix units that shaders may use.
    pub(crate) fn matrix_units(&self) -> Option<MatrixUnits> {
        let matrix = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
        let is_open = self.has_f16() && self.given.features.contains(matrix);
        self.given.matrix_units.filter(|_| is_open)
    }

    /// Tells whether memory that the host reads may also be copied from.
    pub(crate) fn copies_from_host(&self) -> bool {
        let mappable = wgpu::Features::MAPPABLE_PRIMARY_BUFFERS;
        self.given.features.contains(mappable)
    }

    /// Tells whether the driver takes SPIR-V as it is.
    pub(crate) fn takes_spirv(&self) -> bool {
        let passthrough = wgpu::Features::PASSTHROUGH_SHADERS;
        self.given.backend == wgpu::Backend::Vulkan && self.given.features.contains(passthrough)
    }
}

/// Opens the device with all limits that its adapter offers, and with what is wanted beyond the least unless
/// the driver then refuses.
pub(super) fn open(
    adapter: &wgpu::Adapter,
) -> Result<(wgpu::Device, wgpu::Queue, Given), wgpu::RequestDeviceError> {
    let (device, queue) = request(adapter, adapter.features() & WANTED).or_else(|error| {
        tracing::debug!(%error, "the driver offers features that it then refuses");
        request(adapter, wgpu::Features::empty())
    })?;
    let given = Given {
        features: device.features(),
        backend: adapter.get_info().backend,
        matrix_units: MatrixUnits::of(adapter),
    };
    Ok((device, queue, given))
}

fn request(
    adapter: &wgpu::Adapter,
    required_features: wgpu::Features,
) -> Result<(wgpu::Device, wgpu::Queue), wgpu::RequestDeviceError> {
    // SAFETY: the one experimental feature asked for is cooperative matrices, which only this crate's own
    // kernel uses, over whole tiles.
    let experimental_features = unsafe { wgpu::ExperimentalFeatures::enabled() };
    pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
        required_features,
        required_limits: adapter.limits(),
        experimental_features,
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        ..Default::default()
    }))
}
