//! Tests of whole machines, laid out from fixtures.

use std::collections::BTreeSet;

use market::gpu::AdapterForm;
use proptest::prelude::*;

use super::*;
use crate::telemetry::ThrottleReason;
use crate::telemetry::fixture::{Machine, adapter};

fn card(machine: &Machine, bus: &str) -> Card {
    let adapter = adapter(Some(bus), 0x1002, AdapterForm::Discrete);
    Card::find(&machine.files(), &adapter).unwrap_or_else(|silence| unreachable!("{silence}"))
}

#[test]
fn an_amd_card_tells_everything() {
    let machine = Machine::of("rx-6800-xt");
    let told = card(&machine, "0000:0b:00.0").read(0);
    let temperatures = told.temperature_c;
    assert_eq!(temperatures.edge, Some(68));
    assert_eq!(temperatures.junction, Some(87));
    assert_eq!(temperatures.memory, Some(80));
    assert_eq!(told.power.drawn_mw, Some(254_000));
    assert_eq!(told.power.cap_mw, Some(255_000));
    assert_eq!(told.fan.speed_rpm, Some(1_467));
    assert_eq!(told.fan.duty_permille, Some(380));
    assert_eq!(told.clocks.core_mhz, Some(2_198));
    assert_eq!(told.clocks.memory_mhz, Some(1_000));
    assert_eq!(told.memory.used_bytes, Some(6 << 30));
    assert_eq!(told.memory.total_bytes, Some(17_163_091_968));
    assert_eq!(told.busy_permille, Some(970));
    let capped = BTreeSet::from([ThrottleReason::PowerCap]);
    assert_eq!(told.throttle, Some(capped));
    assert_eq!(told.silence, None);
}

#[test]
fn clock_levels_stand_in_for_missing_sensors() {
    let machine = Machine::of("rx-6800-xt");
    let monitor = "sys/bus/pci/devices/0000:0b:00.0/hwmon/hwmon4";
    machine.remove(&format!("{monitor}/freq1_input"));
    machine.remove(&format!("{monitor}/freq2_label"));
    let clocks = card(&machine, "0000:0b:00.0").read(0).clocks;
    assert_eq!(clocks.core_mhz, Some(2_214));
    assert_eq!(clocks.memory_mhz, Some(1_000));
}

#[test]
fn an_intel_cards_energy_becomes_power() {
    let machine = Machine::of("arc-b580");
    let mut card = card(&machine, "0000:03:00.0");
    let told = card.read(1_000);
    assert_eq!(told.temperature_c.edge, Some(61));
    assert_eq!(told.temperature_c.memory, Some(72));
    assert_eq!(told.power.drawn_mw, None);
    assert_eq!(told.power.cap_mw, Some(190_000));
    assert_eq!(told.clocks.core_mhz, Some(2_400));
    let hot = BTreeSet::from([ThrottleReason::Thermal]);
    assert_eq!(told.throttle, Some(hot));

    let energy = "sys/bus/pci/devices/0000:03:00.0/hwmon/hwmon3/energy1_input";
    // 75 J in half a second.
    machine.write(energy, b"5075000000\n");
    assert_eq!(card.read(1_500).power.drawn_mw, Some(150_000));
    // Too soon, then a counter that began anew.
    assert_eq!(card.read(1_510).power.drawn_mw, None);
    machine.write(energy, b"1000000\n");
    assert_eq!(card.read(2_000).power.drawn_mw, None);
    machine.write(energy, b"11000000\n");
    assert_eq!(card.read(2_100).power.drawn_mw, Some(100_000));
}

#[test]
fn a_laptop_keeps_its_two_cards_apart() {
    let machine = Machine::of("laptop");
    let mut in_processor = card(&machine, "0000:00:02.0");
    assert!(!in_processor.is_asleep());
    let told = in_processor.read(0);
    assert_eq!(told.clocks.core_mhz, Some(1_350));
    let capped = BTreeSet::from([ThrottleReason::PowerCap]);
    assert_eq!(told.throttle, Some(capped));
    assert_eq!(told.temperature_c.edge, None);
    assert!(card(&machine, "0000:01:00.0").is_asleep());
}

