//! Owns the tests of the operator's unit below the system's systemd: a real one of the test's own boots a copy of
//! this machine, with the unit and all its limits in force, and is read, killed and booted again.
//!
//! Never touches the machine itself: the copy has its own files, users, devices, processes and network.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::in_a_group;
use crate::copy::{Copy, repository, text};
use crate::program::{self, Done};

/// What the machine's own systemd would start, taken out of the copy: only what is asked for runs there.
const EMPTY: &str = r#"
set -e
rm -rf /etc/systemd/system /etc/systemd/system-generators /usr/local/lib/systemd
rm -rf /usr/lib/systemd/system/*.wants /usr/lib/systemd/system-generators
mkdir -p /etc/systemd/system /usr/lib/systemd/system/sockets.target.wants /usr/lib/systemd/system/multi-user.target.wants
ln -s ../systemd-journald.socket ../systemd-journald-dev-log.socket /usr/lib/systemd/system/sockets.target.wants/
ln -s ../script.service /usr/lib/systemd/system/multi-user.target.wants/
echo 0123456789abcdef0123456789abcdef > /etc/machine-id
"#;

/// Runs the script, and ends the system with what it ends with.
const SCRIPT_UNIT: &str = "\
[Unit]
SuccessAction=exit-force
FailureAction=exit-force

[Service]
Type=oneshot
ExecStart=/bin/bash -eu /script
StandardOutput=truncate:/script.out
StandardError=truncate:/script.err
TimeoutStartSec=90
";

/// Boots the copy in the folder `$2`, which `$1` makes, in namespaces of its own. Of the machine's devices it has
/// those that every program may use, and `/dev/outside`; nothing of the kernel can be set from it.
const BOOT: &str = r#"
[ -x /usr/lib/systemd/systemd ] || exit 77
own="unshare --pid --cgroup --ipc --uts --net --fork --kill-child"
$own true || exit 77
exec $own "$1" "$2" bash -c '
  mount -t proc proc /proc && mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys || exit 77
  umount -R /sys && mount -t sysfs -o ro sysfs /sys && mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 77
  umount -R /dev && mount -t tmpfs -o mode=755 tmpfs /dev && mkdir /dev/pts /dev/shm || exit 77
  mount -t tmpfs tmpfs /dev/shm && mount -t devpts -o newinstance,ptmxmode=666 devpts /dev/pts || exit 77
  ln -s pts/ptmx /dev/ptmx
  while read -r name major minor; do mknod -m 666 "/dev/$name" c "$major" "$minor" || exit 77; done <<LIST
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
outside 1 3
LIST
  exec setpriv --bounding-set=-sys_module,-sys_boot,-sys_time,-sys_rawio,-syslog env container=nightshift-test \
    /usr/lib/systemd/systemd --system --unit=multi-user.target --log-target=journal --show-status=no
'
"#;

/// Begins each script. What a market says of itself starts with its chain's name in its join string.
const WORDS: &str = r#"
unit=nightshift-operator
night() { setpriv --reuid="$owner" --regid="$owner" --init-groups -- nightshift --home "$home" "$@"; }
property() { systemctl show --property "$1" --value "$unit"; }
within_time() { for _ in $(seq 300); do ! "$@" || return 0; sleep 0.1; done; echo "never: $*"; return 1; }
answers() { night operator status > /status 2>&1; }
market() { night operator status | grep -Eo 'issued +[0-9.]+ cr|^[0-9a-f]{64}@' | xargs; }
trap '[ $? = 0 ] || { journalctl --sync; journalctl --no-pager --lines 30 >&2; }' EXIT
state() { echo "$1: $(systemctl is-active $unit) $(systemctl is-enabled $unit)"; }
"#;

/// A copy of this machine in which the program is installed, and which can be booted.
struct System {
    copy: Copy,
    users: String,
}

/// Lists the users of the machine itself.
fn users() -> String {
    fs::read_to_string("/etc/passwd").expect("the machine has users")
}

impl System {
    /// Makes one; `None` where there can be none, which is said.
    fn new() -> Option<Self> {
        let copy = Copy::of_this_machine()?;
        copy.shell(EMPTY);
        let users = users();
        let system = Self { copy, users };
        system.put("usr/lib/systemd/system/script.service", SCRIPT_UNIT);
        let (built, installed) = (program::path(), system.path("usr/bin/nightshift"));
        fs::create_dir_all(system.path("usr/bin")).expect("a folder can be made");
        // The program is large, and nothing in the copy writes to it.
        if fs::hard_link(&built, &installed).is_err() {
            fs::copy(&built, &installed).expect("the program can be copied");
        }
        for name in ["postinst", "prerm"] {
            let script = repository().join("packaging/debian").join(name);
            let path = system.put(name, &fs::read_to_string(script).expect("it is there"));
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("can be set");
        }
        Some(system)
    }

    /// Returns where a path of the copy lies.
    fn path(&self, path: &str) -> PathBuf {
        self.copy.changes().join(path)
    }

    /// Writes a file of the copy.
    fn put(&self, path: &str, content: &str) -> PathBuf {
        let path = self.path(path);
        let folder = path.parent().expect("a file has a folder");
        fs::create_dir_all(folder).expect("a folder can be made");
        fs::write(&path, content).expect("a file can be written");
        path
    }

    /// Puts the unit and its settings there as the package does.
    fn put_package(&self) {
        let packaging = repository().join("packaging");
        let read = |name| fs::read_to_string(packaging.join(name)).expect("it is there");
        let unit = read("nightshift-operator.service");
        let unit = unit.replace("@BINDIR@", "/usr/bin");
        let unit = unit.replace("@DOCDIR@", "/usr/share/doc/nightshift");
        self.put("usr/lib/systemd/system/nightshift-operator.service", &unit);
        let settings = read("nightshift-operator.default");
        self.put("etc/default/nightshift-operator", &settings);
    }

    /// Boots it, runs a script in it, and ends it; `None` where this machine boots none, which is said.
    fn run(&self, script: &str) -> Option<Done> {
        self.put("script", &format!("{WORDS}{script}"));
        let maker = repository().join("scripts/in-a-copy");
        let group = in_a_group(BOOT, &[], &[&maker, self.copy.folder()]);
        let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts can be listed");
        assert!(!mounts.contains(text(self.copy.folder())), "{mounts}");
        assert_eq!(users(), self.users, "the machine itself was changed");
        // Taken, so that the next boot finds no output of this one.
        let take = |name| {
            let path = self.path(name);
            let printed = fs::read_to_string(&path);
            printed.and_then(|printed| fs::remove_file(&path).map(|()| printed))
        };
        let (Ok(stdout), Ok(stderr)) = (take("script.out"), take("script.err")) else {
            eprintln!("skipped: this machine boots no systemd of a test's own: {group:?}");
            return None;
        };
        eprintln!("{stdout}");
        Some(Done {
            stdout,
            stderr,
            ..group
        })
    }
}

/// Fails unless each part stands in what the script printed.
fn prints(done: &Done, parts: &[&str]) {
    assert_eq!(done.code, Some(0), "{done:?}");
    for part in parts {
        assert!(done.stdout.contains(part), "{part:?} is missing: {done:?}");
    }
}

/// What the service tries before it starts, in the same cage; outside of it the first two are allowed.
const PROBE: &str = r#"
ulimit -c 0
try() {
  "$@" > /dev/null 2>&1
  case $? in 0) echo "allowed: $*" ;; 159) echo "killed: $*" ;; *) echo "refused: $*" ;; esac
}
try test -c /dev/outside
try setarch --addr-no-randomize true
try touch /etc/probe
try touch /var/lib/probe
try ls /home
try unshare --user true
try pivot_root . .
try touch "$HOME/probe.txt"
"#;

/// Starts the packaged unit as the handbook tells, looks at it, kills it, upgrades it, and stops it.
const PACKAGED: &str = r#"
home=/var/lib/nightshift owner=nightshift
/postinst configure
systemctl start $unit
echo "without a market: $(systemctl is-active $unit), condition $(property ConditionResult)"
night operator init --name kept
mkdir /etc/systemd/system/$unit.service.d
cat > /etc/systemd/system/$unit.service.d/test.conf <<DROP_IN
[Service]
RestartSec=1
ExecStartPre=-/bin/bash -c "/bin/bash /probe > /var/lib/nightshift/probe"
DROP_IN
systemctl daemon-reload
systemctl enable --now $unit
state started
night operator issue "$(night wallet address)" 100
echo "the market: $(market)"
pid=$(property MainPID)
echo "user: $(stat --format %U /proc/$pid)"
grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/$pid/status
[ "$(readlink /proc/$pid/ns/mnt)" = "$(readlink /proc/1/ns/mnt)" ] || echo "has mounts of its own"
awk '$5 == "/" || $5 == "/var/lib/nightshift" { sub(",.*", "", $6); print "mount", $5, $6 }' /proc/$pid/mountinfo
echo "writable code: $(grep -c ' rwx' /proc/$pid/maps)"
echo "as root within its mounts: $(nsenter --target $pid --mount touch /etc/probe 2>&1)"
sed 's/^/inside: /' $home/probe
HOME=/nowhere setpriv --reuid=$owner --regid=$owner --clear-groups bash /probe | sed 's/^/outside: /'
systemd-analyze security --no-pager $unit | tail -n 1
kill -KILL "$pid"
came_back() { [ "$(property NRestarts)" = 1 ] && systemctl is-active --quiet $unit; }
within_time came_back
[ "$(property MainPID)" = "$pid" ] || echo "restarted: $(market)"
pid=$(property MainPID)
/postinst configure 0.0.1-1
[ "$(property MainPID)" = "$pid" ] || echo "upgraded: $(market)"
systemctl stop $unit
systemctl show --property Result --property ExecMainStatus $unit
journalctl --sync
journalctl --unit $unit --output cat --no-pager | grep -c 'The operator runs'
"#;

/// Looks at what came up by itself, and removes the package.
const BOOTED_AGAIN: &str = r#"
home=/var/lib/nightshift owner=nightshift
within_time answers
echo "booted: $(market)"
night operator issue "$(night wallet address)" 1
/prerm remove
state removed
echo "of others in its home: $(find $home ! -user $owner)."
"#;

#[test]
fn the_packaged_unit_runs_a_market_within_its_limits_after_a_kill_an_upgrade_and_a_boot() {
    let Some(system) = System::new() else {
        return;
    };
    system.put_package();
    system.put("probe", PROBE);
    let Some(first) = system.run(PACKAGED) else {
        return;
    };
    let parts = [
        "without a market: inactive, condition no\n",
        "started: active enabled\n",
        "issued 100 cr to",
        "final in block",
        "user: nightshift\n",
        "CapEff:\t0000000000000000\n",
        "CapBnd:\t0000000000000000\n",
        "NoNewPrivs:\t1\n",
        "Seccomp:\t2\n",
        "has mounts of its own\n",
        "mount / ro\n",
        "mount /var/lib/nightshift rw\n",
        "writable code: 0\n",
        "as root within its mounts: touch: cannot touch '/etc/probe': Read-only file system\n",
        "inside: refused: test -c /dev/outside\n",
        "inside: refused: setarch --addr-no-randomize true\n",
        "inside: refused: touch /etc/probe\n",
        "inside: refused: touch /var/lib/probe\n",
        "inside: refused: ls /home\n",
        "inside: refused: unshare --user true\n",
        "inside: killed: pivot_root . .\n",
        "inside: allowed: touch /var/lib/nightshift/probe.txt\n",
        "outside: allowed: test -c /dev/outside\n",
        "outside: allowed: setarch --addr-no-randomize true\n",
        "Result=success\n",
        "ExecMainStatus=0\n",
        "\n3\n", // Times that the journal says that it runs.
    ];
    prints(&first, &parts);
    assert!(exposure(&first.stdout) < 2.0, "{first:?}");
    let market = after(&first.stdout, "the market: ");
    assert!(market.starts_with("issued 100 cr "), "{market}");
    assert_eq!(after(&first.stdout, "restarted: "), market);
    assert_eq!(after(&first.stdout, "upgraded: "), market);
    let second = system.run(BOOTED_AGAIN).expect("it booted before");
    let parts = [
        "final in block",
        "removed: inactive disabled\n",
        "home: .\n",
    ];
    prints(&second, &parts);
    assert_eq!(after(&second.stdout, "booted: "), market);
}

/// Returns the rest of the line that begins with `words`.
fn after<'a>(printed: &'a str, words: &str) -> &'a str {
    let found = printed.lines().find_map(|line| line.strip_prefix(words));
    found.unwrap_or_else(|| panic!("no line {words:?} in:\n{printed}"))
}

/// Returns systemd's own figure for what an attacker could reach from the unit: 0 is nothing, 10 is all.
fn exposure(printed: &str) -> f64 {
    let figures = printed
        .lines()
        .filter(|line| line.contains("exposure level for nightshift-operator.service"));
    let words = figures.flat_map(|line| line.rsplit(": ").next());
    let figure = words.flat_map(|words| words.split(' ').next()).next();
    let figure = figure.and_then(|figure| figure.parse().ok());
    figure.unwrap_or_else(|| panic!("systemd-analyze gives no figure:\n{printed}"))
}

/// Installs an operator as root in the home of another, whose path has a space, and takes it away.
const INSTALLED: &str = r#"
home="/home/nightshift-keeper/night owls" owner=nightshift-keeper
useradd --create-home nightshift-keeper
install=(operator run --listen /ip4/127.0.0.1/tcp/4001 --install)
root() { nightshift --home "$home" "$@"; }
if root "${install[@]}"; then echo WITHOUT A MARKET; fi
night operator init --name owls
if night "${install[@]}"; then echo WITHOUT ROOT; fi
root "${install[@]}" > /told
cat /told
state installed
echo "user: $(stat --format %U "/proc/$(property MainPID)")"
night operator status
night operator issue "$(night wallet address)" 100
root "${install[@]}" > /again
systemctl stop $unit
systemctl show --property Result --property ExecMainStatus $unit
systemctl start $unit
echo "the market: $(market)"
echo "of others in its home: $(find "$home" ! -user $owner)."
eval "$(sed -n 's/.*To undo: `\(.*\)`\..*/\1/p' /told)"
if systemctl is-active $unit; then echo STILL ACTIVE; fi
find /etc/systemd/system -name 'nightshift*' | sed 's/^/LEFT: /'
if root operator run --uninstall; then echo TWICE; fi
"#;

