//! Tests of when nothing will come of a provider.

use std::collections::BTreeSet;

use market::PricePerHour;
use market::progress::StepMetric;

use super::*;

const PATIENCE: Duration = Duration::from_secs(300);

fn amount(nanocredits: u64) -> Amount {
    Amount::from_nanocredits(nanocredits)
}

fn signs(deposit: u64, start: Instant) -> Signs {
    let rates = Rates {
        // A thousand nanocredits a tick.
        price_per_hour: PricePerHour(amount(360_000)),
        gpus: 1,
        hold_bps: 2_500,
        tick_ms: 10_000,
        prepaid_ticks: 1,
        delivery_ticks: 3,
    };
    Signs::new((rates, amount(deposit)), 4 << 20, PATIENCE, start)
}

fn snapshot(phase: Phase, promised: u64) -> Snapshot {
    Snapshot {
        proved_until: None,
        phase,
        meter: Meter::default(),
        promised: amount(promised),
        artefacts: Vec::new(),
        delivered: BTreeSet::new(),
        waits_for: None,
        silent_since: None,
        outcome: None,
    }
}

fn step() -> Progress {
    Progress::Step(StepMetric {
        step: 1,
        steps: 2,
        loss: 1.0,
        tokens: 1,
        tokens_per_second: 1.0,
    })
}

#[test]
fn a_provider_that_never_begins_is_left_after_the_patience_and_the_time_for_inputs() {
    let start = Instant::now();
    let signs = signs(100_000, start);
    let waiting = snapshot(Phase::Preparing, 1_000);
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut asks = signs;
    asks.seen(at(303));
    assert_eq!(asks.hopeless(&waiting, at(303)), None);
    let reason = asks.hopeless(&waiting, at(304)).unwrap();
    assert!(reason.contains("not begun"), "{reason}");
}

#[test]
fn vouchers_for_d_ticks_without_a_delivery_are_enough() {
    let start = Instant::now();
    let mut signs = signs(100_000, start);
    signs.reported(&step(), start);
    assert_eq!(signs.hopeless(&snapshot(Phase::Paused, 2_000), start), None);
    assert_eq!(
        signs.hopeless(&snapshot(Phase::Running, 3_000), start),
        None,
        "the prepaid time is still worked"
    );
    let reason = signs.hopeless(&snapshot(Phase::Paused, 3_000), start);
    assert!(reason.unwrap().starts_with("3 ticks"));
    signs.delivered(Meter {
        running_ms: 25_000,
        hold_ms: 0,
    });
    assert_eq!(signs.hopeless(&snapshot(Phase::Paused, 3_000), start), None);
}

#[test]
fn a_spent_budget_is_not_the_providers_fault() {
    let start = Instant::now();
    let mut signs = signs(3_000, start);
    signs.reported(&step(), start);
    assert_eq!(signs.hopeless(&snapshot(Phase::Paused, 3_000), start), None);
}

#[test]
fn a_full_disk_here_or_a_silent_link_excuses_the_provider() {
    let start = Instant::now();
    let mut signs = signs(100_000, start);
    signs.reported(&step(), start);
    let paused = snapshot(Phase::Paused, 3_000);
    assert!(signs.no_room("the disk is full".to_owned(), start));
    let told_again = signs.no_room("the disk is full".to_owned(), start);
    assert!(!told_again, "told once");
    assert_eq!(signs.hopeless(&paused, start), None);
    let later = start + ROOM_MEMORY;
    assert!(
        signs.room_problem(later).is_none(),
        "it is not met any more"
    );
    signs.room = None;
    let silent = Snapshot {
        silent_since: Some(market::Timestamp::from_millis(1)),
        ..paused.clone()
    };
    assert_eq!(signs.hopeless(&silent, start), None);
    assert!(signs.hopeless(&paused, start).is_some());
}

#[test]
fn a_provider_that_answers_and_does_nothing_is_left_after_the_patience() {
    let start = Instant::now();
    let mut signs = signs(100_000, start);
    signs.reported(&step(), start);
    let running = snapshot(Phase::Running, 1_000);
    signs.changed(&running, start + Duration::from_secs(100));
    let later = start + Duration::from_secs(399);
    assert_eq!(signs.hopeless(&running, later), None);
    signs.changed(&running, later);
    let reason = signs.hopeless(&running, start + Duration::from_secs(400));
    assert!(reason.unwrap().contains("done nothing"));
}

#[test]
fn bytes_that_do_not_match_are_tried_once_more() {
    let mut signs = signs(1, Instant::now());
    assert!(!signs.corrupt());
    assert!(signs.corrupt());
}
