//! Tests of what kind of device an adapter is taken for.

use super::*;

const NVIDIA: u32 = 0x10de;
const MESA: u32 = 0x1_0005;

fn info(name: &str, vendor: u32) -> wgpu::AdapterInfo {
    let device_type = wgpu::DeviceType::DiscreteGpu;
    wgpu::AdapterInfo {
        name: name.into(),
        vendor,
        ..wgpu::AdapterInfo::new(device_type, wgpu::Backend::Vulkan)
    }
}

#[test]
fn software_that_poses_as_a_gpu_is_a_cpu() {
    let posing = [
        info("llvmpipe (LLVM 15.0.6, 256 bits)", NVIDIA),
        info("SwiftShader Device (LLVM 10.0.0)", 0x1ae0),
        info("Microsoft Basic Render Driver", 0x1414),
        info("Virtio-GPU Venus (llvmpipe)", NVIDIA),
        info("NVIDIA GeForce RTX 5090", MESA),
        info("NVIDIA GeForce RTX 5090", 0),
    ];
    for info in posing {
        assert_eq!(form(&info), AdapterForm::Cpu, "{}", info.name);
    }
}

#[test]
fn gpus_are_what_their_drivers_say() {
    let info_of_nvidia = info("NVIDIA GeForce RTX 5060", NVIDIA);
    assert_eq!(form(&info_of_nvidia), AdapterForm::Discrete);
    let apple_on_linux = wgpu::AdapterInfo {
        driver: "Honeykrisp".into(),
        device_type: wgpu::DeviceType::IntegratedGpu,
        ..info("Apple M2 (G14G B0)", MESA)
    };
    assert_eq!(form(&apple_on_linux), AdapterForm::Integrated);
    let apple = wgpu::AdapterInfo {
        backend: wgpu::Backend::Metal,
        ..info("Apple M2", 0)
    };
    assert_eq!(form(&apple), AdapterForm::Discrete);
}

#[test]
fn two_drivers_of_one_card_are_one_card() {
    let all = [
        (1, "0000:01:00.0"),
        (2, ""),
        (3, "0000:01:00.0"),
        (4, ""),
        (5, "0000:02:00.0"),
    ];
    let place = |it: &(u8, &str)| (!it.1.is_empty()).then(|| Label::sanitized(it.1));
    let kept: Vec<u8> = once_each(all.to_vec(), place)
        .iter()
        .map(|it| it.0)
        .collect();
    assert_eq!(kept, [1, 2, 4, 5]);
}
