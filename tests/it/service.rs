//! Owns the tests of a person's own systemd and `up --install`: a real one of the test's own starts the node,
//! reports it ready, stops it in order, and forgets it. The system's, which runs operators, is in `system.rs`.
//!
//! Never touches the systemd of the machine: the test's runs in namespaces and a control group of its own,
//! which end with it.

mod system;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::market::LISTEN;
use crate::program::{self, Done};

/// How long the whole may take; a group ends by itself a little earlier.
const LIMIT: Duration = Duration::from_secs(120);

/// What a script ends with that says that this machine cannot run it.
const NOT_HERE: i32 = 77;

/// What is said of a test's own group that cannot be removed.
const LEFT: &str = "something still runs in";

/// Runs `$WITHIN` with the arguments in a control group of its own, and removes the group when all in it has ended:
/// by itself, by a signal to this one, or because the time is over.
///
/// Groups of those who were killed before they could do that are removed first.
const GROUP: &str = r#"
set -u
hierarchies="/sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup"
remove() {
  for _ in $(seq 50); do
    [ ! -d "$1" ] || find "$1" -depth -type d -exec rmdir {} + 2>/dev/null && return
    sleep 0.1
  done
  echo "$2 $1" >&2
}
for old in $(printf '%s/nightshift-test-*\n' $hierarchies); do
  [ ! -d "$old" ] || [ -e "/proc/${old##*-}" ] || remove "$old" "an earlier test left"
done
group=nightshift-test-$$
groups=""
for root in $hierarchies; do
  [ -f "$root/cgroup.procs" ] || continue
  mkdir "$root/$group" 2>/dev/null && groups="$groups $root"
done
[ -n "$groups" ] || exit 77
leave() {
  for root in $groups; do
    echo $$ > "$root/cgroup.procs"
    remove "$root/$group" "something still runs in"
  done
}
trap leave EXIT
trap : PIPE # Whoever reads what this says may be gone first.
for root in $groups; do echo $$ > "$root/$group/cgroup.procs" || exit 77; done
# Leads a process group of its own, which the signal that ends it reaches as a whole.
timeout --signal=KILL 100 bash -c "$WITHIN" within "$@" &
trap 'kill -KILL -- "-$!"' TERM INT HUP
wait "$!"
"#;

/// Runs `$SCRIPT` below a systemd user manager of its own; `$1` is the program, `$2` a folder to use.
///
/// Enters namespaces of its own, waits for the manager, and ends everything after the script.
const MANAGER: &str = r#"
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
"#;

/// Runs a script in a control group of its own, with variables and arguments.
fn in_a_group(within: &str, variables: &[(&str, &str)], arguments: &[&Path]) -> Done {
    let mut command = program::clean("bash");
    command.args(["-c", GROUP, "group"]).args(arguments);
    command.env("WITHIN", within).stdin(Stdio::null());
    command.envs(variables.iter().copied());
    let done = program::start(command).finish((LIMIT, "the unit's life"));
    assert!(!done.stderr.contains(LEFT), "{done:?}");
    done
}

/// Runs a script in the manager; `None` where this machine has none, which is said.
fn in_manager(script: &str, folder: &Path) -> Option<Done> {
    let done = in_a_group(MANAGER, &[("SCRIPT", script)], &[&program::path(), folder]);
    let tools =
        ["systemd-analyze", "unshare"].map(|tool| Command::new(tool).arg("--version").output());
    if done.code == Some(NOT_HERE) || tools.iter().any(Result::is_err) {
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
