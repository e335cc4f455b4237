//! Limits that the kernel keeps for each process.
//!
//! It must never use `RLIMIT_AS`: GPU drivers reserve huge address ranges that they never touch.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::init;
use super::sys::{self, Fork};
use crate::config::{Keeper, LaunchConfig};
use crate::layer::{ConfineError, LayerName};

/// Lowers the limits. Must run inside the new user namespace, because the kernel counts
/// processes within it.
pub(super) fn apply(config: &LaunchConfig) -> Result<(), ConfineError> {
    for (resource, value) in wanted(config) {
        lower(resource, value).map_err(|error| {
            ConfineError::new(
                LayerName::ResourceLimits,
                format!("setrlimit {resource:?} to {value}"),
                error,
            )
        })?;
    }
    Ok(())
}

/// Checks from inside that every limit holds, and says so.
pub(super) fn observe(config: &LaunchConfig) -> Result<String, String> {
    let mut words = Vec::new();
    for (resource, value) in wanted(config) {
        match getrlimit(resource).maximum {
            Some(maximum) if maximum <= value => words.push(format!("{resource:?} {maximum}")),
            other => return Err(format!("{resource:?} is {other:?}, over {value}")),
        }
    }
    // Whoever does without a user of its own may be root, whom the kernel counts nowhere.
    if config.process_keeper == Keeper::ResourceLimit && config.has(LayerName::UserNamespace) {
        words.push(observe_count().map_err(|error| error.to_string())?);
    }
    Ok(words.join(", "))
}

/// Checks that the kernel counts the processes of this user, which it does of everybody but the machine's root, under
/// whatever number: none may come while none is allowed. To be called before there is a second thread.
fn observe_count() -> io::Result<String> {
    let given = getrlimit(Resource::Nproc);
    let none = Rlimit {
        current: Some(0),
        ..given
    };
    let can_before = can_fork()?;
    setrlimit(Resource::Nproc, none)?;
    let is_uncounted = can_fork();
    setrlimit(Resource::Nproc, given)?;
    if is_uncounted? {
        return Err(io::Error::other(
            "the kernel lets this user have any number of processes, as it does the machine's root, and no control \
             group counts them; run the node as a user that is not the machine's root outside its container, or in a \
             control group of its own",
        ));
    }
    // A machine, or a group around this one, that is full answers in the same way.
    if !can_before || !can_fork()? {
        return Err(io::Error::other(
            "no process can be started at all, so that nothing tells whether the kernel counts those of this user; the \
             machine or its container may have as many as it can have",
        ));
    }
    Ok("one process more than Nproc: EAGAIN".to_owned())
}

/// Tells whether one process more can be started, which ends at once.
fn can_fork() -> io::Result<bool> {
    match sys::fork() {
        Ok(Fork::Child) => sys::leave(0),
        Ok(Fork::Parent(child)) => init::wait_for(child).map(|_code| true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// The limits of `config`. A file may be as large as memory, since drivers keep device memory in
/// unnamed files; the scratch folder has its own, smaller bound.
fn wanted(config: &LaunchConfig) -> Vec<(Resource, u64)> {
    let limits = &config.limits;
    let seconds = limits.cpu_time.as_secs() + u64::from(limits.cpu_time.subsec_nanos() > 0);
    let mut wanted = vec![
        // The kernel holds a crash handler behind a pipe to no limit, 0 included, but to 1, which no dump fits in.
        (Resource::Core, 1),
        (Resource::Cpu, seconds),
        (Resource::Fsize, limits.memory_bytes),
        (Resource::Nofile, u64::from(limits.open_files)),
        (Resource::Nproc, u64::from(limits.processes) + 2),
    ];
    if config.memory_keeper == Keeper::ResourceLimit {
        wanted.push((Resource::Data, limits.memory_bytes));
    }
    wanted
}

fn lower(resource: Resource, value: u64) -> rustix::io::Result<()> {
    let maximum = getrlimit(resource)
        .maximum
        .map_or(value, |old| old.min(value));
    setrlimit(
        resource,
        Rlimit {
            current: Some(maximum),
            maximum: Some(maximum),
        },
    )
}
