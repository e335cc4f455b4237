//! Tests of what a machine may sell: by its self-test, what drivers say of their cards, and the class that was kept.

use sandbox::{Attack, LockedReport, Outcome, Row};

use super::*;

fn tested(level: SandboxLevel, locked: Outcome) -> SelfTestReport {
    let row = |attack| Row {
        attack,
        without_seccomp: None,
        locked,
        arrived: false,
    };
    SelfTestReport {
        level,
        rows: Attack::all().take(1).map(row).collect(),
        locked: LockedReport {
            layers: Vec::new(),
            landlock_abi: 0,
            profile: "cpu".to_owned(),
        },
    }
}

#[test]
fn a_sandbox_with_an_open_row_sells_nothing_and_its_owner_reads_which() {
    let all_stopped = tested(SandboxLevel::BuiltInEngine, Outcome::Stopped(1));
    assert_eq!(refuse_open(all_stopped.clone()).unwrap(), all_stopped);
    let refused = refuse_open(tested(SandboxLevel::Closed, Outcome::GotThrough)).unwrap_err();
    let words = refused.to_string();
    assert!(
        words.contains("a job could read a file of the owner"),
        "{words}"
    );
}

#[test]
fn the_number_of_a_card_is_read_from_what_its_driver_says() {
    let information =
        "Model: \t\t A Card\nIRQ:   \t\t 130\nDevice Minor: \t 3\nGPU Excluded:\t No\n";
    assert_eq!(minor_in(information), Some(3));
    assert_eq!(minor_in("Device Minor: many\n"), None);
    assert_eq!(minor_in(""), None);
}

#[test]
fn a_class_is_kept_for_the_adapter_that_had_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gpu-class.txt");
    let adapter = |name| AdapterInfo {
        name: market::gpu::Label::sanitized(name),
        vendor_id: 0,
        device_id: 0,
        driver: market::gpu::Label::sanitized("a driver"),
        backend: market::gpu::Label::sanitized("vulkan"),
        form: AdapterForm::Discrete,
        pci_bus_id: None,
    };
    let class: GpuClass = "16T-12G".parse().unwrap();
    assert_eq!(previous_class(&path, &adapter("A Card")), None);
    keep(&path, &format!("A Card\t{class}\n"));
    assert_eq!(previous_class(&path, &adapter("A Card")), Some(class));
    assert_eq!(previous_class(&path, &adapter("Another")), None);
    for damaged in ["", "A Card", "A Card\t17T-12G", "\u{0}\t\t"] {
        keep(&path, damaged);
        assert_eq!(previous_class(&path, &adapter("A Card")), None, "{damaged}");
    }
}

#[test]
fn a_machine_whose_jobs_get_less_memory_than_a_worker_needs_sells_nothing() {
    assert!(check_memory(LEAST_MEMORY_BYTES).is_ok());
    let refused = check_memory(LEAST_MEMORY_BYTES - 1)
        .unwrap_err()
        .to_string();
    for part in ["1073741824", "1073741823", "nothing is offered", "2 GiB"] {
        assert!(refused.contains(part), "{refused}");
    }
}
