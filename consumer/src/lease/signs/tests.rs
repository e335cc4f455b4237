//! Tests of when nothing will come of a provider.

use std::collections::BTreeSet;

use market::PricePerHour;
use market::progress::StepMetric;

use super::*;

const PATIENCE: Duration = Duration::from_secs(300);

const WALL_CLOCK: Duration = Duration::from_secs(3_600);

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
    Signs::new(
        (rates, amount(deposit)),
        (4 << 20, WALL_CLOCK),
        PATIENCE,
        start,
    )
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
    let mut signs = signs(100_000, start);
    let waiting = snapshot(Phase::Preparing, 1_000);
    let at = |seconds| start + Duration::from_secs(seconds);
    assert_eq!(signs.hopeless(&waiting, at(303)), None);
    let reason = signs.hopeless(&waiting, at(304)).unwrap();
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
    assert!(reason.unwrap().contains("nothing has come"));
}

#[test]
fn bytes_that_do_not_match_are_tried_once_more() {
    let mut signs = signs(1, Instant::now());
    assert!(!signs.corrupt());
    assert!(signs.corrupt());
}

/// Looks once a second, as the lease's task does, and returns after how many seconds there was no hope.
fn given_up_after(
    signs: &mut Signs,
    start: Instant,
    mut second: impl FnMut(&mut Signs, u64, Instant) -> Snapshot,
) -> Option<u64> {
    (1..=5_000).find(|count| {
        let now = start + Duration::from_secs(*count);
        let snapshot = second(signs, *count, now);
        signs.changed(&snapshot, now);
        signs.hopeless(&snapshot, now).is_some()
    })
}

#[test]
fn words_without_outputs_or_payments_hold_nobody() {
    let start = Instant::now();
    for phase in [Phase::Running, Phase::Delivering] {
        let mut signs = signs(100_000, start);
        signs.reported(&step(), start);
        let left = given_up_after(&mut signs, start, |signs, _, now| {
            signs.reported(&step(), now);
            snapshot(phase, 3_000)
        });
        assert_eq!(left, Some(301), "{phase:?}: the first look is a payment");
    }
}

#[test]
fn pieces_of_an_output_that_arrive_are_waited_for() {
    let start = Instant::now();
    let mut signs = signs(100_000, start);
    signs.reported(&step(), start);
    let left = given_up_after(&mut signs, start, |signs, count, now| {
        if count % 200 == 0 && count <= 4_000 {
            signs.seen(now);
        }
        snapshot(Phase::Delivering, 1_000)
    });
    assert_eq!(left, Some(4_300));
}

#[test]
fn a_provider_that_works_on_beyond_the_jobs_time_is_left() {
    let start = Instant::now();
    let mut signs = signs(100_000_000, start);
    signs.reported(&step(), start);
    let paid = |_: &mut Signs, count, _| snapshot(Phase::Running, count);
    assert_eq!(given_up_after(&mut signs, start, paid), Some(3_900));
}

#[test]
fn silences_do_not_count_and_do_not_begin_the_patience_anew() {
    let start = Instant::now();
    let mut signs = signs(100_000, start);
    signs.reported(&step(), start);
    let left = given_up_after(&mut signs, start, |_, count, _| Snapshot {
        silent_since: (count % 4 == 0).then(|| market::Timestamp::from_millis(1)),
        ..snapshot(Phase::Running, 0)
    });
    assert_eq!(left, Some(399), "300 s of talk in 400");
}

#[test]
fn a_word_of_completion_counts_only_with_its_outputs() {
    let mut signs = signs(1, Instant::now());
    signs.ended(Outcome::Failed, Some("nothing arrived".to_owned()));
    assert_eq!(signs.given_up, None, "the job may be at fault");
    signs.ended(Outcome::Completed, Some("nothing arrived".to_owned()));
    let reason = signs.given_up.clone().unwrap();
    assert!(reason.ends_with("and nothing arrived"), "{reason}");
    signs.ended(Outcome::Completed, None);
    assert_eq!(signs.given_up, None, "what is here is done");
}
