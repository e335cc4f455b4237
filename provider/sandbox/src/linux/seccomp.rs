//! seccomp: the list of system calls that a locked worker may still make.
//!
//! It must never grow for comfort: each group below says who needs it. Everything else answers
//! EPERM, so that a library that merely asks goes on and a probe can see the refusal. `clone3`
//! answers ENOSYS, since its flags lie in memory where a filter cannot look, and the C library
//! then falls back to `clone`.

use std::collections::BTreeMap;

use rustix::process::getpid;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

use crate::driver::{AfterLock, CodePages, DriverProfile, Ioctl};
use crate::layer::{ConfineError, LayerName};

/// The rules for each call: an empty list allows it whatever its arguments are.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;
/// What the filter library answers.
type Answer<T> = Result<T, seccompiler::BackendError>;

/// The pipes, and the descriptors already open.
const PIPES: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_ppoll,
];
/// The allocators of the C library, the engine and the drivers.
const MEMORY: &[libc::c_long] = &[
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mincore,
];
/// The advice that allocators and stacks give; none that merges pages with those of others. The last two put guards
/// around stacks, and the C library's headers do not have them everywhere yet.
const ADVICE: [u64; 8] = [
    libc::MADV_NORMAL.unsigned_abs() as u64,
    libc::MADV_WILLNEED.unsigned_abs() as u64,
    libc::MADV_DONTNEED.unsigned_abs() as u64,
    libc::MADV_FREE.unsigned_abs() as u64,
    libc::MADV_HUGEPAGE.unsigned_abs() as u64,
    libc::MADV_NOHUGEPAGE.unsigned_abs() as u64,
    102,
    103,
];
/// Threads: locks, stacks, placement.
const THREADS: &[libc::c_long] = &[
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_membarrier,
    libc::SYS_gettid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_restart_syscall,
];
/// Signal handling within the process, as a panic and an overflow of the stack need it.
const SIGNALS: &[libc::c_long] = &[
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
];
/// Clocks, for progress and for timed waits.
const CLOCKS: &[libc::c_long] = &[
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
];
/// Questions about the process itself, and randomness.
const QUESTIONS: &[libc::c_long] = &[
    libc::SYS_getpid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getrusage,
    libc::SYS_times,
    libc::SYS_uname,
    libc::SYS_getrandom,
];
/// What real drivers still open and ask; Landlock and the mounts bound where.
const DEVICES: &[libc::c_long] = &[
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_readlinkat,
    libc::SYS_pread64,
    libc::SYS_getdents64,
];
/// The old names that only some processors have.
#[cfg(target_arch = "x86_64")]
const OLD_NAMES: &[libc::c_long] = &[libc::SYS_poll, libc::SYS_time];
#[cfg(not(target_arch = "x86_64"))]
const OLD_NAMES: &[libc::c_long] = &[];

/// Installs the filters on every thread of the process.
pub(super) fn install(profile: &DriverProfile) -> Result<(), ConfineError> {
    let failed = |step: &'static str| {
        move |error: &dyn std::fmt::Display| ConfineError::new(LayerName::Seccomp, step, error)
    };
    let pid = u64::from(getpid().as_raw_nonzero().get().unsigned_abs());
    let programs = [
        compile(
            fallback_to_clone(),
            SeccompAction::Allow,
            refuse(libc::ENOSYS),
        ),
        allowed(profile, pid)
            .and_then(|rules| compile(rules, refuse(libc::EPERM), SeccompAction::Allow)),
    ];
    for program in programs {
        let program = program.map_err(|error| failed("compile the filter")(&error))?;
        seccompiler::apply_filter_all_threads(&program)
            .map_err(|error| failed("install the filter")(&error))?;
    }
    Ok(())
}

fn compile(rules: Rules, otherwise: SeccompAction, on_match: SeccompAction) -> Answer<BpfProgram> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    BpfProgram::try_from(SeccompFilter::new(rules, otherwise, on_match, arch)?)
}

fn refuse(errno: libc::c_int) -> SeccompAction {
    SeccompAction::Errno(errno.unsigned_abs())
}

fn fallback_to_clone() -> Rules {
    Rules::from([(libc::SYS_clone3, Vec::new())])
}

/// The whole list for a profile; `pid` is the process, the only one that may be signalled.
fn allowed(profile: &DriverProfile, pid: u64) -> Answer<Rules> {
    let plain = [
        PIPES, MEMORY, THREADS, SIGNALS, CLOCKS, QUESTIONS, OLD_NAMES,
    ];
    let mut rules: Rules = plain
        .into_iter()
        .flatten()
        .map(|&call| (call, Vec::new()))
        .collect();
    // Left to the other filter, whose answer is ENOSYS.
    rules.insert(libc::SYS_clone3, Vec::new());
    rules.insert(libc::SYS_clone, vec![only_threads()?]);
    rules.insert(libc::SYS_tgkill, vec![equal(0, pid)?]);
    rules.insert(libc::SYS_prctl, one_of(0, &harmless_prctl())?);
    rules.insert(libc::SYS_fcntl, one_of(1, &harmless_fcntl())?);
    // Reading limits is fine, setting them is not: the new value must be null.
    let reading = SeccompCondition::new(2, Len::Qword, Op::Eq, 0)?;
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![reading])?]);
    rules.insert(libc::SYS_madvise, one_of(2, &ADVICE)?);
    rules.insert(libc::SYS_futex, futex_operations()?);
    rules.insert(libc::SYS_mmap, map(profile.code_pages)?);
    rules.insert(libc::SYS_mprotect, code_pages(profile.code_pages)?);
    if let AfterLock::Devices { ioctls } = &profile.after_lock {
        rules.extend(DEVICES.iter().map(|&call| (call, Vec::new())));
        let ioctls: Answer<Vec<_>> = ioctls.iter().map(device_call).collect();
        // An empty list of rules would allow every device call.
        if let Some(ioctls) = Some(ioctls?).filter(|ioctls| !ioctls.is_empty()) {
            rules.insert(libc::SYS_ioctl, ioctls);
        }
    }
    Ok(rules)
}

