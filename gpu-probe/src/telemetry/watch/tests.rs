//! Tests of samples of whole machines.
#![cfg(unix)]

use market::gpu::AdapterForm;

use super::super::Silence;
use super::super::fixture::{Machine, adapter};
use super::*;
use crate::activity::{EngineClass, Observation};

fn watch(machine: &Machine, bus: &str) -> Watch {
    let card = adapter(Some(bus), 0x1002, AdapterForm::Discrete);
    Watch::of(Sensors::below(&machine.files(), &card), &machine.files())
}

fn game_drew(machine: &Machine, nanoseconds: u64) {
    for descriptor in ["7", "8"] {
        let path = format!("proc/2210/fdinfo/{descriptor}");
        let lines = format!(
            "drm-driver:\tamdgpu\ndrm-client-id:\t41\ndrm-pdev:\t0000:0b:00.0\ndrm-memory-vram:\t4 GiB\n\
             drm-total-vram:\t4096 MiB\ndrm-engine-gfx:\t{nanoseconds} ns\n\
             drm-engine-compute:\t50000000 ns\n"
        );
        machine.write(&path, lines.as_bytes());
    }
}

#[test]
fn a_game_is_seen_by_name_and_the_worker_is_not() {
    let machine = Machine::of("rx-6800-xt");
    let mut watch = watch(&machine, "0000:0b:00.0");
    let own = BTreeSet::from([3_001]);
    let first = watch.sample_at(&own, 1_000);
    assert_eq!(first.activity.shaders_permille(), None);
    assert_eq!(first.telemetry.temperature_c.edge, Some(68));

    game_drew(&machine, 1_210_000_000);
    let second = watch.sample_at(&own, 1_500);
    let top = second.activity.top.clone().unwrap();
    assert_eq!((top.pid, top.permille), (2_210, 420));
    assert_eq!(top.name.unwrap().as_str(), "Heroes.exe");
    assert_eq!(top.memory_bytes, Some(4 << 30));
    assert_eq!(second.activity.shaders_permille(), Some(420));
    // The kernel's worker has no list of files.
    assert_eq!(second.activity.unreadable_processes, 1);

    let seen = Observation::from(&second);
    assert_eq!(seen.use_permille, Some(420));
    assert_eq!(seen.temperature_c, Some(68));
    assert_eq!(seen.power_mw, Some(254_000));
}

#[test]
fn a_worker_that_is_not_named_is_an_other() {
    let machine = Machine::of("rx-6800-xt");
    let mut watch = watch(&machine, "0000:0b:00.0");
    watch.sample_at(&BTreeSet::new(), 0);
    let lines = "drm-driver:\tamdgpu\ndrm-client-id:\t57\ndrm-pdev:\t0000:0b:00.0\ndrm-engine-compute:\t90450000000 ns";
    machine.write("proc/3001/fdinfo/12", lines.as_bytes());
    let sample = watch.sample_at(&BTreeSet::new(), 500);
    let shares = sample.activity.others_permille.unwrap();
    assert_eq!(shares[&EngineClass::Compute], 900);
}

#[test]
fn a_process_that_ends_between_two_samples_is_gone() {
    let machine = Machine::of("rx-6800-xt");
    let mut watch = watch(&machine, "0000:0b:00.0");
    watch.sample_at(&BTreeSet::new(), 0);
    // Listed, but its file vanished before it was read.
    machine.remove("proc/2210/fdinfo/7");
    machine.remove("proc/2210/fdinfo/8");
    let sample = watch.sample_at(&BTreeSet::new(), 500);
    assert_eq!(sample.activity.shaders_permille(), Some(0));
    assert_eq!(sample.activity.top, None);
}

#[test]
fn cycles_of_an_intel_card_are_shares_too() {
    let machine = Machine::of("arc-b580");
    let mut watch = watch(&machine, "0000:03:00.0");
    watch.sample_at(&BTreeSet::new(), 0);
    let lines = "drm-driver:\txe\ndrm-client-id:\t9\ndrm-pdev:\t0000:03:00.0\ndrm-cycles-rcs:\t3500\ndrm-total-cycles-rcs:\t110000";
    machine.write("proc/812/fdinfo/20", lines.as_bytes());
    let sample = watch.sample_at(&BTreeSet::new(), 500);
    assert_eq!(sample.activity.shaders_permille(), Some(250));
}

#[test]
fn nobody_uses_a_card_that_sleeps() {
    let machine = Machine::of("laptop");
    let mut watch = watch(&machine, "0000:01:00.0");
    let sample = watch.sample_at(&BTreeSet::new(), 0);
    assert_eq!(sample.activity, Activity::none());
    assert_eq!(sample.telemetry.silence, Some(Silence::Asleep));
}

#[test]
fn a_broken_machine_is_unknown_and_nothing_more() {
    let machine = Machine::of("broken");
    let mut watch = watch(&machine, "0000:0b:00.0");
    watch.sample_at(&BTreeSet::new(), 0);
    let sample = watch.sample_at(&BTreeSet::new(), 500);
    assert_eq!(sample.activity.shaders_permille(), None);
}

#[test]
fn this_machines_adapters_can_be_watched() {
    for adapter in crate::adapters() {
        let mut watch = Watch::open(adapter.info());
        let own = BTreeSet::from([std::process::id()]);
        let (first, second) = (watch.sample(&own), watch.sample(&own));
        assert!(first.at_ms <= second.at_ms);
    }
}
