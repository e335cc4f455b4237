//! Tests of the choice of device.

use super::*;

#[test]
fn a_discrete_card_is_preferred_and_no_gpu_means_flex() {
    let names = |list: &[(GpuKind, &str)]| {
        let owned = list.iter().map(|(kind, name)| (*kind, (*name).to_owned()));
        best_of(owned.collect()).to_string()
    };
    let both = [(GpuKind::Integrated, "small"), (GpuKind::Discrete, "large")];
    assert_eq!(names(&both), "discrete:0:large");
    assert_eq!(names(&both[..1]), "integrated:0:small");
    assert_eq!(names(&[]), "flex");
}

#[test]
fn software_adapters_are_not_gpus() {
    assert_eq!(gpu_kind(wgpu::DeviceType::Cpu), None);
    assert_eq!(gpu_kind(wgpu::DeviceType::Other), None);
    let software = vec![(GpuKind::Software, "llvmpipe".to_owned())];
    assert_eq!(best_of(software), EngineDevice::Flex);
    let text = EngineDevice::software().to_string();
    assert!(text.parse::<EngineDevice>().is_err(), "{text}");
}

#[test]
fn a_device_survives_its_text() {
    let gpu = EngineDevice::Gpu {
        kind: GpuKind::Virtual,
        index: 3,
        name: "Card: the second".to_owned(),
    };
    for device in [EngineDevice::Flex, gpu] {
        assert_eq!(device.to_string().parse(), Ok(device));
    }
    for bad in [
        "",
        "gpu",
        "discrete",
        "discrete:x:y",
        "cpu:0:llvmpipe",
        "software:0:llvmpipe",
    ] {
        assert!(bad.parse::<EngineDevice>().is_err(), "{bad}");
    }
}
