//! Tests of how runs are named.

use market_node::api::{JobView, RunId};

use super::{NoRunName, RunName};
use crate::fixture;

fn jobs() -> Vec<JobView> {
    let ids = [[0xab; 8], [0xab, 0xab, 0xcd, 0, 0, 0, 0, 0], [0x12; 8]];
    let job = |id| JobView {
        run: RunId::from_bytes(id),
        ..fixture::job()
    };
    ids.map(job).into()
}

fn find(name: &str) -> Result<String, String> {
    let name: RunName = name.parse().unwrap();
    let jobs = jobs();
    let found = name.among(&jobs).map(|job| job.run.to_string());
    found.map_err(|error| error.to_string())
}

#[test]
fn digits_that_fit_one_run_name_it() {
    assert_eq!(find("1212").unwrap(), "1212121212121212");
    assert_eq!(find("ABABAB").unwrap(), "abababababababab");
    assert_eq!(find("ababcd0000000000").unwrap(), "ababcd0000000000");
    assert_eq!(find("latest").unwrap(), "abababababababab");
}

#[test]
fn digits_that_fit_several_or_none_are_refused_in_words() {
    let several = find("abab").unwrap_err();
    assert_eq!(
        several,
        "2 runs begin with abab: abababababababab, ababcd0000000000; type more digits"
    );
    let none = find("0000").unwrap_err();
    assert!(none.contains("`nightshift ps --all`"), "{none}");
    let name = RunName::Latest;
    assert!(
        name.among(&[])
            .unwrap_err()
            .to_string()
            .contains("no jobs yet")
    );
}

#[test]
fn what_can_name_no_run_is_refused() {
    for wrong in ["", "abc", "newest", "12345678901234567", "abcx", "äöüß"] {
        assert_eq!(wrong.parse::<RunName>(), Err(NoRunName), "{wrong}");
    }
}
