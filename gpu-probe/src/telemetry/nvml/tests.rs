//! Tests of a missing library, and of what the library's numbers become.

use market::gpu::AdapterForm;
use proptest::prelude::*;

use super::*;
use crate::telemetry::NVIDIA;
use crate::telemetry::fixture::adapter;

fn sample(pid: u32, shaders: u32, video: u32) -> ProcessUtilizationSample {
    ProcessUtilizationSample {
        pid,
        timestamp: 1_000,
        sm_util: shaders,
        mem_util: 0,
        enc_util: 0,
        dec_util: video,
    }
}

#[test]
fn a_missing_library_is_a_reason() {
    let adapter = adapter(Some("0000:01:00.0"), NVIDIA, AdapterForm::Discrete);
    let name = OsStr::new("libnvidia-ml-of-another-world.so.1");
    let opened = Card::open_from(Some(name), &adapter);
    let Err(Silence::Library { reason }) = opened else {
        unreachable!("a library that does not exist was opened");
    };
    assert!(reason.contains("another-world"), "{reason}");
}

#[test]
fn refused_questions_stay_unknown() {
    assert_eq!(telemetry(&Values::default()), Telemetry::default());
}

#[test]
fn answers_keep_their_units() {
    let told = telemetry(&Values {
        temperature_celsius: Some(71),
        memory_celsius: Some(88),
        power_milliwatts: Some(318_450),
        cap_milliwatts: Some(320_000),
        fan_percent: Some(63),
        fan_rpm: Some(1_890),
        core_megahertz: Some(1_905),
        memory_megahertz: Some(9_501),
        memory_used_bytes: Some(7 << 30),
        memory_total_bytes: Some(10 << 30),
        busy_percent: Some(99),
        throttle: Some(ThrottleReasons::SW_POWER_CAP),
    });
    assert_eq!(told.temperature_c.shown(), Some(71));
    assert_eq!(told.temperature_c.memory, Some(88));
    assert_eq!(told.power.drawn_mw, Some(318_450));
    assert_eq!(told.power.cap_mw, Some(320_000));
    assert_eq!(told.fan.duty_permille, Some(630));
    assert_eq!(told.fan.speed_rpm, Some(1_890));
    assert_eq!(told.clocks.core_mhz, Some(1_905));
    assert_eq!(told.clocks.memory_mhz, Some(9_501));
    assert_eq!(told.memory.used_bytes, Some(7 << 30));
    assert_eq!(told.busy_permille, Some(990));
    assert_eq!(
        told.throttle,
        Some(BTreeSet::from([ThrottleReason::PowerCap]))
    );
}

#[test]
fn answers_that_cannot_be_are_unknown() {
    let told = telemetry(&Values {
        temperature_celsius: Some(u32::MAX),
        memory_celsius: Some(0),
        power_milliwatts: Some(u32::MAX),
        cap_milliwatts: Some(0),
        fan_percent: Some(6_553),
        core_megahertz: Some(u32::MAX),
        memory_total_bytes: Some(0),
        busy_percent: Some(101),
        ..Values::default()
    });
    assert_eq!(told, Telemetry::default());
}

#[test]
fn reasons_are_sorted_and_idleness_is_none() {
    let of = |bits| reasons(bits).into_iter().collect::<Vec<_>>();
    assert_eq!(of(ThrottleReasons::NONE), []);
    assert_eq!(of(ThrottleReasons::GPU_IDLE), []);
    let hot = ThrottleReasons::HW_THERMAL_SLOWDOWN | ThrottleReasons::HW_SLOWDOWN;
    assert_eq!(
        of(hot),
        [ThrottleReason::Thermal, ThrottleReason::HardwareSlowdown]
    );
    let brake = ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN;
    assert_eq!(of(brake), [ThrottleReason::HardwareSlowdown]);
    assert_eq!(of(ThrottleReasons::SYNC_BOOST), [ThrottleReason::Other]);
}

#[test]
fn shader_use_is_drawing_for_those_who_draw() {
    let samples = [sample(7, 40, 0), sample(7, 60, 0), sample(8, 30, 5)];
    let found = loads(&samples, Some(&BTreeSet::from([7])));
    let of = |pid, class| {
        let load = found
            .iter()
            .find(|load| (load.pid, load.class) == (pid, class));
        load.map(|load| load.permille)
    };
    assert_eq!(of(7, EngineClass::Render), Some(500));
    assert_eq!(of(8, EngineClass::Compute), Some(300));
    assert_eq!(of(8, EngineClass::Video), Some(50));
    assert_eq!(of(8, EngineClass::Render), None);
}

#[test]
fn slots_that_the_driver_did_not_fill_do_not_count() {
    let samples = [sample(7, 20, 0), sample(7, u32::MAX, 900)];
    let found = loads(&samples, None);
    let drawn: Vec<u16> = found
        .iter()
        .filter(|load| load.class == EngineClass::Render)
        .map(|load| load.permille)
        .collect();
    assert_eq!(drawn, [200]);
}

proptest! {
    #[test]
    fn no_share_passes_the_whole(
        shares in prop::collection::vec((0..4_u32, any::<u32>(), any::<u32>()), 0..40)
    ) {
        let samples: Vec<_> = shares.iter().map(|(pid, a, b)| sample(*pid, *a, *b)).collect();
        prop_assert!(loads(&samples, None).iter().all(|load| load.permille <= 1_000));
    }
}

#[test]
fn a_clock_that_is_put_back_is_noticed() {
    let later = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(9);
    assert!(went_back(Some(later), SystemTime::UNIX_EPOCH));
    assert!(!went_back(Some(later), later) && !went_back(None, later));
}
