//! Gives a test a process of its own, whichever runner started it: a card is opened once a process, and what one
//! process leaves on it is only seen by another.
//!
//! Never used outside tests.

use std::process::{Command, Output};

/// Says which part of a test a process plays.
const ROLE: &str = "NIGHTSHIFT_TEST_ROLE";

/// Returns the part that this process plays, where it was started for one.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Runs the test of this name once more, in a process that plays `role`, and returns what it said once it succeeded.
pub(crate) fn play(test: &str, role: &str) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr)
    );
    assert!(status.success(), "{test} as {role}: {status}\n{said}");
    assert!(said.contains("1 passed"), "{test} was not found:\n{said}");
    eprintln!("{said}");
    said
}

/// Tells whether this process is the one that should do the work of a test, which otherwise does it in another.
pub(crate) fn is_alone(test: &str) -> bool {
    if role().is_some() {
        return true;
    }
    play(test, "alone");
    false
}
