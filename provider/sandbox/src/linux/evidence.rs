//! What a worker observes of its own confinement, layer by layer.
//!
//! It must never report what was merely configured: each line comes from trying or asking the
//! kernel, from inside. Only layers whose attacks have no substitute are required.

use std::io;

use rustix::process::Signal;

use super::{identity, landlock, limit, namespaces, root, sys};
use crate::config::{CONFIG_VARIABLE, LaunchConfig, STAGE_VARIABLE};
use crate::layer::{ConfineError, Layer, LayerName};

/// The layers that are there before the engine warms up; the process has one thread.
pub(super) fn before_lock(config: &LaunchConfig) -> Result<Vec<Layer>, ConfineError> {
    let mut layers = Vec::new();
    for name in LayerName::REQUIRED {
        if name != LayerName::Seccomp && config.has(name) {
            layers.push(required(name, observe(name, config))?);
        }
    }
    // The file by which it is observed lies in the worker's own root.
    if config.landlock_abi > 0 && config.has(LayerName::MountNamespace) {
        let seen = landlock::observe(config.landlock_abi);
        layers.push(required(LayerName::Landlock, seen)?);
    }
    if config.has(LayerName::NestedNamespaces)
        && let Ok(evidence) = namespaces::observe_nested()
    {
        layers.push(Layer {
            name: LayerName::NestedNamespaces,
            evidence,
        });
    }
    Ok(layers)
}

/// The layer that LOCKED adds.
pub(super) fn after_lock() -> Result<Layer, ConfineError> {
    required(LayerName::Seccomp, seccomp())
}

fn observe(name: LayerName, config: &LaunchConfig) -> Result<String, String> {
    match name {
        LayerName::Environment => environment(config),
        LayerName::Descriptors => descriptors(),
        LayerName::Session => session(),
        LayerName::ParentDeath => parent_death(),
        LayerName::ResourceLimits => limit::observe(config),
        LayerName::MountNamespace => mounts(config),
        LayerName::Capabilities => identity::observe_capabilities(),
        LayerName::NoNewPrivileges => identity::observe_no_new_privileges(),
        namespace => namespaces::observe(namespace, &config.outer_namespaces),
    }
}

fn required(name: LayerName, seen: Result<String, String>) -> Result<Layer, ConfineError> {
    match seen {
        Ok(evidence) => Ok(Layer { name, evidence }),
        Err(instead) => Err(ConfineError::new(name, "look from inside", instead)),
    }
}

fn environment(config: &LaunchConfig) -> Result<String, String> {
    let own = [STAGE_VARIABLE, CONFIG_VARIABLE, "HOME", "TMPDIR", "LANG"];
    let of_driver = &config.profile.environment;
    let mut count = 0;
    for (name, _) in std::env::vars_os() {
        let known = own.iter().any(|own| name == *own)
            || of_driver.iter().any(|(driver, _)| name == driver.as_ref());
        if !known {
            return Err(format!("the variable {} came through", name.display()));
        }
        count += 1;
    }
    Ok(format!("{count} variables, none inherited"))
}

/// All that are open, whatever their numbers: one that was left open has the number that it has outside.
fn descriptors() -> Result<String, String> {
    let number = |entry: io::Result<std::fs::DirEntry>| {
        entry.ok()?.file_name().to_str()?.parse::<i32>().ok()
    };
    let listed = std::fs::read_dir("/proc/self/fd").map_err(|error| error.to_string())?;
    let seen: Vec<i32> = listed
        .map(number)
        .collect::<Option<_>>()
        .ok_or("a name that is no number")?;
    // The listing itself had one, which is closed by now.
    match seen
        .iter()
        .find(|&&number| number > 2 && sys::is_open(number))
    {
        Some(number) => Err(format!("descriptor {number} is open")),
        None => Ok("/proc/self/fd: none but 0, 1 and 2".to_owned()),
    }
}

/// Without a terminal there is none to type into: its number is the fifth field behind the name.
fn session() -> Result<String, String> {
    let stat = std::fs::read_to_string("/proc/self/stat").map_err(|error| error.to_string())?;
    let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    match behind_name.split_whitespace().nth(4) {
        Some("0") => Ok("/proc/self/stat: no terminal".to_owned()),
        other => Err(format!("the terminal is {other:?}")),
    }
}

fn parent_death() -> Result<String, String> {
    match rustix::process::parent_process_death_signal() {
        Ok(Some(Signal::KILL)) => Ok("PR_GET_PDEATHSIG is SIGKILL".to_owned()),
        other => Err(format!("PR_GET_PDEATHSIG is {other:?}")),
    }
}

fn mounts(config: &LaunchConfig) -> Result<String, String> {
    let other = namespaces::observe(LayerName::MountNamespace, &config.outer_namespaces)?;
    Ok(other + &root::observe()?)
}

/// Tries calls that must be refused. Each is harmless should it work: the exec has no program,
/// the namespace is of host names, and the socket is not connected.
fn seccomp() -> Result<String, String> {
    let mode = rustix::thread::secure_computing_mode();
    if mode != Ok(rustix::thread::SecureComputingMode::Filter) {
        return Err(format!("PR_GET_SECCOMP is {mode:?}"));
    }
    let stream = [libc::AF_INET, libc::SOCK_STREAM].map(|n| libc::c_ulong::from(n.unsigned_abs()));
    let host_names = libc::c_ulong::from(libc::CLONE_NEWUTS.unsigned_abs());
    let tries = [
        ("socket", libc::SYS_socket, [stream[0], stream[1], 0, 0]),
        ("execve", libc::SYS_execve, [0; 4]),
        ("unshare", libc::SYS_unshare, [host_names, 0, 0, 0]),
        ("ptrace", libc::SYS_ptrace, [libc::c_ulong::MAX, 0, 0, 0]),
        ("io_uring_setup", libc::SYS_io_uring_setup, [0; 4]),
    ];
    for (name, number, args) in tries {
        refused(name, sys::probe(number, args), libc::EPERM)?;
    }
    refused("clone3", sys::probe(libc::SYS_clone3, [0; 4]), libc::ENOSYS)?;
    let names = tries.map(|(name, ..)| name).join(", ");
    Ok(format!(
        "PR_GET_SECCOMP is 2; {names}: EPERM; clone3: ENOSYS"
    ))
}

fn refused(name: &str, answer: io::Result<i64>, errno: libc::c_int) -> Result<(), String> {
    match answer {
        Err(error) if error.raw_os_error() == Some(errno) => Ok(()),
        other => Err(format!("{name} answered {other:?}")),
    }
}
