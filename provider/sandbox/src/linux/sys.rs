//! The raw system calls that no safe crate of ours offers, each behind a safe function.
//!
//! It must never decide anything: callers own the order and the meaning.
#![expect(
    unsafe_code,
    reason = "fork, exec, close_range and mount_setattr have no safe wrapper here"
)]

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, set_parent_process_death_signal};

/// Which side of a fork the caller is on.
pub(super) enum Fork {
    /// The new process.
    Child,
    /// The old process, with the new one's id.
    Parent(Pid),
}

/// Forks. Refuses in a process with several threads, where the child could find a lock held.
pub(super) fn fork() -> io::Result<Fork> {
    if thread_count()? != 1 {
        return Err(io::Error::other("the process has more than one thread"));
    }
    fork_unchecked()
}

/// Forks without counting threads; the child may only make raw calls and leave.
pub(super) fn fork_unchecked() -> io::Result<Fork> {
    // SAFETY: the callers either have one thread or only make system calls in the child.
    let pid = unsafe { libc::fork() };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Pid::from_raw(pid).map_or(Fork::Child, Fork::Parent))
}

/// Counts the threads of this process.
pub(super) fn thread_count() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// Ends the process at once, without destructors or buffers.
pub(super) fn leave(code: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Closes every descriptor from `first` up. Nothing of this process may use them afterwards.
pub(super) fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: the stages call this where they own no descriptor from `first` up.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0_u32) })
}

/// What a process does between fork and exec.
pub(super) struct BeforeExec {
    /// The files through which it enters its control groups.
    pub(super) groups: Vec<OwnedFd>,
    /// What it inherits, which only an attack is given.
    pub(super) leak: Option<OwnedFd>,
    /// Whether it leaves the terminal behind.
    pub(super) new_session: bool,
    /// Whether it dies with the thread that forked it.
    pub(super) end_with_parent: bool,
}

/// Prepares `command` to do that.
pub(super) fn prepare(command: &mut Command, what: BeforeExec) {
    let before_exec = move || {
        if what.new_session {
            rustix::process::setsid()?;
        }
        if what.end_with_parent {
            set_parent_process_death_signal(Some(Signal::KILL))?;
        }
        for group in &what.groups {
            rustix::io::write(group, b"0")?;
        }
        if let Some(leak) = &what.leak {
            rustix::io::fcntl_setfd(leak, rustix::io::FdFlags::empty())?;
        }
        Ok(())
    };
    // SAFETY: the closure only makes system calls; it neither allocates nor takes locks.
    unsafe { command.pre_exec(before_exec) };
}

/// Leaves the shared namespaces named by `flags` (`CLONE_NEW*`).
pub(super) fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: the flags name namespaces only; memory and descriptors stay shared as before.
    check(unsafe { libc::unshare(flags) }.into())
}

/// The kernel's `struct mount_attr`.
#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// Adds `MOUNT_ATTR_*` flags to the mount at `path` and to every mount below it.
pub(super) fn add_mount_attributes(path: &Path, set: u64) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attributes = MountAttributes {
        set,
        clear: 0,
        propagation: 0,
        user_namespace: 0,
    };
    // SAFETY: the path ends in NUL, and the size given is that of the structure pointed to.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    })
}

/// Replaces the process by `program` with exactly `args` and `env`; returns only on failure.
pub(super) fn execute(
    program: BorrowedFd<'_>,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
) -> io::Error {
    let pairs = env.into_iter().map(|(mut name, value)| {
        name.push("=");
        name.push(value);
        name
    });
    let (Ok(args), Ok(env)) = (c_strings(args.into_iter()), c_strings(pairs)) else {
        return io::Error::from(io::ErrorKind::InvalidInput);
    };
    let (args_raw, env_raw) = (pointers(&args), pointers(&env));
    // SAFETY: both arrays end in null and point to strings that live until the call returns.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            args_raw.as_ptr(),
            env_raw.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

fn c_strings(texts: impl Iterator<Item = OsString>) -> Result<Vec<CString>, std::ffi::NulError> {
    texts.map(|text| CString::new(text.into_vec())).collect()
}

fn pointers(texts: &[CString]) -> Vec<*const libc::c_char> {
    let ends = std::iter::once(std::ptr::null());
    texts.iter().map(|text| text.as_ptr()).chain(ends).collect()
}

/// The signals that the launcher waits for.
fn awaited() -> libc::sigset_t {
    // SAFETY: sigemptyset initialises the set before anything reads it.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        set
    }
}

