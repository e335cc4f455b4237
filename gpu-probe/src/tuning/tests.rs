//! Tests of what is remembered, and of texts that cannot be trusted.

use market::gpu::{AdapterForm, Label};

use super::*;
use crate::tuning::candidates::{Offered, candidates};

fn adapter(driver: &str) -> AdapterInfo {
    AdapterInfo {
        name: Label::sanitized("A card"),
        vendor_id: 0x10de,
        device_id: 0x2d04,
        driver: Label::sanitized(driver),
        backend: Label::sanitized("vulkan"),
        form: AdapterForm::Discrete,
        pci_bus_id: None,
    }
}

fn kernel() -> Multiply {
    let offered = Offered {
        form: AdapterForm::Discrete,
        has_subgroups: true,
        workgroup_bytes: 32 << 10,
        has_f16: true,
        matrix_units: None,
    };
    candidates(&offered)[1]
}

#[test]
fn a_finding_survives_its_text_and_holds_for_the_same_driver_alone() {
    let mut tuning = Tuning::default();
    tuning.remember(&adapter("driver 1"), &kernel());
    let read: Tuning = tuning.to_string().parse().unwrap();
    assert_eq!(read, tuning);
    let name = kernel().to_string();
    assert_eq!(read.kernel(&adapter("driver 1")), Some(name.as_str()));
    assert_eq!(read.kernel(&adapter("driver 2")), None);
}

#[test]
fn what_is_found_later_replaces_what_was_found_before() {
    let mut tuning = Tuning::default();
    tuning.remember(&adapter("driver"), &kernel());
    let later = kernel().adding(crate::kernels::Sum::Separate);
    tuning.remember(&adapter("driver"), &later);
    let name = later.to_string();
    assert_eq!(tuning.kernel(&adapter("driver")), Some(name.as_str()));
    assert_eq!(tuning.to_string().lines().count(), 1);
}

#[test]
fn what_is_taken_is_forgotten_until_it_is_found_again() {
    let mut tuning = Tuning::default();
    tuning.remember(&adapter("driver"), &kernel());
    assert_eq!(tuning.take(&adapter("driver")), Some(kernel().to_string()));
    assert_eq!(tuning, Tuning::default());
}

#[test]
fn texts_of_other_methods_and_noise_are_passed_over() {
    let mut tuning = Tuning::default();
    tuning.remember(&adapter("driver"), &kernel());
    let text = tuning.to_string();
    let foreign = text.replace(&format!("{METHOD_VERSION}\t"), "65535\t");
    for noise in [
        "",
        "\t\t\t",
        "no tabs at all",
        "\u{0}\u{1}",
        "2\t2",
        foreign.as_str(),
    ] {
        assert_eq!(noise.parse(), Ok(Tuning::default()), "{noise:?}");
        let both: Tuning = format!("{noise}\n{text}").parse().unwrap();
        assert_eq!(both, tuning, "{noise:?}");
    }
}

#[test]
fn a_text_cannot_make_it_grow_without_bound() {
    let text: String = (0..1_000)
        .map(|number| format!("{METHOD_VERSION}\t1\t1\tvulkan\tcard {number}\tdriver\tkernel\n"))
        .collect();
    let tuning: Tuning = text.parse().unwrap();
    assert_eq!(tuning.kernels.len(), MAX_ADAPTERS);
}
