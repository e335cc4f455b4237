//! Tests of saved probes: they come back as they were, and nothing damaged passes.

use market::Timestamp;
use market::gpu::{AdapterForm, AdapterInfo, Label};

use super::*;

fn spread(p50: u64) -> Option<Spread> {
    Some(Spread {
        p10: p50 - 1,
        p50,
        p90: p50 + 1,
    })
}

fn saved() -> SavedProbe {
    let label = Label::sanitized("a card");
    let report = GpuReport {
        adapter: AdapterInfo {
            name: label.clone(),
            vendor_id: 0x10de,
            device_id: 0x2d04,
            driver: label.clone(),
            backend: label,
            form: AdapterForm::Discrete,
            pci_bus_id: None,
        },
        figures: Figures {
            sustained_gemm_fp32_mflops: Some(15_000_000),
            gemm_fp32_mflops: spread(15_500_000),
            usable_memory_bytes: Some(11 << 30),
            ..Figures::default()
        },
        method_version: 2,
        measured_at: Timestamp::from_millis(7),
    };
    SavedProbe::new(vec![SavedAdapter {
        complete: false,
        problems: vec![SavedProblem {
            benchmark: Benchmark::GemmF16,
            error: "the device was lost".to_owned(),
        }],
        report,
    }])
}

#[test]
fn a_saved_probe_comes_back_as_it_was() {
    let text = saved().to_json().unwrap();
    assert!(
        text.contains("\"gemm_f16\"") && text.ends_with("}\n"),
        "{text}"
    );
    assert_eq!(SavedProbe::from_json(&text).unwrap(), saved());
}

#[test]
fn what_is_no_saved_probe_is_told_so() {
    let whole = saved().to_json().unwrap();
    let half = &whole[..whole.len() / 2];
    let renamed = whole.replace("nightshift probe", "another benchmark");
    let newer = whole.replace("\"version\": 1", "\"version\": 9");
    let unknown = whole.replace("\"complete\"", "\"completed\"");
    for (text, said) in [
        ("", "no saved probe"),
        ("[]", "no saved probe"),
        (half, "no saved probe"),
        (&renamed, "calls itself \"another benchmark\""),
        (&newer, "version 9"),
        (&unknown, "unknown field `completed`"),
    ] {
        let error = SavedProbe::from_json(text).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn figures_that_no_device_has_are_named() {
    type Change = fn(&mut Figures);
    let damaged = |change: Change| {
        let mut probe = saved();
        change(&mut probe.adapters[0].report.figures);
        let text = probe.to_json().unwrap();
        SavedProbe::from_json(&text).unwrap_err().to_string()
    };
    let cases: [(Change, &str); 4] = [
        (
            |figures| figures.sustained_gemm_fp32_mflops = Some(0),
            "sustained fp32 matrix multiplication of \"a card\" is zero",
        ),
        (
            |figures| figures.memory_copy_mib_per_s = spread(u64::MAX - 1),
            "memory copy",
        ),
        (
            |figures| figures.usable_memory_bytes = Some(u64::MAX),
            "more than any device has",
        ),
        (
            |figures| {
                figures.dot_int8_mops = Some(Spread {
                    p10: 3,
                    p50: 2,
                    p90: 4,
                });
            },
            "3, 2, 4, which is not in order",
        ),
    ];
    for (change, said) in cases {
        let error = damaged(change);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn numbers_that_are_no_whole_numbers_are_refused() {
    let text = saved().to_json().unwrap();
    for figure in ["-1", "1.5", "NaN", "1e30", "\"15\""] {
        let text = text.replace("15000000", figure);
        assert!(SavedProbe::from_json(&text).is_err(), "{figure}");
    }
}
