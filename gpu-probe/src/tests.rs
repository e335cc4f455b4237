//! Tests of a whole probe, and what the other tests share.

use market::gpu::{AdapterForm, AdapterKind};

use super::*;
use crate::device::Session;

/// Opens the first adapter, or says that the test skips.
pub(crate) fn session() -> Option<Session> {
    match best_adapter() {
        Ok(adapter) => Some(Session::open(adapter.handle()).unwrap()),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

#[test]
fn a_quick_probe_measures_checks_and_labels_the_adapter() {
    // The last of the list: a CPU driver where there is one, so that no desktop's card is filled.
    let Some(adapter) = adapters().pop() else {
        eprintln!("skipped: {}", ProbeError::NoAdapter);
        return;
    };
    let mut stages = Vec::new();
    let what = (Effort::Quick, &Benchmark::OF_AN_OFFER[..]);
    let probed = probe(&adapter, what, &mut |progress| {
        assert!(progress.permille <= 1_000);
        stages.push((progress.benchmark, progress.stage));
    })
    .unwrap();
    assert!(probed.problems.is_empty(), "{:?}", probed.problems);
    let report = probed.report;
    stages.dedup();
    let expected = [
        Stage::Preparing,
        Stage::WarmingUp,
        Stage::Timing,
        Stage::Checking,
    ];
    let expected = expected.map(|stage| (Benchmark::GemmFp32, stage));
    assert_eq!(stages[..4], expected);
    let figures = &report.figures;
    let spread = figures.gemm_fp32_mflops.unwrap();
    assert!(0 < spread.p10 && spread.p10 <= spread.p50 && spread.p50 <= spread.p90);
    assert!(figures.sustained_gemm_fp32_mflops.unwrap() <= spread.p90);
    assert_eq!(
        figures.gemm_f16_mflops, None,
        "what was not measured is unknown"
    );
    let measured = report.measured().unwrap();
    let is_cpu = adapter.info().form == AdapterForm::Cpu;
    assert_eq!(measured.kind == AdapterKind::Cpu, is_cpu);
    assert!(report.measured_at.as_millis() > 0);
}

#[test]
fn a_device_lost_midway_leaves_the_figures_from_before_and_is_named() {
    let Some(session) = session() else { return };
    let adapter = best_adapter().unwrap();
    let mut figures = Figures::default();
    let benchmarks = [
        Benchmark::DispatchLatency,
        Benchmark::FmaFp32,
        Benchmark::DotInt8,
    ];
    let problems = each(&benchmarks, &mut |benchmark| {
        let bench = Bench {
            session: &session,
            adapter: adapter.info(),
            effort: Effort::Quick,
            report: &mut |_, _| (),
        };
        let result = measure(benchmark, bench, (&mut figures, &mut Tuning::default()));
        session.lose();
        result
    });
    assert!(figures.dispatch_latency_ns.is_some());
    let [problem] = &problems[..] else {
        unreachable!("nothing is tried on a device that is gone: {problems:?}");
    };
    assert_eq!(problem.benchmark, Benchmark::FmaFp32);
    assert!(
        matches!(problem.error, ProbeError::DeviceLost { .. }),
        "{problem:?}"
    );
}

#[test]
fn a_wrong_product_leaves_no_class_and_keeps_the_others() {
    let mut figures = Figures::default();
    let problems = each(&Benchmark::ALL, &mut |benchmark| match benchmark {
        Benchmark::GemmFp32 => Err(ProbeError::WrongWords {
            wrong: 64,
            checked: 64,
            first: 0,
            expected: 1,
            actual: 0,
        }),
        _ => {
            figures.usable_memory_bytes = Some(1 << 34);
            Ok(())
        }
    });
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].benchmark, Benchmark::GemmFp32);
    assert_eq!(figures.usable_memory_bytes, Some(1 << 34));
    let Ok(adapter) = best_adapter() else {
        eprintln!("skipped: {}", ProbeError::NoAdapter);
        return;
    };
    let report = GpuReport {
        adapter: adapter.info().clone(),
        figures,
        method_version: METHOD_VERSION,
        measured_at: Timestamp::from_millis(0),
    };
    assert!(report.class(None).is_err());
}

#[test]
fn adapters_are_listed_with_cpus_last() {
    let forms: Vec<AdapterForm> = adapters().iter().map(|found| found.info().form).collect();
    assert!(forms.is_sorted(), "{forms:?}");
}

#[test]
fn a_machine_without_adapters_is_told_what_to_install() {
    let text = ProbeError::NoAdapter.to_string();
    assert!(
        text.contains("apt install libvulkan1 mesa-vulkan-drivers"),
        "{text}"
    );
}

#[test]
fn seeds_differ_by_purpose_and_by_call() {
    assert_ne!(fresh_seed("a"), fresh_seed("b"));
}

#[test]
fn an_adapter_that_is_asked_answers_each_time() {
    let Some(adapter) = adapters().pop() else {
        return println!("skipped: no adapter answers");
    };
    let echo = Echo::open(&adapter).unwrap();
    for _ in 0..3 {
        assert!(echo.ask().unwrap() > Duration::ZERO);
    }
}
