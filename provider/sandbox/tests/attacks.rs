//! Every line of the table of attacks, by workers that really try, in three circumstances. Linux only.
//!
//! For each attack three things are shown: all layers together stop it; without its layers it gets through, so that the
//! attempt is a real one; and each of its layers alone stops it. What cannot be shown on a machine is said with why,
//! and counted as nothing.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "what the tests share with each other is test code too"
)]

#[path = "probe/tried.rs"]
mod tried;

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use sandbox::{Attack, LayerName};
use tempfile::TempDir;
use tried::{Part, Tried};

const PROBE: &str = env!("CARGO_BIN_EXE_sandbox-probe");
/// Users without rights: one a test, since the kernel counts the processes of a user together.
const ORDINARY: [u32; 4] = [65_532, 65_533, 65_531, 65_530];

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// A copy of the probe where every user can run it: the one that was built may lie in a home that others cannot enter.
struct ProbeForAll {
    folder: TempDir,
}

impl ProbeForAll {
    fn lay() -> Self {
        let anyone = fs::Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new()
            .prefix("sandbox-probe-")
            .permissions(anyone)
            .tempdir()
            .unwrap();
        let laid = Self { folder };
        fs::copy(PROBE, laid.path()).unwrap();
        laid
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("probe")
    }

    fn command(&self, user: u32) -> Command {
        let mut command = Command::new(self.path());
        command.uid(user).gid(user);
        command
    }
}

/// Lets the probe try everything as `command` starts it, and judges each line. Returns whether the probe was in a place
/// where a control group can be made.
fn every_line_holds(mut command: Command) -> bool {
    let output = command.arg("attacks").output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    let lines = judged(&output.stdout);
    let of = |part: Part| lines.iter().filter(move |line| line.part == part);
    assert_eq!(
        of(Part::Together).count(),
        Attack::all().filter(|attack| !attack.takes_a_job()).count()
    );
    // Most can be shown on any Linux; a probe that excuses itself everywhere shows nothing.
    let shown = |part| of(part).filter(|line| line.excuse.is_none()).count();
    assert!(
        shown(Part::Control) >= 20,
        "{} controls",
        shown(Part::Control)
    );
    assert!(
        shown(Part::Alone) >= 40,
        "{} layers alone",
        shown(Part::Alone)
    );
    let by_group = |line: &&Tried| line.layer == LayerName::ControlGroup.to_string();
    let mut by_group = of(Part::Alone).filter(by_group);
    by_group.all(|line| line.excuse.is_none())
}

/// Reads the probe's lines, each of which must speak for the sandbox.
fn judged(json: &[u8]) -> Vec<Tried> {
    let lines: Vec<Tried> = serde_json::from_slice(json).unwrap();
    let mut wrong = Vec::new();
    for line in &lines {
        println!("{line}");
        if is_wrong(line) {
            wrong.push(line.to_string());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    lines
}

/// Says whether a line speaks against the sandbox, or against the attempt.
fn is_wrong(line: &Tried) -> bool {
    let expected = match line.part {
        Part::Together | Part::Alone => "stopped",
        Part::Control => "not stopped",
    };
    line.excuse.is_none() && line.verdict != expected
}

#[test]
fn as_whoever_runs_the_tests() {
    every_line_holds(Command::new(PROBE));
}

#[test]
fn as_an_ordinary_user_without_a_control_group() {
    if !is_root() {
        every_line_holds(Command::new(PROBE));
        return println!("whether this user has a control group is not known");
    }
    let probe = ProbeForAll::lay();
    let has_group = every_line_holds(probe.command(ORDINARY[0]));
    assert!(!has_group, "it has a group");
}

#[test]
fn as_an_ordinary_user_with_a_delegated_control_group() {
    let Some(groups) = Delegated::make() else {
        return println!(
            "skipped: only root can delegate a control group here, and only of version 1; \
             `make test-vm` does it by systemd, of version 2"
        );
    };
    let probe = ProbeForAll::lay();
    let mut command = probe.command(ORDINARY[1]);
    let doors = groups.doors();
    // SAFETY: the closure only writes to open descriptors.
    #[expect(unsafe_code, reason = "a process enters a group between fork and exec")]
    unsafe {
        command.pre_exec(move || {
            for door in &doors {
                rustix::io::write(door, b"0")?;
            }
            Ok(())
        });
    }
    assert!(every_line_holds(command), "it has no group");
    drop(groups);
}

/// The kernel bounds the processes of everybody but the machine's root, whatever number root has in a container.
#[test]
fn where_nothing_bounds_the_processes_of_the_user_no_worker_comes_up() {
    if !is_root() || !is_the_machines_root() {
        return println!("skipped: only the machine's root can go by another number");
    }
    let probe = ProbeForAll::lay();
    let under_another_number = |of: Option<u32>| {
        let inside = format!(
            "mount -t tmpfs tmpfs /sys/fs/cgroup && \
             exec setpriv --inh-caps=-all --ambient-caps=-all {} self-test",
            probe.path().display()
        );
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-user=1000", "--map-group=1000"])
            .args(["--mount", "--keep-caps", "sh", "-c", &inside]);
        if let Some(user) = of {
            command.uid(user).gid(user);
        }
        let output = command.output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), words)
    };
    let (is_offered, words) = under_another_number(None);
    assert!(
        !is_offered && words.contains("any number of processes"),
        "{words}"
    );
    let (is_offered, words) = under_another_number(Some(ORDINARY[2]));
    assert!(is_offered, "{words}");
}

