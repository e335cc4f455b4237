//! Tests of finding a family.

use std::process::{Command, Stdio};

use super::*;

#[test]
fn a_name_with_parentheses_and_spaces_is_passed_over() {
    assert_eq!(parent_in(b"77 (a) b (c)) S 12 77 77 0"), Some(12));
    assert_eq!(parent_in(b"77 (a"), None);
    assert_eq!(parent_in(b"77 (a) S x"), None);
    assert_eq!(parent_in(&[b')', 0xff, 0xfe]), None);
}

#[test]
fn grandchildren_belong_and_neighbours_do_not() {
    let parents = BTreeMap::from([(2, 1), (3, 2), (4, 3), (5, 1), (6, 6)]);
    assert_eq!(descendants(2, &parents), BTreeSet::from([2, 3, 4]));
    assert_eq!(descendants(6, &parents), BTreeSet::from([6]));
    assert_eq!(descendants(9, &parents), BTreeSet::from([9]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_started_process_belongs_to_this_one() {
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let family = family_of(std::process::id());
    assert!(family.contains(&child.id()));
    drop(child.stdin.take());
    child.wait().unwrap();
}
