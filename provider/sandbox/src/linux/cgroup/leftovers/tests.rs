//! Tests of what counts as left behind.

use super::*;

#[test]
fn what_a_living_process_has_stays_and_what_has_another_name_too() {
    let parent = tempfile::tempdir().unwrap();
    // No process has a number beyond the kernel's bound of 2^22.
    let dead = parent.path().join("made-4194305-1");
    let names = ["made-4194305", "made-x-1", "else-4194305-1", "made--1"];
    let alive = format!("made-{}-1", std::process::id());
    for name in names.into_iter().chain([alive.as_str(), "made-4194305-1"]) {
        std::fs::create_dir(parent.path().join(name)).unwrap();
    }
    assert_eq!(left_by_the_dead(parent.path(), "made-"), [dead]);
    assert_eq!(
        left_by_the_dead(&parent.path().join("nowhere"), "made-"),
        [""; 0].map(PathBuf::from)
    );
}
