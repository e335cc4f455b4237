//! Tests of choosing sources, and of what can be true.

use super::fixture::{Machine, adapter};
use super::*;

#[test]
fn a_processor_has_no_sensors() {
    let machine = Machine::of("rx-6800-xt");
    let processor = adapter(None, 0x10005, AdapterForm::Cpu);
    let told = Sensors::below(&machine.files(), &processor).read(0);
    assert_eq!(told, Telemetry::silent(Silence::NoCard));
}

#[test]
fn a_card_that_sleeps_is_not_woken() {
    let machine = Machine::of("laptop");
    let card = adapter(Some("0000:01:00.0"), 0x1002, AdapterForm::Discrete);
    let told = Sensors::below(&machine.files(), &card).read(0);
    assert_eq!(told, Telemetry::silent(Silence::Asleep));
}

#[test]
fn a_missing_library_is_the_reason_only_where_nothing_else_answers() {
    let machine = Machine::of("rx-6800-xt");
    let missing = Silence::Library {
        reason: "not there".into(),
    };
    let of = |bus| {
        let card = adapter(Some(bus), NVIDIA, AdapterForm::Discrete);
        let sensors = Sensors::below(&machine.files(), &card);
        let library = Some(Err(missing.clone()));
        Sensors { library, ..sensors }.read(0)
    };
    assert_eq!(of("0000:0c:00.0").silence, Some(missing.clone()));
    assert_eq!(of("0000:0b:00.0").temperature_c.edge, Some(68));
}

#[test]
fn every_adapter_of_this_machine_tells_or_says_why_not() {
    for adapter in crate::adapters() {
        let told = Sensors::open(adapter.info()).read(0);
        let knows = Telemetry {
            silence: None,
            ..told.clone()
        } != Telemetry::default();
        assert!(!(knows && told.silence.is_some()), "{told:?}");
    }
}

#[test]
fn temperatures_are_rounded_and_broken_sensors_left_out() {
    assert_eq!(plausible_celsius(83_499), Some(83));
    assert_eq!(plausible_celsius(83_500), Some(84));
    assert_eq!(plausible_celsius(-4_600), Some(-5));
    assert_eq!(plausible_celsius(-128_000), None);
    assert_eq!(plausible_celsius(255_000), None);
    assert_eq!(plausible_celsius(i64::MIN), None);
}

#[test]
fn the_edge_is_what_a_limit_is_compared_with() {
    let both = Temperatures {
        edge: Some(70),
        junction: Some(95),
        memory: None,
    };
    assert_eq!(both.shown(), Some(70));
    assert_eq!(Temperatures { edge: None, ..both }.shown(), Some(95));
}
