//! Tests of what `probe` says of saved reports.

use std::fs;

use gpu_probe::{Benchmark, Progress, Stage};
use insta::assert_snapshot;
use market::Timestamp;
use market::gpu::{AdapterForm, AdapterInfo, Figures, Label, Spread, Throttling};

use super::*;

fn spread(p50: u64) -> Option<Spread> {
    Some(Spread {
        p10: p50 - p50 / 50,
        p50,
        p90: p50 + p50 / 50,
    })
}

/// A card in good health, measured in full.
fn card() -> GpuReport {
    GpuReport {
        adapter: AdapterInfo {
            name: Label::sanitized("NVIDIA GeForce RTX 5060 Ti"),
            vendor_id: 0x10de,
            device_id: 0x2d04,
            driver: Label::sanitized("NVIDIA 575.57"),
            backend: Label::sanitized("vulkan"),
            form: AdapterForm::Discrete,
            pci_bus_id: Some(Label::sanitized("0000:01:00.0")),
        },
        figures: Figures {
            sustained_gemm_fp32_mflops: Some(15_200_000),
            burst_gemm_fp32_mflops: Some(16_900_000),
            throttling: Some(Throttling::Thermal),
            gemm_fp32_mflops: spread(15_800_000),
            fma_fp32_mflops: spread(22_900_000),
            mul_add_fp32_mflops: None,
            gemm_f16_mflops: spread(31_000_000),
            matrix_f16_mflops: spread(70_000_000),
            dot_int8_mops: spread(80_000_000),
            memory_read_mib_per_s: spread(410_000),
            memory_write_mib_per_s: spread(405_000),
            memory_copy_mib_per_s: spread(398_000),
            upload_mib_per_s: spread(12_000),
            download_mib_per_s: spread(12_300),
            dispatch_latency_ns: spread(41_600),
            power_mw: spread(172_500),
            usable_memory_bytes: Some(15_500 << 20),
        },
        method_version: 2,
        measured_at: Timestamp::from_millis(1_782_907_445_000),
    }
}

fn shown(report: GpuReport, problems: Vec<SavedProblem>) -> Shown {
    let complete = problems.is_empty();
    Shown::new((
        0,
        SavedAdapter {
            complete,
            problems,
            report,
        },
    ))
}

#[test]
fn a_card_is_shown_with_its_class_why_and_other_cards() {
    assert_snapshot!(text(&[shown(card(), Vec::new())]));
}

#[test]
fn a_partial_report_is_marked_and_unknown_figures_are_called_so() {
    let mut report = card();
    report.figures = Figures {
        gemm_fp32_mflops: spread(15_800_000),
        sustained_gemm_fp32_mflops: Some(15_200_000),
        ..Figures::default()
    };
    let problem = SavedProblem {
        benchmark: Benchmark::UsableMemory,
        error: "the device was lost\x1b[2J: it takes no more work".to_owned(),
    };
    assert_snapshot!(text(&[shown(report, vec![problem])]));
}

#[test]
fn a_processor_is_compared_with_no_card() {
    let mut report = card();
    report.adapter.form = AdapterForm::Cpu;
    assert_eq!(comparison::text(&report), None);
    assert!(shown(report, Vec::new()).why[0].contains("band 11T"));
}

#[test]
fn the_ends_of_the_classes_have_one_neighbour() {
    let mut report = card();
    report.figures.sustained_gemm_fp32_mflops = Some(2_000_000_000);
    report.figures.usable_memory_bytes = Some(200 << 30);
    report.figures.throttling = None;
    let why = shown(report, Vec::new()).why;
    assert_eq!(
        why,
        [
            "sustained 2000.00 TFLOP/s, band 1024T, which begins at 1024.00 TFLOP/s",
            "usable 200.0 GiB, tier 141G, which begins at 119.8 GiB"
        ]
    );
    let mut report = card();
    report.figures.sustained_gemm_fp32_mflops = Some(100);
    assert!(shown(report, Vec::new()).why[0].contains("below the lowest compute band"));
}

#[test]
fn a_bar_names_its_benchmark_and_what_it_does() {
    let line = |stage, permille| {
        bars::line(Progress {
            benchmark: Benchmark::FmaFp32,
            stage,
            permille,
        })
    };
    assert_eq!(
        line(Stage::Timing, 500),
        "  fp32 multiply-add    ███████████████░░░░░░░░░░░░░░░ timing"
    );
    assert!(line(Stage::Checking, 0).ends_with("checking the result"));
}

#[test]
fn a_saved_probe_is_read_whole_and_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("probe.json");
    let saved = |report| SavedAdapter {
        complete: true,
        problems: Vec::new(),
        report,
    };
    let found = [(0, saved(card())), (1, saved(card()))];
    save(&path, &found).unwrap();
    assert_eq!(read(&path, None).unwrap(), found);
    assert_eq!(read(&path, Some(1)).unwrap(), found[1..]);
    let error = read(&path, Some(2)).unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no such adapter: there are 2, numbered from 0"
    );
}

#[test]
fn what_is_no_saved_probe_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("probe.json");
    let refusal = || format!("{:#}", read(&path, None).unwrap_err());
    assert!(refusal().contains("No such file"));
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(refusal().contains("valid UTF-8"), "{}", refusal());
    fs::write(&path, "{}").unwrap();
    assert!(refusal().contains("is no saved probe"), "{}", refusal());
    save(&path, &[]).unwrap();
    assert!(refusal().contains("without adapters"), "{}", refusal());
    fs::write(&path, " ".repeat(2 << 20)).unwrap();
    assert!(refusal().contains("larger than any saved probe"));
}

#[test]
fn proofs_are_shown_with_what_both_sides_cost() {
    let done = proof::Shown {
        number: 0,
        adapter: "a card".to_owned(),
        mode: "F",
        reported_mflops: Some(15_000_000),
        proved_mflops: Some(14_900_000),
        why_not: None,
        rounds: 543,
        shape: [4_096; 3],
        prover_us: 5_612_000,
        verifier_us: 48_100,
        cost_ppm: 8_570,
        sent_bytes: 362_092,
    };
    let refused = proof::Shown {
        mode: "I",
        proved_mflops: None,
        why_not: Some("the roots did not come within 9 ms".to_owned()),
        ..done.clone()
    };
    assert_snapshot!(proof::text(&[done, refused]));
}
