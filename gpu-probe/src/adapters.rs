//! Owns the list of adapters of this machine.
//!
//! Never leaves one out for being a CPU, never lets one pass as a GPU, and never shows one card twice through
//! two interfaces.

use std::collections::BTreeSet;

use market::gpu::{AdapterForm, AdapterInfo, Label};

use crate::error::ProbeError;

/// An environment variable, and its value, that keep Mesa's device selection layer from printing
/// `XDG_RUNTIME_DIR is invalid` wherever there is no desktop session.
///
/// The Vulkan loader reads it when adapters are first listed. Set it for child processes and in
/// scripts; a process cannot safely set it for itself once it has threads.
pub const QUIET_LOADER: (&str, &str) = ("NODEVICE_SELECT", "1");

/// Names, in lower case, of drivers that run shaders on the CPU, whatever kind of device they say they are.
const SOFTWARE: [&str; 5] = [
    "llvmpipe",
    "lavapipe",
    "softpipe",
    "swiftshader",
    // What Direct3D calls WARP.
    "basic render driver",
];

/// Names, in lower case, of drivers of GPUs that have no PCI vendor: Mesa's for Apple's.
const WITHOUT_VENDOR: [&str; 1] = ["honeykrisp"];

/// How much of the budget that a driver states may be taken, in percent.
const BUDGET_PERCENT: u8 = 95;

/// An adapter that can be probed.
#[derive(Debug, Clone)]
pub struct Adapter {
    handle: wgpu::Adapter,
    info: AdapterInfo,
}

impl Adapter {
    fn new(handle: wgpu::Adapter) -> Self {
        let info = describe(&handle.get_info());
        Self { handle, info }
    }

    /// Returns what the driver says about the adapter.
    pub fn info(&self) -> &AdapterInfo {
        &self.info
    }

    pub(crate) fn handle(&self) -> &wgpu::Adapter {
        &self.handle
    }
}

/// Lists all adapters of this machine, discrete GPUs first and CPUs last; empty where no driver is installed.
///
/// Windows shows every card through DirectX as well as through Vulkan: DirectX is asked only where
/// nothing else answers; of two Vulkan drivers of one card the first counts. OpenGL is never asked; it has no compute that could be measured well, and
/// opening it makes display libraries complain on machines without a display.
pub fn adapters() -> Vec<Adapter> {
    let mut found = enumerate(wgpu::Backends::VULKAN | wgpu::Backends::METAL);
    if found.is_empty() {
        found = enumerate(wgpu::Backends::DX12);
    }
    found.sort_by_key(|adapter| adapter.info.form);
    once_each(found, |adapter| adapter.info.pci_bus_id.clone())
}

/// Keeps the first of those at one place: two drivers of one card are one card. What has no place is kept.
fn once_each<T>(all: Vec<T>, place: impl Fn(&T) -> Option<Label>) -> Vec<T> {
    let mut places = BTreeSet::new();
    let is_new = |it: &T| place(it).is_none_or(|place| places.insert(place));
    all.into_iter().filter(is_new).collect()
}

/// Returns the first adapter of the list, or says what to install.
pub fn best_adapter() -> Result<Adapter, ProbeError> {
    adapters().into_iter().next().ok_or(ProbeError::NoAdapter)
}

fn enumerate(backends: wgpu::Backends) -> Vec<Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        // Neither validation layers nor debug labels: they would be timed too.
        flags: wgpu::InstanceFlags::empty(),
        // A driver that knows its card's budget refuses what goes beyond, instead of moving it to the host.
        memory_budget_thresholds: wgpu::MemoryBudgetThresholds {
            for_resource_creation: Some(BUDGET_PERCENT),
            for_device_loss: None,
        },
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let handles = pollster::block_on(instance.enumerate_adapters(backends));
    handles.into_iter().map(Adapter::new).collect()
}

fn describe(info: &wgpu::AdapterInfo) -> AdapterInfo {
    let driver = format!("{} {}", info.driver, info.driver_info);
    let bus = Label::sanitized(&info.device_pci_bus_id);
    AdapterInfo {
        name: Label::sanitized(&info.name),
        vendor_id: info.vendor,
        device_id: info.device,
        driver: Label::sanitized(&driver),
        backend: Label::sanitized(info.backend.to_str()),
        form: form(info),
        pci_bus_id: (!bus.as_str().is_empty()).then_some(bus),
    }
}

/// Returns what kind of device it is: what the driver says, unless software poses as a GPU.
pub(crate) fn form(info: &wgpu::AdapterInfo) -> AdapterForm {
    match info.device_type {
        _ if is_software(info) => AdapterForm::Cpu,
        wgpu::DeviceType::DiscreteGpu => AdapterForm::Discrete,
        wgpu::DeviceType::IntegratedGpu => AdapterForm::Integrated,
        wgpu::DeviceType::VirtualGpu => AdapterForm::Virtual,
        wgpu::DeviceType::Cpu => AdapterForm::Cpu,
        wgpu::DeviceType::Other => AdapterForm::Unknown,
    }
}

/// Tells whether the adapter is a CPU by its name, or for having no vendor on the PCI bus.
///
/// Khronos gives ids above 16 bits to vendors without one of the PCI's, most of which make software. Metal names
/// no vendor at all. This keeps an honest machine from being sold as what it is not; who forges a driver's
/// name too is found out by the proof of throughput.
fn is_software(info: &wgpu::AdapterInfo) -> bool {
    let names = [&info.name, &info.driver, &info.driver_info].map(|name| name.to_lowercase());
    let is_named = |known: &[&str]| {
        known
            .iter()
            .any(|known| names.iter().any(|name| name.contains(known)))
    };
    let has_vendor = info.backend == wgpu::Backend::Metal || (1..=0xffff).contains(&info.vendor);
    is_named(&SOFTWARE) || !(has_vendor || is_named(&WITHOUT_VENDOR))
}

#[cfg(test)]
mod tests;