#[test]
fn root_installs_an_operator_that_runs_as_its_homes_owner_and_takes_it_away() {
    let Some(system) = System::new() else {
        return;
    };
    let Some(done) = system.run(INSTALLED) else {
        return;
    };
    let parts = [
        "nightshift-operator.service runs, and starts again by itself",
        "installed: active enabled\n",
        "user: nightshift-keeper\n",
        "conserved  yes",
        "final in block",
        "Result=success\n",
        "ExecMainStatus=0\n",
        "the market: issued 100 cr ",
        "of others in its home: .\n",
        "nightshift-operator.service is stopped",
    ];
    prints(&done, &parts);
    for wrong in ["WITHOUT", "STILL ACTIVE", "LEFT", "TWICE"] {
        assert!(!done.stdout.contains(wrong), "{wrong}: {done:?}");
    }
    for part in [
        "holds no market; found one there first",
        "a system unit is installed by root",
        "nothing is installed",
    ] {
        assert!(done.stderr.contains(part), "{part}: {done:?}");
    }
}

/// Installs an operator where the packaged one runs another market.
const BOTH: &str = r#"
home=/var/lib/nightshift owner=nightshift
/postinst configure
night operator init --name packaged
systemctl enable --now $unit
echo "before: $(market)"
home=/var/tmp/other
night operator init --name other
if nightshift --home $home operator run --install; then echo TAKEN OVER; fi
state still
home=/var/lib/nightshift
echo "after: $(market)"
systemctl disable --now $unit
home=/var/tmp/other
nightshift --home $home operator run --install
echo "other: $(market)"
nightshift --home $home operator run --uninstall
home=/var/lib/nightshift
systemctl start $unit
echo "at last: $(market)"
"#;

#[test]
fn the_market_of_the_packaged_unit_is_not_replaced_by_another() {
    let Some(system) = System::new() else {
        return;
    };
    system.put_package();
    let Some(done) = system.run(BOTH) else {
        return;
    };
    prints(&done, &["still: active enabled\n"]);
    assert!(!done.stdout.contains("TAKEN OVER"), "{done:?}");
    let part = "systemctl disable --now nightshift-operator.service";
    assert!(done.stderr.contains(part), "{done:?}");
    let market = after(&done.stdout, "before: ");
    assert_eq!(after(&done.stdout, "after: "), market);
    assert_ne!(after(&done.stdout, "other: "), market);
    assert_eq!(after(&done.stdout, "at last: "), market);
}
