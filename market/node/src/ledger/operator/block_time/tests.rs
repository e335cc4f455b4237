//! Tests of block time: wall clocks that jump, operators that were away.

use super::*;

const TWO_DAYS: Duration = Duration::from_secs(2 * 86_400);

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + seconds * 1_000)
}

fn begun(folder: &Path) -> BlockTime {
    let mut time = BlockTime::resume(at(0), folder, at(0));
    time.last = at(0);
    time
}

fn uptime(boot: &str, since_boot_ms: u64) -> Uptime {
    Uptime {
        boot: boot.to_owned(),
        since_boot_ms,
    }
}

#[test]
fn a_wall_clock_that_jumps_either_way_moves_block_time_by_a_twentieth_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let mut time = begun(folder.path());
    let mut instant = time.made;
    for block in 1..=100 {
        instant += Duration::from_secs(10);
        let wall = match block % 2 {
            0 => at(0).saturating_add(TWO_DAYS),
            _ => Timestamp::from_millis(0),
        };
        let proposed = time.propose(wall, instant);
        let step = proposed.saturating_since(time.last).as_millis();
        assert!((9_500..=10_500).contains(&step), "{step}");
        time.made(proposed, instant);
    }
}

#[test]
fn a_right_wall_clock_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let time = begun(folder.path());
    let instant = time.made + Duration::from_secs(10);
    assert_eq!(time.propose(at(10), instant), at(10));
    let wall = at(0).saturating_add(Duration::from_millis(10_200));
    assert_eq!(time.propose(wall, instant), wall);
}

#[test]
fn the_uptime_tells_how_long_the_operator_was_away() {
    let note = note_text(&uptime("a", 50_000), at(0));
    let after = |uptime| time_by_uptime(&note, &uptime);
    assert_eq!(after(uptime("a", 650_000)), Some(at(600)));
    assert_eq!(after(uptime("b", 650_000)), None, "another boot");
    assert_eq!(after(uptime("a", 49_000)), None, "a clock that went back");
    for damaged in ["", "a", "a 5", "a 5 6", "a 5 6 7\n", "a x 6\n"] {
        assert_eq!(
            time_by_uptime(damaged, &uptime("a", 9)),
            None,
            "{damaged:?}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_restart_on_a_machine_whose_wall_clock_is_two_days_off_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut time = begun(folder.path());
    time.made(at(0), Instant::now());
    for wall in [at(0).saturating_add(TWO_DAYS), Timestamp::from_millis(0)] {
        let resumed = BlockTime::resume(at(0), folder.path(), wall);
        let away = resumed.last.saturating_since(at(0));
        assert!(away < Duration::from_secs(60), "{away:?}");
    }
}

#[test]
fn after_a_boot_the_wall_clock_is_asked_but_time_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let ahead = BlockTime::resume(at(0), folder.path(), at(600));
    assert_eq!(ahead.last, at(600));
    let behind = BlockTime::resume(at(0), folder.path(), Timestamp::from_millis(5));
    assert_eq!(behind.last, at(0));
}
