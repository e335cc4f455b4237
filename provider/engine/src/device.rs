//! Owns the choice of what computes: a GPU through wgpu where there is one, else the processor.
//!
//! Never sends work to a processor that poses as a GPU: software adapters are slower than Flex, which
//! serves the processor itself.

use std::fmt;
use std::str::FromStr;

use burn::tensor::DeviceKind;

/// What kind of GPU the graphics interface says an adapter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GpuKind {
    /// A card of its own.
    Discrete,
    /// Part of the processor.
    Integrated,
    /// Lent by a hypervisor.
    Virtual,
    /// A processor that poses as a GPU. It is never chosen and has no text, so that no worker of the market computes
    /// on one; tests of what only the GPU's stack can show ask for it by name.
    Software,
}

/// What computes.
///
/// As text, which a parent can pass to its worker, it is `flex` or `KIND:INDEX:NAME`, for example
/// `discrete:0:Some Card`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineDevice {
    /// The processor, through Burn's Flex backend.
    Flex,
    /// A GPU, through Burn's wgpu backend.
    Gpu {
        /// What kind of GPU it is.
        kind: GpuKind,
        /// Its place among the GPUs of that kind.
        index: usize,
        /// What the driver calls it.
        name: String,
    },
}

/// A text that names no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no device; use flex or KIND:INDEX:NAME, for example discrete:0:Some Card")]
pub struct DeviceError {
    text: String,
}

impl EngineDevice {
    /// Looks for a GPU and returns the best, or the processor where there is none.
    ///
    /// Discrete cards come before integrated and virtual ones. Loads the graphics drivers, so a
    /// confined worker gets the answer from its parent instead of asking again.
    pub fn choose() -> Self {
        let apis = [
            wgpu::Backends::VULKAN,
            wgpu::Backends::METAL,
            wgpu::Backends::DX12,
        ];
        let found = apis.into_iter().map(gpus_of).find(|gpus| !gpus.is_empty());
        best_of(found.unwrap_or_default())
    }

    /// Says in words what computes.
    pub fn describe(&self) -> String {
        match self {
            Self::Flex => {
                let cores = std::thread::available_parallelism().map_or(1, usize::from);
                format!("processor, {cores} threads (Flex; no GPU is used)")
            }
            Self::Gpu { name, kind, .. } => format!("{name}, a {kind} GPU (wgpu)"),
        }
    }

    /// Returns Burn's word for a GPU; `None` for the processor.
    pub(crate) fn kind(&self) -> Option<DeviceKind> {
        match self {
            Self::Flex => None,
            Self::Gpu { kind, index, .. } => Some(match kind {
                GpuKind::Discrete => DeviceKind::DiscreteGpu(*index),
                GpuKind::Integrated => DeviceKind::IntegratedGpu(*index),
                GpuKind::Virtual => DeviceKind::VirtualGpu(*index),
                GpuKind::Software => DeviceKind::Cpu,
            }),
        }
    }

    /// Names the processor that poses as a GPU, for tests alone.
    #[doc(hidden)]
    pub fn software() -> Self {
        Self::Gpu {
            kind: GpuKind::Software,
            index: 0,
            name: "software".to_owned(),
        }
    }

    /// Tells whether there is a processor that poses as a GPU, for tests alone.
    #[doc(hidden)]
    pub fn has_software() -> bool {
        let api = wgpu::Backends::VULKAN;
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: api,
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let adapters = pollster::block_on(instance.enumerate_adapters(api));
        let mut kinds = adapters
            .iter()
            .map(|adapter| adapter.get_info().device_type);
        kinds.any(|kind| kind == wgpu::DeviceType::Cpu)
    }
}

/// Lists the names and kinds of the GPUs that one graphics interface shows, in its order.
fn gpus_of(api: wgpu::Backends) -> Vec<(GpuKind, String)> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: api,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapters = pollster::block_on(instance.enumerate_adapters(api));
    let infos = adapters.iter().map(wgpu::Adapter::get_info);
    infos
        .filter_map(|info| Some((gpu_kind(info.device_type)?, info.name)))
        .collect()
}

fn gpu_kind(device_type: wgpu::DeviceType) -> Option<GpuKind> {
    match device_type {
        wgpu::DeviceType::DiscreteGpu => Some(GpuKind::Discrete),
        wgpu::DeviceType::IntegratedGpu => Some(GpuKind::Integrated),
        wgpu::DeviceType::VirtualGpu => Some(GpuKind::Virtual),
        wgpu::DeviceType::Cpu | wgpu::DeviceType::Other => None,
    }
}

/// Picks the first GPU of the best kind; the index counts within its kind.
fn best_of(gpus: Vec<(GpuKind, String)>) -> EngineDevice {
    let order = [GpuKind::Discrete, GpuKind::Integrated, GpuKind::Virtual];
    let first = |wanted: GpuKind| gpus.iter().find(|(kind, _)| *kind == wanted);
    match order.into_iter().find_map(first) {
        Some((kind, name)) => EngineDevice::Gpu {
            kind: *kind,
            index: 0,
            name: name.clone(),
        },
        None => EngineDevice::Flex,
    }
}

impl fmt::Display for GpuKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discrete => "discrete",
            Self::Integrated => "integrated",
            Self::Virtual => "virtual",
            Self::Software => "software",
        })
    }
}

impl fmt::Display for EngineDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flex => f.write_str("flex"),
            Self::Gpu { kind, index, name } => write!(f, "{kind}:{index}:{name}"),
        }
    }
}

impl FromStr for EngineDevice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "flex" {
            return Ok(Self::Flex);
        }
        parse_gpu(text).ok_or_else(|| DeviceError {
            text: text.chars().take(80).collect(),
        })
    }
}

fn parse_gpu(text: &str) -> Option<EngineDevice> {
    let mut parts = text.splitn(3, ':');
    let kind = match parts.next()? {
        "discrete" => GpuKind::Discrete,
        "integrated" => GpuKind::Integrated,
        "virtual" => GpuKind::Virtual,
        _ => return None,
    };
    Some(EngineDevice::Gpu {
        kind,
        index: parts.next()?.parse().ok()?,
        name: parts.next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests;
