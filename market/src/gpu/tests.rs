//! Tests of classes and reports.

use proptest::prelude::*;

use super::*;
use crate::Timestamp;
use crate::ids::ChainId;
use crate::keys::SecretKey;
use crate::wire::{self, Payload, Signed};

const GIB: u64 = 1 << 30;

fn class(text: &str) -> GpuClass {
    text.parse().unwrap()
}

fn gpu(mflops: u64, bytes: u64) -> Measured {
    Measured {
        kind: AdapterKind::Gpu,
        gemm_fp32_mflops: mflops,
        usable_memory_bytes: bytes,
    }
}

fn longest_report() -> GpuReport {
    let label = Label::sanitized(&"n".repeat(500));
    let spread = Some(Spread {
        p10: u64::MAX,
        p50: u64::MAX,
        p90: u64::MAX,
    });
    GpuReport {
        adapter: AdapterInfo {
            name: label.clone(),
            vendor_id: 0x10de,
            device_id: 0x2d04,
            driver: label.clone(),
            backend: label.clone(),
            form: AdapterForm::Discrete,
            pci_bus_id: Some(label),
        },
        figures: Figures {
            sustained_gemm_fp32_mflops: Some(16_500_000),
            burst_gemm_fp32_mflops: Some(u64::MAX),
            throttling: Some(Throttling::Thermal),
            gemm_fp32_mflops: spread,
            fma_fp32_mflops: spread,
            mul_add_fp32_mflops: spread,
            gemm_f16_mflops: spread,
            matrix_f16_mflops: spread,
            dot_int8_mops: spread,
            memory_read_mib_per_s: spread,
            memory_write_mib_per_s: spread,
            memory_copy_mib_per_s: spread,
            upload_mib_per_s: spread,
            download_mib_per_s: spread,
            dispatch_latency_ns: spread,
            power_mw: spread,
            usable_memory_bytes: Some(11 * GIB),
        },
        method_version: 1,
        measured_at: Timestamp::from_millis(7),
    }
}

#[test]
fn text_forms_read_back_as_written() {
    for text in [
        "16T-12G",
        "cpu-0.06T-8G",
        "0.7T-2G",
        "1.4T-141G",
        "cpu-0.00024T-1G",
    ] {
        assert_eq!(class(text).to_string(), text);
    }
}

#[test]
fn texts_that_name_no_class_are_refused_with_the_reason() {
    for text in ["", "16T12G", "16T-12", "16-12G", "cpu16T-12G", "16T-+12G"] {
        assert!(text.parse::<GpuClass>().is_err(), "{text:?}");
    }
    let near = "17T-12G".parse::<GpuClass>().unwrap_err();
    assert_eq!(near, ParseClassError::UnknownBand { name: "17".into() });
    let tier = "16T-11G".parse::<GpuClass>().unwrap_err();
    assert_eq!(tier, ParseClassError::UnknownTier { name: "11".into() });
}

#[test]
fn every_band_starts_a_half_octave_above_the_one_before() {
    let mut floors = Vec::new();
    let mut mflops = 244;
    while let Some(band) = Band::holding(mflops).filter(|_| floors.len() < 45) {
        assert_eq!(band.floor_mflops(), mflops);
        assert_eq!(
            Band::holding(mflops - 1).map_or(0, Band::floor_mflops),
            floors.last().copied().unwrap_or(0)
        );
        floors.push(mflops);
        // The next floor is within one of floor * sqrt(2).
        let square = u128::from(mflops).pow(2) * 2;
        let root = u64::try_from(square.isqrt()).unwrap();
        mflops = (root - 2..root + 4)
            .find(|next| Band::holding(*next) != Some(band))
            .unwrap_or(u64::MAX);
        if mflops == u64::MAX {
            break;
        }
    }
    assert_eq!(floors.len(), 45);
    assert_eq!(floors.last(), Some(&1_024_000_000));
}

#[test]
fn a_band_is_named_by_its_rounded_lower_edge() {
    for (mflops, name) in [
        (244, "0.00024"),
        (977, "0.001"),
        (62_500, "0.06"),
        (124_999, "0.09"),
        (16_000_000, "16"),
        (22_627_416, "16"),
        (22_627_417, "23"),
    ] {
        assert_eq!(Band::holding(mflops).unwrap().name(), name, "{mflops}");
    }
    assert_eq!(Band::holding(243), None);
    assert_eq!(Band::holding(u64::MAX).unwrap().name(), "1024");
}

#[test]
fn a_tier_needs_eighty_five_percent_of_its_name() {
    // 0.85 * 12 GiB = 10,952,166,604.8 bytes.
    assert_eq!(Tier::holding(10_952_166_604).unwrap().gib(), 10);
    assert_eq!(Tier::holding(10_952_166_605).unwrap().gib(), 12);
    assert_eq!(Tier::holding(GIB * 84 / 100), None);
    assert_eq!(Tier::holding(u64::MAX).unwrap().gib(), 141);
}

#[test]
fn the_band_changes_only_five_percent_outside_its_edges() {
    let memory = 12 * GIB;
    let held = Some(class("16T-12G"));
    let cases = [
        (15_200_000, "16T-12G"),
        (15_199_999, "11T-12G"),
        (23_758_787, "16T-12G"),
        (23_758_788, "23T-12G"),
        (64_000_000, "64T-12G"),
    ];
    for (mflops, expected) in cases {
        assert_eq!(
            assign(gpu(mflops, memory), held).unwrap(),
            class(expected),
            "{mflops}"
        );
    }
    assert_eq!(
        assign(gpu(15_999_999, memory), None).unwrap(),
        class("11T-12G")
    );
}

