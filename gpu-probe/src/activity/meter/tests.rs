//! Tests of shares.

use proptest::prelude::*;

use super::super::EngineClass;
use super::super::fdinfo::Client;
use super::*;

fn found(clients: &[(u64, &str, Work)]) -> Found {
    let mut found = Found::default();
    for (id, name, work) in clients {
        let engine = Engine {
            work: *work,
            capacity: 1,
        };
        let entry = found.others.entry(ClientKey::Number(*id));
        let (_, client) = entry.or_insert_with(|| (100 + *id as u32, Client::default()));
        client.engines.insert((*name).to_owned(), engine);
    }
    found
}

fn gfx(nanoseconds: u64) -> Found {
    found(&[(1, "gfx", Work::Nanoseconds(nanoseconds))])
}

fn only(loads: Option<Vec<Load>>) -> u16 {
    let loads = loads.unwrap();
    assert_eq!(loads.len(), 1, "{loads:?}");
    loads[0].permille
}

#[test]
fn the_first_reading_tells_nothing() {
    assert_eq!(Meter::default().loads(&gfx(5), 0), None);
}

#[test]
fn work_is_measured_against_the_time_between() {
    let mut meter = Meter::default();
    meter.loads(&gfx(1_000_000_000), 1_000);
    assert_eq!(only(meter.loads(&gfx(1_125_000_000), 1_500)), 250);
    assert_eq!(only(meter.loads(&gfx(1_125_000_000), 2_000)), 0);
}

#[test]
fn a_counter_that_goes_back_is_waited_for() {
    let mut meter = Meter::default();
    meter.loads(&gfx(400_000_000), 0);
    assert_eq!(only(meter.loads(&gfx(300_000_000), 500)), 0);
    // 100 ms more than the largest value seen, not 200 ms more than the last.
    assert_eq!(only(meter.loads(&gfx(500_000_000), 1_000)), 200);
}

#[test]
fn cycles_are_measured_against_the_cards_own_time() {
    let cycles = |busy, total| found(&[(1, "rcs", Work::Cycles { busy, total })]);
    let mut meter = Meter::default();
    meter.loads(&cycles(100, 10_000), 0);
    assert_eq!(only(meter.loads(&cycles(600, 11_000), 500)), 500);
    // The card's time stood still.
    assert_eq!(only(meter.loads(&cycles(700, 11_000), 1_000)), 0);
}

#[test]
fn a_group_of_engines_is_full_when_all_are() {
    let mut meter = Meter::default();
    let four = |nanoseconds| {
        let mut found = gfx(nanoseconds);
        for (_, client) in found.others.values_mut() {
            client.engines.get_mut("gfx").unwrap().capacity = 4;
        }
        found
    };
    meter.loads(&four(0), 0);
    assert_eq!(only(meter.loads(&four(500_000_000), 500)), 250);
}

#[test]
fn a_program_that_began_since_counts_at_once() {
    let mut meter = Meter::default();
    meter.loads(&Found::default(), 0);
    assert_eq!(only(meter.loads(&gfx(400_000_000), 500)), 800);
}

#[test]
fn a_program_that_only_became_visible_counts_from_then_on() {
    let mut meter = Meter::default();
    meter.loads(&Found::default(), 0);
    assert_eq!(only(meter.loads(&gfx(90_000_000_000), 500)), 0);
    assert_eq!(only(meter.loads(&gfx(90_100_000_000), 1_000)), 200);
}

#[test]
fn sleep_does_not_dilute_what_follows() {
    let mut meter = Meter::default();
    meter.loads(&gfx(0), 0);
    meter.rest(60_000);
    assert_eq!(only(meter.loads(&gfx(500_000_000), 60_500)), 1_000);
}

#[test]
fn a_driver_that_does_not_count_says_nothing() {
    let mut meter = Meter::default();
    let mut silent = Found::default();
    silent
        .others
        .insert(ClientKey::Number(1), (101, Client::default()));
    meter.loads(&silent, 0);
    assert_eq!(meter.loads(&silent, 500), None);
}

#[test]
fn a_card_that_nobody_holds_is_idle() {
    let mut meter = Meter::default();
    meter.loads(&Found::default(), 0);
    assert_eq!(meter.loads(&Found::default(), 500), Some(Vec::new()));
}

#[test]
fn a_clock_that_stands_or_goes_back_gives_no_share() {
    let mut meter = Meter::default();
    meter.loads(&gfx(0), 1_000);
    assert_eq!(meter.loads(&gfx(5), 1_000), None);
    assert_eq!(meter.loads(&gfx(9), 400), None);
}

proptest! {
    #[test]
    fn no_counters_give_more_than_the_whole(
        readings in prop::collection::vec((any::<u64>(), any::<u64>(), any::<bool>(), any::<u32>()), 1..12)
    ) {
        let mut meter = Meter::default();
        let mut now_ms = 0;
        for (busy, total, in_cycles, step) in readings {
            let work = if in_cycles { Work::Cycles { busy, total } } else { Work::Nanoseconds(busy) };
            now_ms += u64::from(step);
            for load in meter.loads(&found(&[(1, "gfx", work)]), now_ms).unwrap_or_default() {
                prop_assert!(load.permille <= 1_000);
                prop_assert_eq!(load.class, EngineClass::Render);
            }
        }
    }
}
