//! Tests of how long a bid stands, as people write it.

use super::*;

#[test]
fn times_are_whole_numbers_of_a_unit() {
    let seconds = |text| stands(text).map(|time| time.as_secs());
    assert_eq!(seconds("45s"), Ok(45));
    assert_eq!(seconds("90m"), Ok(5_400));
    assert_eq!(seconds("2h"), Ok(7_200));
    assert_eq!(seconds("7d"), Ok(604_800));
}

#[test]
fn times_that_are_none_or_beyond_a_week_say_what_is_allowed() {
    for wrong in [
        "",
        "2",
        "h",
        "-1h",
        "1.5h",
        "2 h",
        "2w",
        "9é",
        "99999999999999999999d",
    ] {
        let told = stands(wrong).unwrap_err();
        assert!(told.contains("such as 90m, 2h or 7d"), "{told}");
    }
    assert!(stands("8d").unwrap_err().contains("7d at most"));
    assert!(stands("0m").unwrap_err().contains("a second at least"));
}
