//! Owns the test of the sandbox's own check, engine and all, as a user without rights.
//!
//! Never lets that user run the built program where it lies: the home of whoever built it may not be entered.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;

use serde_json::Value;

use crate::program;

/// Someone without rights. One of their own, since the kernel counts a user's processes together.
const SOMEONE: u32 = 65_529;

#[test]
fn a_user_without_rights_sees_every_attack_stopped() {
    let folder = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .expect("a temporary folder can be made");
    let home = folder.path().join("home");
    fs::create_dir(&home).expect("it can be made");
    let arguments = ["sandbox", "check", "--json"];
    let mut check = program::command(&home, &arguments);
    if rustix::process::getuid().is_root() {
        let laid = folder.path().join("nightshift");
        fs::copy(program::path(), &laid).expect("it can be copied");
        chown(&home, Some(SOMEONE), Some(SOMEONE)).expect("root can");
        check = program::clean(laid);
        check.arg("--home").arg(&home).args(arguments);
        check.uid(SOMEONE).gid(SOMEONE);
    }
    let limit = (program::LIMIT * 3, "nightshift sandbox check --json");
    let done = program::start(check).finish(limit);
    let told = format!("{}{}", done.stdout, done.stderr);
    assert_eq!(done.code, Some(0), "an attack got through:\n{told}");
    let found = done.json();
    let found = found.as_array().expect("an array");
    let stopped: Vec<&Value> = found
        .iter()
        .filter(|row| row["result"] == "stopped")
        .collect();
    // The attacks on the engine, whose jobs need a worker that works, are among those that were tried.
    let layers: BTreeSet<&str> = stopped
        .iter()
        .filter_map(|row| row["layer"].as_str())
        .collect();
    for layer in ["index check", "strict reader", "kernel bound"] {
        assert!(
            layers.contains(layer),
            "{layer} stopped nothing: {layers:?}"
        );
    }
    assert!(stopped.len() >= 45, "{} stopped", stopped.len());
}