/// What becomes of a worker of 96 MiB that holds so many in this way, without a control group; `None` where that cannot be
/// shown here.
fn what_becomes_of(way: &str, mebibytes: &str) -> Option<String> {
    let probe = ProbeForAll::lay();
    let mut command = if is_root() {
        probe.command(ORDINARY[3])
    } else {
        Command::new(PROBE)
    };
    let output = command.args(["hold", way, mebibytes]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    if told == "in a group" {
        assert!(!is_root(), "this user can make no group");
        println!("skipped: here a control group counts");
        return None;
    }
    Some(told)
}

/// What is protected once it is written is no data, which the limit of a process counts, nor are tables of memory.
#[test]
fn memory_that_no_limit_of_a_process_counts_ends_a_worker_that_no_group_counts() {
    for way in ["protected", "tables"] {
        let Some(bomb) = what_becomes_of(way, "384") else {
            return;
        };
        assert_eq!(bomb, "OutOfMemory", "{way}");
        assert_eq!(what_becomes_of(way, "16").unwrap(), "it goes on", "{way}");
    }
}

/// It could be held without being mapped, and then nothing but a control group would count it.
#[test]
fn new_memory_that_could_be_shared_is_refused() {
    let refused = std::io::Error::from_raw_os_error(libc::EPERM).to_string();
    if let Some(told) = what_becomes_of("shared", "1") {
        assert_eq!(told, refused);
    }
}

fn is_the_machines_root() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap();
    let mut numbers = map.split_whitespace();
    (numbers.next(), numbers.next()) == (Some("0"), Some("0"))
}

/// Starts an agent that tries the attacks with this number against all layers.
fn trying(number: &str) -> Child {
    let mut agent = Command::new(PROBE);
    agent.args(["attack", number]).stdout(Stdio::null());
    agent.spawn().unwrap()
}

/// Below the check there are its second agent and that one's launcher, init and worker.
#[test]
fn a_check_that_is_killed_takes_its_second_agent_and_all_below_it_along() {
    let mut check = trying("18");
    let patience = Instant::now() + Duration::from_secs(60);
    let family = loop {
        let family = sandbox::family_of(check.id());
        if family.len() >= 5 {
            break family;
        }
        assert!(Instant::now() < patience, "only {family:?} came to be");
        std::thread::yield_now();
    };
    let mut watched: Vec<OwnedFd> = Vec::new();
    for pid in family.into_iter().filter(|pid| *pid != check.id()) {
        let number = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        // A worker that observes itself has children for a moment.
        let Ok(process) = pidfd_open(number, PidfdFlags::empty()) else {
            continue;
        };
        // The worker stands still, so that the second agent waits for it and has no other reason to end.
        if sandbox::family_of(pid).len() < 4 {
            let _ended_meanwhile = pidfd_send_signal(&process, Signal::STOP);
        }
        watched.push(process);
    }
    check.kill().unwrap();
    check.wait().unwrap();
    for process in watched {
        let mut fds = [PollFd::new(&process, PollFlags::IN)];
        let limit = Timespec {
            tv_sec: 10,
            tv_nsec: 0,
        };
        assert_eq!(poll(&mut fds, Some(&limit)).unwrap(), 1, "one lives on");
    }
}

