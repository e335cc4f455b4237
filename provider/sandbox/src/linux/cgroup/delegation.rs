//! Which group of version 2 was delegated to this agent, and how it is made ready for workers.
//!
//! It must never touch a group that nobody delegated: such a group has one writer, and that is not
//! us. Follows <https://systemd.io/CGROUP_DELEGATION>: below a delegated group all is ours, and
//! since a group with processes cannot have limited children, its processes go into a leaf first.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::getxattr;
use rustix::process::geteuid;

use super::{home, systemd};

/// The sub-group of the agent itself.
const LEAF: &str = "agent";
/// What the workers' groups need.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];
/// How often a group is emptied in which new processes appear.
const ROUNDS: u32 = 8;
/// How the system's systemd marks what it delegated: for root, and since version 251 for everyone.
const MARKS: [&str; 2] = ["user.delegate", "trusted.delegate"];

/// Finds the group in which workers' groups can be made, and makes it ready. Asks the user's
/// systemd for one, once, where this process has none.
///
/// # Errors
/// There is none, or the kernel refused.
pub(super) fn parent_for_workers(own: &Path) -> io::Result<PathBuf> {
    let group = match delegated(own) {
        Some(group) => group,
        None if is_in_use(own) && systemd::ask_once(own) => home::unified()
            .and_then(|own| delegated(&own))
            .ok_or(io::ErrorKind::PermissionDenied)?,
        None => return Err(io::ErrorKind::PermissionDenied.into()),
    };
    settle(&group)?;
    Ok(group)
}

/// Says whether version 2 has the controllers on this machine at all: beside version 1 it may be
/// mounted for other ends. The group at its top tells, and all below have fewer.
fn is_in_use(own: &Path) -> bool {
    let read = |group: &Path| fs::read_to_string(group.join("cgroup.controllers")).ok();
    own.ancestors()
        .filter_map(read)
        .last()
        .is_some_and(|top| has_controllers(&top))
}

/// Finds the delegated group of a process in `own`: that one, or where `own` is an agent's leaf,
/// the one above.
fn delegated(own: &Path) -> Option<PathBuf> {
    let above = own.parent().filter(|_| own.ends_with(LEAF));
    let user = geteuid().as_raw();
    let is_ours = |group: &&Path| is_ours(group, user, Signs::of(group), systemd::delegates_once);
    let found = above.into_iter().chain([own]).find(is_ours);
    found.map(Path::to_owned)
}

/// What is seen of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signs {
    /// The one user who owns both the folder and its list of processes.
    pub(super) owner: Option<u32>,
    /// Whether the system's systemd marked it as delegated.
    pub(super) marked: bool,
}

impl Signs {
    fn of(group: &Path) -> Self {
        let owner = |path: &Path| fs::metadata(path).ok().map(|metadata| metadata.uid());
        let both = (owner(group), owner(&group.join("cgroup.procs")));
        Self {
            owner: both.0.filter(|_| both.0 == both.1),
            marked: is_marked(group),
        }
    }
}

fn is_marked(group: &Path) -> bool {
    MARKS.iter().any(|mark| {
        let mut value = [0_u8; 8];
        getxattr(group, *mark, &mut value).is_ok_and(|length| value[..length] == *b"1")
    })
}

/// Says whether `group` was delegated to `user`; `delegates` asks the user's systemd about one of
/// its groups.
pub(super) fn is_ours(
    group: &Path,
    user: u32,
    signs: Signs,
    delegates: impl Fn(&Path) -> bool,
) -> bool {
    if signs.owner != Some(user) {
        return false;
    }
    if signs.marked || user == 0 {
        // Root owns nearly all groups, so that owning one says nothing.
        return signs.marked;
    }
    // An ordinary user who owns a group was given it: by an administrator, or to the user's own
    // systemd, which makes groups of it for all that it starts and delegates few of them.
    !is_below_manager(group) || systemd::is_asked_for(group) || delegates(group)
}

/// Says whether `group` is one of the user's systemd.
fn is_below_manager(group: &Path) -> bool {
    group.ancestors().skip(1).any(|above| {
        let name = above.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("user@") && name.ends_with(".service"))
    })
}

/// Makes `group` ready: its processes in the leaf, its controllers on for its children.
fn settle(group: &Path) -> io::Result<()> {
    let control = group.join("cgroup.subtree_control");
    if !has_controllers(&fs::read_to_string(group.join("cgroup.controllers"))?) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    if has_controllers(&fs::read_to_string(&control)?) {
        return Ok(());
    }
    let wanted = CONTROLLERS.map(|name| format!("+{name}")).join(" ");
    for _ in 0..ROUNDS {
        move_to_leaf(group)?;
        match fs::write(&control, &wanted) {
            // Something was started in the group meanwhile.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
            other => return other,
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Moves every process of `group` itself into the leaf. All of them are the delegate's own.
fn move_to_leaf(group: &Path) -> io::Result<()> {
    let leaf = group.join(LEAF);
    match fs::create_dir(&leaf) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    for process in processes(&fs::read_to_string(group.join("cgroup.procs"))?) {
        match fs::write(leaf.join("cgroup.procs"), process.to_string()) {
            // It has ended.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            other => other?,
        }
    }
    Ok(())
}

/// Reads a list of controllers: whether those that workers need are in it.
pub(super) fn has_controllers(text: &str) -> bool {
    let all: Vec<&str> = text.split_whitespace().collect();
    CONTROLLERS.iter().all(|name| all.contains(name))
}

/// Reads a list of processes. One of another pid namespace has the number zero, and cannot be
/// named from here.
pub(super) fn processes(text: &str) -> Vec<u32> {
    let numbers = text.lines().filter_map(|line| line.parse().ok());
    numbers.filter(|&process| process != 0).collect()
}