#[test]
fn garbage_is_unknown() {
    let machine = Machine::of("broken");
    let told = card(&machine, "0000:0b:00.0").read(0);
    let driver = "amdgpu".to_owned();
    assert_eq!(told, Telemetry::silent(Silence::Driver { driver }));
}

#[test]
fn a_driver_without_figures_is_named() {
    let machine = Machine::described("== sys/bus/pci/devices/0000:05:00.0/vendor\n0x1002");
    let told = card(&machine, "0000:05:00.0").read(0);
    let driver = "none".to_owned();
    assert_eq!(told.silence, Some(Silence::Driver { driver }));
}

#[test]
fn a_card_without_an_address_is_found_by_its_model() {
    let machine = Machine::of("laptop");
    let model = adapter(None, 0x1002, AdapterForm::Discrete);
    let found = Card::find(&machine.files(), &model).unwrap_or_else(|silence| {
        unreachable!("{silence}");
    });
    assert_eq!(found.address().to_string(), "0000:01:00.0");
}

#[test]
fn two_like_cards_without_an_address_are_none() {
    let machine = Machine::described(
        "== sys/bus/pci/devices/0000:01:00.0/vendor\n0x1002\n== sys/bus/pci/devices/0000:01:00.0/device\n0x73bf\n\
         == sys/bus/pci/devices/0000:02:00.0/vendor\n0x1002\n== sys/bus/pci/devices/0000:02:00.0/device\n0x73bf",
    );
    let model = adapter(None, 0x1002, AdapterForm::Discrete);
    let found = Card::find(&machine.files(), &model).map(|card| card.address());
    assert_eq!(found, Err(Silence::NotFound { found: 2 }));
}

#[test]
fn a_system_without_a_list_of_devices_says_so() {
    let machine = Machine::described("");
    let adapter = adapter(Some("0000:01:00.0"), 0x1002, AdapterForm::Discrete);
    let found = Card::find(&machine.files(), &adapter).map(|card| card.address());
    assert_eq!(found, Err(Silence::System));
}

#[test]
fn a_card_that_is_pulled_out_is_silent() {
    let machine = Machine::of("arc-b580");
    let mut card = card(&machine, "0000:03:00.0");
    drop(machine);
    assert!(!card.is_asleep());
    let driver = "xe".to_owned();
    assert_eq!(card.read(0).silence, Some(Silence::Driver { driver }));
}

/// The files of the AMD card that hold figures.
const FIGURES: [&str; 14] = [
    "gpu_busy_percent",
    "mem_info_vram_total",
    "mem_info_vram_used",
    "pp_dpm_sclk",
    "gpu_metrics",
    "power/runtime_status",
    "uevent",
    "hwmon/hwmon4/temp1_input",
    "hwmon/hwmon4/temp2_label",
    "hwmon/hwmon4/power1_average",
    "hwmon/hwmon4/power1_cap",
    "hwmon/hwmon4/fan1_input",
    "hwmon/hwmon4/pwm1",
    "hwmon/hwmon4/freq1_input",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_in_any_file_panic(
        contents in prop::collection::vec(prop::option::of(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            any::<i128>().prop_map(|number| number.to_string().into_bytes()),
        ]), FIGURES.len())
    ) {
        let machine = Machine::of("rx-6800-xt");
        for (name, content) in FIGURES.iter().zip(contents) {
            if let Some(bytes) = content {
                machine.write(&format!("sys/bus/pci/devices/0000:0b:00.0/{name}"), &bytes);
            }
        }
        let told = card(&machine, "0000:0b:00.0").read(0);
        prop_assert!(told.temperature_c.edge.is_none_or(|t| (-50..=150).contains(&t)));
        prop_assert!(told.power.drawn_mw.is_none_or(|power| power <= 10_000_000));
        prop_assert!(told.busy_permille.is_none_or(|busy| busy <= 1_000));
    }
}
