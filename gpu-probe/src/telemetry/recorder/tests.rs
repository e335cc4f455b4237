//! Tests of recording.

use market::gpu::AdapterForm;

use super::*;
use crate::telemetry::fixture::{Machine, adapter};
use crate::telemetry::{Power, Temperatures};

fn reading(milliwatts: u32, celsius: i16, reasons: &[ThrottleReason]) -> Telemetry {
    Telemetry {
        temperature_c: Temperatures {
            edge: Some(celsius),
            ..Temperatures::default()
        },
        power: Power {
            drawn_mw: Some(milliwatts),
            cap_mw: None,
        },
        throttle: Some(reasons.iter().copied().collect()),
        ..Telemetry::default()
    }
}

#[test]
fn a_recording_has_a_reading_however_soon_it_ends() {
    let machine = Machine::of("rx-6800-xt");
    let files = machine.files();
    let card = adapter(Some("0000:0b:00.0"), 0x1002, AdapterForm::Discrete);
    let recorder = Recorder::of(
        move || Sensors::below(&files, &card),
        Duration::from_secs(3_600),
    );
    let recording = recorder.unwrap().stop();
    assert_eq!(recording.power_mw.unwrap().p50, 254_000);
    assert_eq!(recording.hottest_c, Some(68));
    assert_eq!(recording.is_throttled(), Some(false));
}

#[test]
fn a_dropped_recorder_ends_its_thread() {
    let (sender, receiver) = sync_channel(1);
    let open = move || {
        sender.send(()).unwrap();
        let machine = Machine::described("");
        let processor = adapter(None, 0, AdapterForm::Cpu);
        Sensors::below(&machine.files(), &processor)
    };
    let Recorder { stop, recorded } = Recorder::of(open, Duration::from_secs(3_600)).unwrap();
    receiver.recv().unwrap();
    drop(stop);
    assert_eq!(recorded.recv().unwrap(), Recording::default());
}

#[test]
fn the_worst_of_all_readings_is_kept() {
    let mut notes = Notes::default();
    notes.take(reading(100_000, 70, &[ThrottleReason::PowerCap]));
    notes.take(reading(300_000, 91, &[ThrottleReason::Thermal]));
    notes.take(Telemetry::default());
    notes.take(reading(200_000, 60, &[]));
    let recording = notes.finish();
    let power = recording.power_mw.unwrap();
    assert_eq!(
        (power.p10, power.p50, power.p90),
        (100_000, 200_000, 300_000)
    );
    assert_eq!(recording.hottest_c, Some(91));
    assert_eq!(recording.is_throttled(), Some(true));
}

#[test]
fn a_card_that_tells_nothing_leaves_everything_unknown() {
    let mut notes = Notes::default();
    notes.take(Telemetry::default());
    let recording = notes.finish();
    assert_eq!(recording, Recording::default());
    assert_eq!(recording.is_throttled(), None);
}

#[test]
fn a_long_recording_stays_bounded() {
    let mut notes = Notes::default();
    for step in 0..5 * MOST_READINGS {
        notes.take(reading(u32::try_from(step % 1_000).unwrap(), 50, &[]));
        assert!(notes.power_mw.len() <= MOST_READINGS);
    }
    let power = notes.finish().power_mw.unwrap();
    assert!((400..600).contains(&power.p50), "{power:?}");
}
