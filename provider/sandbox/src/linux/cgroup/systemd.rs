//! What is asked of systemd: whether a unit delegates its group, and for a delegated scope around
//! this process. By systemd's own programs, so that no library of D-Bus is needed.
//!
//! It must never take a process out of a service, whose manager counts on finding it there, nor
//! put one where it would end earlier than before; and it must never wait without a limit.

use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, geteuid, pidfd_open};

use super::home;
use crate::linux::process::ends_within;

/// The start of the name of every scope asked for; the process id follows.
const PREFIX: &str = "nightshift-agent-";
/// How long systemd gets to answer, and again to move the process.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked whether the process was moved.
const PAUSE: Duration = Duration::from_millis(5);

/// Asks for a scope if this process, in the group `own`, may leave that; says whether it is in
/// one now. Later calls give the first answer.
pub(super) fn ask_once(own: &Path) -> bool {
    // A process has one group whoever asks, so its answer belongs to the process and not to a launch.
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let user = geteuid().as_raw();
        may_leave(own, user, || lingers(user)) && ask() && is_moved()
    })
}

/// Says whether the unit that `group` belongs to delegates it, by word of the user's systemd. Up
/// to version 252 at least, that leaves no mark on the group. Asked once: a process stays in its
/// group, and where it is given another, that one is known by its name.
pub(super) fn delegates_once(group: &Path) -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| unit(group).is_some_and(delegates))
}

fn delegates(unit: &str) -> bool {
    let mut command = Command::new("systemctl");
    command.args([
        "--user",
        "show",
        "--property=Delegate",
        "--value",
        "--",
        unit,
    ]);
    output_within_patience(command).is_some_and(|output| output.trim() == "yes")
}

/// Reads the name of the unit whose own group `group` is.
pub(super) fn unit(group: &Path) -> Option<&str> {
    let name = group.file_name()?.to_str()?;
    [".service", ".scope"]
        .iter()
        .any(|kind| name.ends_with(kind))
        .then_some(name)
}

/// Says whether `group` is a scope that [`ask_once`] was given.
pub(super) fn is_asked_for(group: &Path) -> bool {
    let name = group.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(".scope"))
}

/// Says whether a process of `user` may leave the group `own` for one of the user's systemd: only
/// a scope of that user's, and one of a login session only if that systemd outlives the session.
pub(super) fn may_leave(own: &Path, user: u32, lingers: impl Fn() -> bool) -> bool {
    let mut names = own.iter().filter_map(|name| name.to_str());
    let slice = format!("user-{user}.slice");
    let is_scope = own.extension().is_some_and(|kind| kind == "scope");
    if user == 0 || !is_scope || !names.any(|name| name == slice) {
        return false;
    }
    let manager = format!("user@{user}.service");
    names.any(|name| name == manager) || lingers()
}

/// The call for [`ask_once`], as words of busctl.
pub(super) fn call(process: u32) -> Vec<String> {
    let text = format!(
        "call --timeout=5 org.freedesktop.systemd1 /org/freedesktop/systemd1 \
         org.freedesktop.systemd1.Manager StartTransientUnit ssa(sv)a(sa(sv)) \
         {PREFIX}{process}.scope fail 4 \
         PIDs au 1 {process} \
         Delegate b true \
         CollectMode s inactive-or-failed \
         Description s"
    );
    let words = ["--user", "--quiet"]
        .into_iter()
        .chain(text.split_whitespace());
    let description = ["Nightshift node and its workers", "0"];
    words.chain(description).map(str::to_owned).collect()
}

fn ask() -> bool {
    let mut command = Command::new("busctl");
    command.args(call(std::process::id()));
    output_within_patience(command).is_some()
}

/// Says whether the user's systemd runs on without a session.
fn lingers(user: u32) -> bool {
    let mut command = Command::new("loginctl");
    command
        .args(["show-user", "--property=Linger", "--value"])
        .arg(user.to_string());
    output_within_patience(command).is_some_and(|output| output.trim() == "yes")
}

/// Runs a program of systemd; its output where it ended well and in time.
fn output_within_patience(mut command: Command) -> Option<String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let process = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let ended = process
        .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
        .is_some_and(|process| ends_within(process.as_fd(), PATIENCE));
    if !ended {
        let _ = child.kill();
    }
    let status = child.wait().ok()?;
    // One line at most, which fits into the pipe: the program never waited for a reader.
    let mut output = String::new();
    child.stdout.take()?.read_to_string(&mut output).ok()?;
    (ended && status.success()).then_some(output)
}

/// The call returns before the move: waits for it.
fn is_moved() -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if home::unified().is_some_and(|own| is_asked_for(&own)) {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(PAUSE);
    }
}
