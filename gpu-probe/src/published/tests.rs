//! Tests of the published figures: each card is found by its drivers' names, and only it.

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_card_has_a_usual_class_and_a_name_of_its_own() {
    let names: BTreeSet<&str> = PUBLISHED.iter().map(|card| card.name).collect();
    assert_eq!(names.len(), PUBLISHED.len());
    for card in PUBLISHED {
        let class = card.usual_class().unwrap();
        assert_eq!(class.kind(), AdapterKind::Gpu);
        assert_eq!(PublishedCard::find(card.vendor_id, card.name), Some(card));
    }
}

#[test]
fn peaks_are_those_that_makers_print() {
    for (name, gflops) in [
        ("GeForce RTX 3060", 12_700),
        ("GeForce RTX 4090", 82_600),
        ("Radeon RX 7900 XTX", 61_400),
        ("H100 80GB HBM3", 67_000),
    ] {
        let card = PUBLISHED.iter().find(|card| card.name == name).unwrap();
        let away = (card.peak_fp32_mflops / 1_000).abs_diff(gflops);
        assert!(away * 100 < gflops, "{name}: {}", card.peak_fp32_mflops);
    }
}

#[test]
fn drivers_names_find_their_card_and_no_other() {
    let found = |vendor, name| PublishedCard::find(vendor, name).map(|card| card.name);
    for (vendor, name, card) in [
        (NVIDIA, "NVIDIA GeForce RTX 3060", Some("GeForce RTX 3060")),
        (
            NVIDIA,
            "NVIDIA GeForce RTX 3060 Ti",
            Some("GeForce RTX 3060 Ti"),
        ),
        (NVIDIA, "NVIDIA GeForce RTX 3060 Laptop GPU", None),
        (NVIDIA, "NVIDIA H200", Some("H200")),
        (NVIDIA, "NVIDIA A100", None),
        (
            AMD,
            "AMD Radeon RX 6800 XT (RADV NAVI21)",
            Some("Radeon RX 6800 XT"),
        ),
        (
            AMD,
            "AMD Radeon RX 7900 XTX (RADV NAVI31)",
            Some("Radeon RX 7900 XTX"),
        ),
        (AMD, "NVIDIA GeForce RTX 3060", None),
        (INTEL, "Intel(R) Arc(tm) A770 Graphics (DG2)", None),
    ] {
        assert_eq!(found(vendor, name), card, "{name}");
    }
}
