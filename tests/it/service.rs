//! Owns the tests of `--install`: a real systemd of the test's own starts the node, reports it ready, stops it
//! in order, and forgets it.
//!
//! Never touches the systemd of the machine: the test's runs in namespaces and a control group of its own,
//! which end with it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::market::LISTEN;
use crate::program::{self, Done};

/// How long the whole may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs `script` below a systemd user manager of its own; `$1` is the program, `$2` a folder to use.
///
/// Enters a control group and namespaces of its own, waits for the manager, and ends everything after the
/// script. Exit code 77: this machine cannot run one.
const MANAGER: &str = r#"
set -u
group=nightshift-test-$$
groups=""
for root in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
  [ -f "$root/cgroup.procs" ] || continue
  mkdir "$root/$group" 2>/dev/null && echo $$ > "$root/$group/cgroup.procs" && groups="$groups $root"
done
[ -n "$groups" ] || exit 77
unshare --mount --pid --cgroup --fork --kill-child --mount-proc bash -c '
  mount -t tmpfs none /run && mkdir -p /run/systemd/system /run/user/own /run/home || exit 77
  chmod 700 /run/user/own
  umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || exit 77
  export XDG_RUNTIME_DIR=/run/user/own HOME=/run/home
  unset XDG_CONFIG_HOME NIGHTSHIFT_HOME DBUS_SESSION_BUS_ADDRESS
  /usr/lib/systemd/systemd --user --log-target=null &
  ready() { case "$(systemctl --user is-system-running 2>&1)" in running|degraded) ;; *) false ;; esac; }
  for _ in $(seq 100); do ready && break; sleep 0.2; done
  ready || exit 77
  bash -eu -c "$0" script "$1" "$2"
' "$SCRIPT" "$1" "$2"
code=$?
for root in $groups; do
  echo $$ > "$root/cgroup.procs"
  find "$root/$group" -depth -type d -exec rmdir {} +
done
exit $code
"#;

/// Runs a script in the manager; `None` where this machine has none, which is said.
fn in_manager(script: &str, folder: &Path) -> Option<Done> {
    let mut command = program::clean("bash");
    command.args(["-c", MANAGER, "manager"]);
    command.arg(program::path()).arg(folder);
    command.env("SCRIPT", script).stdin(Stdio::null());
    let done = program::start(command).finish((LIMIT, "the unit's life"));
    let tools =
        ["systemd-analyze", "unshare"].map(|tool| Command::new(tool).arg("--version").output());
    if done.code == Some(77) || tools.iter().any(Result::is_err) {
        eprintln!("skipped: this machine runs no systemd of a test's own: {done:?}");
        return None;
    }
    Some(done)
}

#[test]
fn systemd_starts_a_node_sees_it_ready_stops_it_in_order_and_forgets_it() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let operator = folder.path().join("operator");
    program::run(&operator, &["operator", "init", "--name", "test"]).succeeded();
    let run = ["operator", "run", "--listen", LISTEN];
    let operator = crate::node::Node::start(&operator, &run, "The operator runs");
    let status = operator.json(&["operator", "status"]);
    let join = status["join"].as_str().expect("a join string").to_owned();
    let home = folder.path().join("home");
    program::run(&home, &["init", "--join", &join]).succeeded();
    let script = format!(
        r#"
        night() {{ "$1" --home "$2/home" "${{@:3}}"; }}
        night "$1" "$2" up --install --listen {LISTEN}
        systemctl --user is-active nightshift
        systemctl --user is-enabled nightshift
        night "$1" "$2" status
        if night "$1" "$2" up --listen {LISTEN}; then echo TWO NODES; fi
        night "$1" "$2" up --install --listen {LISTEN} > "$2/again"
        systemctl --user stop nightshift
        systemctl --user show -p Result -p ExecMainStatus nightshift
        systemctl --user start nightshift
        night "$1" "$2" up --uninstall
        if systemctl --user is-active nightshift; then echo STILL ACTIVE; fi
        test ! -e "$HOME/.config/systemd/user/nightshift.service"
        if night "$1" "$2" up --uninstall; then echo TWICE; fi
        "#
    );
    let Some(done) = in_manager(&script, folder.path()) else {
        return;
    };
    assert_eq!(done.code, Some(0), "{done:?}");
    for part in [
        "nightshift.service runs, and starts again by itself",
        "loginctl enable-linger",
        "\nactive\nenabled\n",
        "market     test",
        "Result=success",
        "ExecMainStatus=0",
        "nightshift.service is stopped",
    ] {
        assert!(done.stdout.contains(part), "{part}: {done:?}");
    }
    for wrong in ["TWO NODES", "STILL ACTIVE", "TWICE"] {
        assert!(!done.stdout.contains(wrong), "{wrong}: {done:?}");
    }
    assert!(done.stderr.contains("nothing is installed"), "{done:?}");
}

#[test]
fn a_node_that_cannot_start_is_told_with_systemds_reason() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let home = folder.path().join("home");
    program::run(&home, &["operator", "init", "--name", "test"]).succeeded();
    std::fs::write(home.join("config.toml"), "[sell]\nprize = \"1\"\n").expect("can be written");
    let script = r#""$1" --home "$2/home" up --install"#;
    let Some(done) = in_manager(script, folder.path()) else {
        return;
    };
    assert_eq!(done.code, Some(1), "{done:?}");
    for part in [
        "starting nightshift.service",
        "journalctl --user -u",
        "up --uninstall",
    ] {
        assert!(done.stderr.contains(part), "{part}: {done:?}");
    }
}

#[test]
fn without_systemd_nothing_is_installed_and_it_says_what_to_do_instead() {
    if Path::new("/run/systemd/system").is_dir() {
        eprintln!("skipped: this machine runs systemd");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    program::run(folder.path(), &["operator", "init", "--name", "test"]).succeeded();
    for arguments in [&["up", "--install"][..], &["operator", "run", "--install"]] {
        let done = program::run(folder.path(), arguments);
        assert_eq!(done.code, Some(1), "{done:?}");
        for part in ["systemd does not run on this system", "start-up script"] {
            assert!(done.stderr.contains(part), "{part}: {done:?}");
        }
    }
}
