//! Tests of naming a run.

use market_node::api::RunId;

use super::{FindError, find_in};

fn run(first: u8, rest: u8) -> RunId {
    let mut bytes = [rest; 8];
    bytes[0] = first;
    RunId::from_bytes(bytes)
}

#[test]
fn a_run_is_named_by_its_beginning_or_as_the_latest() {
    let runs = [run(0xaa, 0x11), run(0xaa, 0x22), run(0xbb, 0x11)];
    assert_eq!(find_in(&runs, "latest"), Ok(runs[0]));
    assert_eq!(find_in(&runs, "bb11"), Ok(runs[2]));
    assert_eq!(find_in(&runs, "AA22"), Ok(runs[1]));
    assert_eq!(find_in(&runs, &runs[1].to_string()), Ok(runs[1]));
}

#[test]
fn what_names_no_run_or_several_is_refused_in_words() {
    let runs = [run(0xaa, 0x11), run(0xaa, 0x11), run(0xbb, 0x11)];
    assert!(matches!(
        find_in(&runs, "aa11"),
        Err(FindError::Ambiguous { matches: 2, .. })
    ));
    assert!(matches!(find_in(&runs, "bb1"), Err(FindError::Short(_))));
    assert!(matches!(find_in(&runs, "cccc"), Err(FindError::Unknown(_))));
    assert_eq!(find_in(&[], "latest"), Err(FindError::None));
}
