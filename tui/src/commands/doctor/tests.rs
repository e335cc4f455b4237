//! What the doctor says and how a clock is judged.

use std::time::Duration;

use market::Timestamp;

use super::check::{Check, Verdict};
use super::{Report, market_checks, text};

#[test]
fn a_clock_is_judged_by_its_distance_on_either_side() {
    let now = Timestamp::from_millis(1_800_000_000_000);
    let two_days = Duration::from_secs(2 * 24 * 3600);
    let later = |by| now.saturating_add(by);
    for (wall, time, verdict, words) in [
        (now, now, Verdict::Ok, "0.0s ahead of"),
        (
            later(Duration::from_secs(30)),
            now,
            Verdict::Warning,
            "30.0s ahead of",
        ),
        (now, later(two_days), Verdict::Failed, "48h 00m behind"),
        (later(two_days), now, Verdict::Failed, "48h 00m ahead of"),
    ] {
        let check = market_checks::compared(wall, time);
        assert_eq!(check.verdict, verdict, "{check:?}");
        assert!(check.evidence.contains(words), "{check:?}");
        let is_advised = check
            .advice
            .is_some_and(|advice| advice.contains("timedatectl"));
        assert_eq!(is_advised, verdict != Verdict::Ok);
    }
}

#[test]
fn a_report_reads_line_by_line_with_the_advice_below_what_it_is_about() {
    let report = Report {
        checks: vec![
            Check::ok("keys", "all there"),
            Check::failed("disk", "full\u{1b}[2J", "make room"),
            Check::skipped("peers", "no node runs"),
        ],
        failed: 1,
        warnings: 0,
    };
    let wanted = "\
ok       keys         all there
failed   disk         full?[2J
                      make room
skipped  peers        no node runs
3 checks: 1 failed, 0 warnings.
";
    assert_eq!(text(&report).replace('\u{fffd}', "?"), wanted);
}
