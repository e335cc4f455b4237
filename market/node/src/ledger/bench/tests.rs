//! The measurement: it counts every transfer, and its figures are in order.

use tempfile::TempDir;

use super::*;

#[tokio::test]
async fn every_transfer_is_measured_and_shares_blocks_with_others() {
    let folder = TempDir::new().unwrap();
    let plan = Plan {
        transfers: 40,
        submitters: 8,
    };
    let report = submit_to_final(folder.path(), plan).await.unwrap();
    assert_eq!((report.transfers, report.submitters), (40, 8));
    assert!(0 < report.p50_us && report.p50_us <= report.p99_us);
    assert!(report.p99_us <= report.max_us);
    assert!((1..40).contains(&report.blocks), "{report:?}");
    assert!(report.per_second > 0.0);
}

#[test]
fn percentiles_are_the_smallest_latency_that_covers_the_share() {
    let plan = Plan {
        transfers: 200,
        submitters: 1,
    };
    let latencies = (1..=200).rev().map(Duration::from_micros).collect();
    let report = report(plan, latencies, Duration::from_secs(2), 7);
    assert_eq!(
        (report.p50_us, report.p99_us, report.max_us),
        (100, 198, 200)
    );
    assert!((report.per_second - 100.0).abs() < 1e-9);
    assert_eq!(report.blocks, 7);
}
