//! Tests of the walk over processes.
#![cfg(unix)]

use super::*;
use crate::telemetry::fixture::Machine;

const CARD: &str = "0000:0b:00.0";

fn scanned(machine: &Machine, own: &[u32]) -> Found {
    let card = PciAddress::parse(CARD).unwrap();
    let proc = machine.files().folder("proc");
    let own = own.iter().copied().collect();
    Walk::default().scan(&proc, (card, &own), 0)
}

fn pids(found: &Found) -> Vec<u32> {
    found.others.values().map(|(pid, _)| *pid).collect()
}

#[test]
fn descriptors_of_one_client_count_once() {
    let machine = Machine::of("rx-6800-xt");
    let found = scanned(&machine, &[]);
    assert_eq!(pids(&found), [1_200, 2_210, 3_001]);
}

#[test]
fn other_cards_do_not_count() {
    let machine = Machine::of("rx-6800-xt");
    let found = scanned(&machine, &[]);
    let (_, compositor) = &found.others[&ClientKey::Number(12)];
    assert_eq!(compositor.memory_bytes, Some(262_144 << 10));
    assert!(!found.others.contains_key(&ClientKey::Number(3)));
}

#[test]
fn a_client_that_our_process_shares_is_ours() {
    let machine = Machine::described(
        "== proc/10/fd/3 -> /dev/dri/renderD128\n== proc/10/fdinfo/3\ndrm-driver: amdgpu\ndrm-client-id: 1\ndrm-pdev: 0000:0b:00.0\n\
         == proc/20/fd/3 -> /dev/dri/renderD128\n== proc/20/fdinfo/3\ndrm-driver: amdgpu\ndrm-client-id: 1\ndrm-pdev: 0000:0b:00.0",
    );
    assert_eq!(pids(&scanned(&machine, &[])), [10]);
    assert_eq!(pids(&scanned(&machine, &[20])), [] as [u32; 0]);
}

#[test]
fn kernels_without_numbers_count_every_file() {
    let lines = "drm-driver: amdgpu\ndrm-pdev: 0000:0b:00.0";
    let machine = Machine::described(&format!(
        "== proc/10/fd/3 -> /dev/dri/card0\n== proc/10/fdinfo/3\n{lines}\n\
         == proc/10/fd/4 -> /dev/dri/card0\n== proc/10/fdinfo/4\n{lines}"
    ));
    assert_eq!(pids(&scanned(&machine, &[])), [10, 10]);
}

#[test]
fn broken_processes_are_passed_over() {
    let machine = Machine::of("broken");
    let found = scanned(&machine, &[]);
    assert!(found.others.is_empty());
    assert_eq!(found.unreadable, 1);
    assert!(!found.is_counted());
}

#[test]
fn a_machine_without_graphics_devices_is_counted() {
    let machine = Machine::described("== proc/10/fd/3 -> /dev/null\n== proc/10/fdinfo/3\npos: 0");
    assert!(scanned(&machine, &[]).is_counted());
}

#[test]
fn names_are_made_safe_to_show() {
    let machine = Machine::described("== proc/7/comm\nevil\u{1b}[2J\n== proc/8/comm\n");
    let proc = machine.files().folder("proc");
    assert_eq!(name_of(&proc, 7).unwrap().as_str(), "evil[2J");
    assert_eq!(name_of(&proc, 8), None);
    assert_eq!(name_of(&proc, 9), None);
}
/// Gives a process an open device.
fn opens(machine: &Machine, pid: u32, client: u32) {
    machine.lay_out(&format!(
        "== proc/{pid}/fd/3 -> /dev/dri/renderD128\n\
         == proc/{pid}/fdinfo/3\ndrm-driver: amdgpu\ndrm-client-id: {client}\ndrm-pdev: {CARD}"
    ));
}

/// Walks each half second until a process holds the card; returns when.
fn seen_after_ms(walk: &mut Walk, machine: &Machine, pid: u32, start_ms: u64) -> Option<u64> {
    let card = PciAddress::parse(CARD).unwrap();
    let proc = machine.files().folder("proc");
    let mut times = (start_ms..start_ms + 10_000).step_by(500);
    times.find(|now_ms| {
        let found = walk.scan(&proc, (card, &BTreeSet::new()), *now_ms);
        pids(&found).contains(&pid)
    })
}

#[test]
fn an_old_process_that_opens_a_card_is_seen_within_four_seconds() {
    for pid in 10..30 {
        let machine = Machine::described(&format!("== proc/{pid}/fd/1 -> /dev/null"));
        let mut walk = Walk::default();
        let card = PciAddress::parse(CARD).unwrap();
        let proc = machine.files().folder("proc");
        walk.scan(&proc, (card, &BTreeSet::new()), 0);
        opens(&machine, pid, 1);
        let seen_ms = seen_after_ms(&mut walk, &machine, pid, 500).unwrap();
        assert!(seen_ms <= 4_000, "{seen_ms} ms");
    }
}

#[test]
fn a_young_process_that_opens_a_card_is_seen_at_once() {
    let machine = Machine::described("== proc/10/fd/1 -> /dev/null");
    let mut walk = Walk::default();
    let card = PciAddress::parse(CARD).unwrap();
    let proc = machine.files().folder("proc");
    walk.scan(&proc, (card, &BTreeSet::new()), 0);
    machine.lay_out("== proc/11/fd/1 -> /dev/null");
    for now_ms in [500, 1_000, 1_500] {
        walk.scan(&proc, (card, &BTreeSet::new()), now_ms);
    }
    opens(&machine, 11, 1);
    assert_eq!(seen_after_ms(&mut walk, &machine, 11, 2_000), Some(2_000));
}

#[test]
fn a_device_that_is_closed_is_forgotten() {
    let machine = Machine::described("");
    opens(&machine, 10, 1);
    let mut walk = Walk::default();
    assert_eq!(seen_after_ms(&mut walk, &machine, 10, 0), Some(0));
    machine.remove("proc/10/fd/3");
    let card = PciAddress::parse(CARD).unwrap();
    let proc = machine.files().folder("proc");
    let found = walk.scan(&proc, (card, &BTreeSet::new()), 500);
    assert!(found.others.is_empty());
}