/// Groups live on when the agent is killed: the next start takes them away.
#[test]
fn what_a_killed_agent_left_is_swept_away_by_the_next_start() {
    let mut agent = trying("16");
    let of_it = format!("nightshift-worker-{}-", agent.id());
    let patience = Instant::now() + Duration::from_secs(120);
    let made = loop {
        let made = groups_named(Path::new("/sys/fs/cgroup"), &of_it);
        if !made.is_empty() {
            break made;
        }
        if agent.try_wait().unwrap().is_some() {
            return println!("skipped: no control group can be made here");
        }
        assert!(Instant::now() < patience, "the agent does not end");
        std::thread::yield_now();
    };
    agent.kill().unwrap();
    agent.wait().unwrap();
    // The group's last process may still be dying at the first start after.
    while made.iter().any(|folder| folder.exists()) {
        assert!(Instant::now() < patience, "{made:?} are left");
        let next = Command::new(PROBE).arg("self-test").output().unwrap();
        assert!(next.status.success(), "{next:?}");
    }
}

/// Finds the control groups below `top` whose names begin with `start`.
fn groups_named(top: &Path, start: &str) -> Vec<PathBuf> {
    let mut open = vec![top.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            if entry.file_name().to_string_lossy().starts_with(start) {
                found.push(entry.path());
            }
            open.push(entry.path());
        }
    }
    found
}

#[test]
fn where_there_is_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let answer = folder.path().join("answer");
    let command = format!("{PROBE} attacks 22 > {}", answer.display());
    let on_terminal = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .output();
    match on_terminal {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) => return println!("skipped: no program `script` lends a terminal: {error}"),
    }
    let lines = judged(&fs::read(answer).unwrap());
    let on_terminal = lines.iter().find(|line| {
        line.part == Part::Control && line.attack == Attack::TerminalInput.to_string()
    });
    assert_eq!(on_terminal.unwrap().excuse, None);
}

/// Groups of version 1 that belong to an ordinary user; dropping them takes them away.
struct Delegated(Vec<PathBuf>);

impl Delegated {
    fn make() -> Option<Self> {
        if !is_root() {
            return None;
        }
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        let made = ["memory", "pids"].map(|controller| {
            let ending = |line: &str| {
                let mut fields = line.splitn(3, ':').skip(1);
                let is_it = fields.next()?.split(',').any(|each| each == controller);
                is_it.then(|| fields.next().map(str::to_owned)).flatten()
            };
            let below = own.lines().find_map(ending)?;
            let root = Path::new("/sys/fs/cgroup").join(controller);
            // In a container the path is the outer one, which is not to be seen.
            let parent =
                Some(root.join(below.trim_start_matches('/'))).filter(|path| path.is_dir());
            let folder = parent
                .unwrap_or(root)
                .join(format!("sandbox-test-{}", std::process::id()));
            fs::create_dir(&folder).ok()?;
            Some(folder)
        });
        let made = Self(made.into_iter().flatten().collect());
        for folder in &made.0 {
            let entries = fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path());
            for path in entries.chain([folder.clone()]) {
                std::os::unix::fs::chown(path, Some(ORDINARY[1]), Some(ORDINARY[1])).unwrap();
            }
        }
        (made.0.len() == 2).then_some(made)
    }

    fn doors(&self) -> Vec<fs::File> {
        let open = |folder: &PathBuf| {
            fs::File::options()
                .write(true)
                .open(folder.join("cgroup.procs"))
        };
        self.0.iter().map(|folder| open(folder).unwrap()).collect()
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        for folder in &self.0 {
            let below = fs::read_dir(folder).unwrap().flatten();
            let left: Vec<PathBuf> = below
                .map(|entry| entry.path())
                .filter(|path| path.is_dir())
                .collect();
            if std::thread::panicking() {
                continue;
            }
            assert!(left.is_empty(), "groups of workers were left: {left:?}");
            fs::remove_dir(folder).unwrap();
        }
    }
}