#[test]
fn a_previous_class_of_the_other_kind_holds_nothing() {
    let held = Some(class("cpu-16T-12G"));
    assert_eq!(
        assign(gpu(15_500_000, 12 * GIB), held).unwrap(),
        class("11T-12G")
    );
}

#[test]
fn a_machine_below_the_table_has_no_class() {
    assert_eq!(
        assign(gpu(243, GIB), None),
        Err(ClassError::TooSlow { mflops: 243 })
    );
    assert_eq!(
        assign(gpu(244, 5), None),
        Err(ClassError::TooSmall { bytes: 5 })
    );
}

#[test]
fn a_class_stands_in_for_a_smaller_one_of_its_kind_only() {
    let held = class("16T-12G");
    for wanted in ["16T-12G", "11T-12G", "16T-8G"] {
        assert!(held.satisfies(class(wanted)), "{wanted}");
    }
    for wanted in ["23T-12G", "16T-16G", "11T-16G", "cpu-0.06T-8G"] {
        assert!(!held.satisfies(class(wanted)), "{wanted}");
    }
}

#[test]
fn a_class_is_text_in_json_and_three_bytes_on_the_wire() {
    let class = class("cpu-0.06T-8G");
    assert_eq!(serde_json::to_string(&class).unwrap(), "\"cpu-0.06T-8G\"");
    let bytes = wire::encode(&class);
    assert_eq!(bytes, [1, 16, 4]);
    assert_eq!(wire::decode::<GpuClass>(&bytes, 3).unwrap(), class);
}

#[test]
fn a_longest_report_fits_its_limit_and_survives_signing() {
    let report = longest_report();
    let length = wire::encode(&report).len();
    assert!(length <= GpuReport::MAX_BYTES, "{length}");
    let chain = ChainId::from_bytes([3; 32]);
    let signed = Signed::sign(&report, &SecretKey::from_seed([9; 32]), &chain);
    assert_eq!(signed.verify(&chain).unwrap().value, report);
}

#[test]
fn a_report_without_the_deciding_figures_has_no_class() {
    let mut report = longest_report();
    assert_eq!(report.class(None).unwrap(), class("16T-12G"));
    report.figures.sustained_gemm_fp32_mflops = None;
    assert!(matches!(
        report.class(None),
        Err(ClassError::Unknown { .. })
    ));
}

#[test]
fn labels_from_outside_lose_control_characters_and_excess() {
    assert_eq!(Label::sanitized(" a\u{1b}[31mb\n").as_str(), "a[31mb");
    assert_eq!(Label::sanitized(&"é".repeat(100)).as_str().len(), 96);
    assert!(serde_json::from_str::<Label>("\"a\\u001bb\"").is_err());
    assert!(Label::try_from("x".repeat(97)).is_err());
}

#[test]
fn spread_takes_the_nearest_rank() {
    let samples: Vec<u64> = (1..=20).rev().collect();
    let expected = Spread {
        p10: 2,
        p50: 10,
        p90: 18,
    };
    assert_eq!(Spread::of(&samples), Some(expected));
    assert_eq!(
        Spread::of(&[5]),
        Some(Spread {
            p10: 5,
            p50: 5,
            p90: 5
        })
    );
    assert_eq!(Spread::of(&[]), None);
}

proptest! {
    #[test]
    fn any_wire_bytes_give_an_equal_class_or_an_error(bytes in any::<[u8; 3]>()) {
        if let Ok(class) = wire::decode::<GpuClass>(&bytes, 3) {
            prop_assert_eq!(wire::encode(&class), bytes);
            prop_assert_eq!(class.to_string().parse::<GpuClass>().unwrap(), class);
        }
    }
}

#[test]
fn work_for_a_joule_needs_rate_and_power() {
    let mut report = longest_report();
    let spread = |p50| {
        Some(Spread {
            p10: 1,
            p50,
            p90: p50,
        })
    };
    report.figures.gemm_fp32_mflops = spread(15_000_000);
    report.figures.power_mw = spread(150_000);
    assert_eq!(report.mflop_per_joule(), Some(100_000));
    report.figures.power_mw = spread(0);
    assert_eq!(report.mflop_per_joule(), None);
    report.figures.power_mw = None;
    assert_eq!(report.mflop_per_joule(), None);
}

#[test]
fn bands_and_tiers_know_their_neighbours() {
    let class = class("16T-12G");
    let (band, tier) = (class.band(), class.tier());
    assert_eq!(band.faster().map(Band::name), Some("23"));
    assert_eq!(band.slower().map(Band::name), Some("11"));
    assert_eq!(Band::holding(244).and_then(Band::slower), None);
    assert_eq!(Band::holding(u64::MAX).and_then(Band::faster), None);
    assert_eq!(tier.larger().map(Tier::gib), Some(16));
    assert_eq!(Tier::named(141).and_then(Tier::larger), None);
}

#[test]
fn a_tier_begins_exactly_at_its_floor() {
    let mut tier = Tier::named(1);
    while let Some(this) = tier {
        let floor = this.floor_bytes();
        assert_eq!(Tier::holding(floor), Some(this));
        assert_ne!(Tier::holding(floor - 1), Some(this));
        tier = this.larger();
    }
}
