//! Tests of the walk over processes.

use super::*;
use crate::telemetry::fixture::Machine;

const CARD: &str = "0000:0b:00.0";

fn scanned(machine: &Machine, own: &[u32]) -> Found {
    let card = PciAddress::parse(CARD).unwrap();
    let proc = machine.files().folder("proc");
    scan(&proc, card, &own.iter().copied().collect())
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
}

#[test]
fn names_are_made_safe_to_show() {
    let machine = Machine::described("== proc/7/comm\nevil\u{1b}[2J\n== proc/8/comm\n");
    let proc = machine.files().folder("proc");
    assert_eq!(name_of(&proc, 7).unwrap().as_str(), "evil[2J");
    assert_eq!(name_of(&proc, 8), None);
    assert_eq!(name_of(&proc, 9), None);
}