/// Holds SIGTERM and SIGCHLD back until [`next_signal`] takes them.
pub(super) fn hold_signals() {
    let set = awaited();
    // SAFETY: the set is initialised and outlives the call.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
}

/// Lets SIGTERM and SIGCHLD through again; the worker must not inherit the hold.
pub(super) fn release_signals() {
    let set = awaited();
    // SAFETY: the set is initialised and outlives the call.
    unsafe { libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut()) };
}

/// Waits for a held signal and returns its number.
pub(super) fn next_signal() -> i32 {
    let set = awaited();
    let mut signal = 0;
    // SAFETY: both pointers are valid for the call.
    while unsafe { libc::sigwait(&raw const set, &raw mut signal) } != 0 {}
    signal
}

/// Empties the bounding set, so that no exec can bring a capability back.
pub(super) fn empty_bounding_set() -> io::Result<()> {
    for capability in 0..64 as libc::c_ulong {
        // SAFETY: the call takes numbers only.
        let answer = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        let error = io::Error::last_os_error();
        if answer != 0 && error.raw_os_error() != Some(libc::EINVAL) {
            return Err(error);
        }
    }
    Ok(())
}

/// Says whether `capability` is in the bounding set; `false` for one the kernel does not know.
pub(super) fn in_bounding_set(capability: libc::c_ulong) -> bool {
    // SAFETY: the call takes numbers only.
    (unsafe { libc::prctl(libc::PR_CAPBSET_READ, capability, 0, 0, 0) }) == 1
}

/// Makes a call with numbers only, for probes that expect it to be refused.
pub(super) fn probe(number: libc::c_long, args: [libc::c_ulong; 4]) -> io::Result<i64> {
    let [a, b, c, d] = args;
    // SAFETY: the callers pass calls that read no memory through these numbers, or null.
    let answer = unsafe { libc::syscall(number, a, b, c, d) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(answer)
}

/// Makes this process one whose memory no crash handler gets, and that no other user can debug. Where the node is not root,
/// its own user still can: the kernel gives whoever made a user namespace every right over what is in it.
pub(super) fn close_to_debuggers() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, dumpable_behavior, set_dumpable_behavior};

    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    match dumpable_behavior()? {
        DumpableBehavior::NotDumpable => Ok(()),
        other => Err(io::Error::other(format!("it is {other:?} still"))),
    }
}

/// Overwrites the value of an environment variable where it lies. The process must have one thread.
pub(super) fn wipe_variable(name: &str) {
    let Ok(name) = CString::new(name) else {
        return;
    };
    // SAFETY: with one thread nobody changes the environment meanwhile; the value ends in NUL and is writable.
    unsafe {
        let value = libc::getenv(name.as_ptr());
        if !value.is_null() {
            std::ptr::write_bytes(value, 0, libc::strlen(value));
        }
    }
}

/// Lets SIGCHLD and SIGTERM do what they do by default: what a parent ignored would be ignored here too.
pub(super) fn default_signals() {
    for signal in [libc::SIGCHLD, libc::SIGTERM] {
        // SAFETY: the default action is no function of this program.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Says whether descriptor `number` is open in this process.
pub(super) fn is_open(number: i32) -> bool {
    // SAFETY: F_GETFD reads one flag and touches no memory.
    (unsafe { libc::fcntl(number, libc::F_GETFD) }) >= 0
}

fn check(answer: libc::c_long) -> io::Result<()> {
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
