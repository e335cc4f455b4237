//! Tests of how runs are named.

use super::{NoRunName, RunName};

#[test]
fn what_was_typed_reaches_the_node_in_small_letters() {
    for (typed, sent) in [
        ("1212", "1212"),
        ("ABABab", "ababab"),
        ("ababcd0000000000", "ababcd0000000000"),
        ("latest", "latest"),
    ] {
        assert_eq!(typed.parse::<RunName>().unwrap().to_string(), sent);
    }
}

#[test]
fn what_can_name_no_run_is_refused() {
    for wrong in ["", "abc", "newest", "12345678901234567", "abcx", "äöüß"] {
        assert_eq!(wrong.parse::<RunName>(), Err(NoRunName), "{wrong}");
    }
}