/// `clone` must make a thread, and no namespace.
fn only_threads() -> Answer<SeccompRule> {
    let new_namespaces = libc::CLONE_NEWNS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET;
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let looked_at = thread | u64::from(new_namespaces.unsigned_abs());
    SeccompRule::new(vec![SeccompCondition::new(
        0,
        Len::Qword,
        Op::MaskedEq(looked_at),
        thread,
    )?])
}

fn code_pages(code_pages: CodePages) -> Answer<Vec<SeccompRule>> {
    match code_pages {
        CodePages::CompiledAtRunTime => Ok(Vec::new()),
        CodePages::Fixed => Ok(vec![SeccompRule::new(vec![not_executable()?])?]),
    }
}

fn not_executable() -> Answer<SeccompCondition> {
    let executable = u64::from(libc::PROT_EXEC.unsigned_abs());
    SeccompCondition::new(2, Len::Qword, Op::MaskedEq(executable), 0)
}

/// Memory that is counted: no huge pages, which belong to no control group, and no mapping that grows down, which
/// `RLIMIT_DATA` does not count. New memory is the process's own: what is shared can be held without being mapped, where
/// only a control group counts it. What a file stands behind may be shared, and no file can be made.
fn map(code_pages: CodePages) -> Answer<Vec<SeccompRule>> {
    let uncounted = libc::MAP_HUGETLB | libc::MAP_GROWSDOWN;
    let new = libc::MAP_ANONYMOUS;
    let kinds = [
        (uncounted | new, 0),
        (uncounted | new | libc::MAP_TYPE, new | libc::MAP_PRIVATE),
    ];
    let rule = |(looked_at, wanted): (libc::c_int, libc::c_int)| {
        let [looked_at, wanted] = [looked_at, wanted].map(|flags| u64::from(flags.unsigned_abs()));
        let flags = SeccompCondition::new(3, Len::Qword, Op::MaskedEq(looked_at), wanted)?;
        let mut conditions = vec![flags];
        if code_pages == CodePages::Fixed {
            conditions.push(not_executable()?);
        }
        SeccompRule::new(conditions)
    };
    kinds.into_iter().map(rule).collect()
}

/// Waiting and waking, and none of the operations that lend priority, which have been ways into kernels.
fn futex_operations() -> Answer<Vec<SeccompRule>> {
    const OPERATION: u64 = 0x7f;
    let operations = [
        libc::FUTEX_WAIT,
        libc::FUTEX_WAKE,
        libc::FUTEX_REQUEUE,
        libc::FUTEX_CMP_REQUEUE,
        libc::FUTEX_WAKE_OP,
        libc::FUTEX_WAIT_BITSET,
        libc::FUTEX_WAKE_BITSET,
    ];
    let rule = |operation: libc::c_int| {
        let operation = u64::from(operation.unsigned_abs());
        let is_it = SeccompCondition::new(1, Len::Dword, Op::MaskedEq(OPERATION), operation)?;
        SeccompRule::new(vec![is_it])
    };
    operations.into_iter().map(rule).collect()
}

fn harmless_prctl() -> [u64; 3] {
    [
        libc::PR_SET_NAME,
        libc::PR_GET_SECCOMP,
        libc::PR_GET_NO_NEW_PRIVS,
    ]
    .map(|option| u64::from(option.unsigned_abs()))
}

fn harmless_fcntl() -> [u64; 3] {
    [libc::F_GETFD, libc::F_GETFL, libc::F_DUPFD_CLOEXEC]
        .map(|command| u64::from(command.unsigned_abs()))
}

fn equal(argument: u8, value: u64) -> Answer<SeccompRule> {
    SeccompRule::new(vec![SeccompCondition::new(
        argument,
        Len::Dword,
        Op::Eq,
        value,
    )?])
}

fn one_of(argument: u8, values: &[u64]) -> Answer<Vec<SeccompRule>> {
    values.iter().map(|&value| equal(argument, value)).collect()
}

/// The type letter is the second byte of an ioctl's number.
fn device_call(ioctl: &Ioctl) -> Answer<SeccompRule> {
    match *ioctl {
        Ioctl::Type { letter, .. } => {
            let letter = u64::from(letter) << 8;
            let of_type = SeccompCondition::new(1, Len::Dword, Op::MaskedEq(0xff00), letter)?;
            SeccompRule::new(vec![of_type])
        }
        Ioctl::Number { number, .. } => equal(1, u64::from(number)),
    }
}

/// The numbers of the system calls that a locked worker may make with this profile, whatever
/// their arguments are; for the tool that records what a driver really calls.
#[must_use]
pub fn calls_after_lock(profile: &DriverProfile) -> Vec<i64> {
    // A list that does not compile installs no filter either: then nothing starts.
    allowed(profile, 0).map_or_else(|_| Vec::new(), |rules| rules.into_keys().collect())
}

#[cfg(test)]
mod tests;
