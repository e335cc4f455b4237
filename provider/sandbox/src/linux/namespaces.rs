//! The six namespaces of a worker: leaving the shared ones, and observing that it did.
//!
//! It must never map more than one user and one group into the new user namespace.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::UdpSocket;

use rustix::process::{getgid, getpid, getuid};

use super::sys::{self, Fork};
use crate::config::LaunchConfig;
use crate::layer::{ConfineError, LayerName};

/// The user and group id of a worker inside its namespace.
const INSIDE: u32 = 1000;

/// The namespaces by their names under `/proc/self/ns`.
const NAMESPACES: [(&str, LayerName, libc::c_int); 6] = [
    ("user", LayerName::UserNamespace, libc::CLONE_NEWUSER),
    ("pid", LayerName::PidNamespace, libc::CLONE_NEWPID),
    ("net", LayerName::NetworkNamespace, libc::CLONE_NEWNET),
    ("ipc", LayerName::IpcNamespace, libc::CLONE_NEWIPC),
    ("uts", LayerName::UtsNamespace, libc::CLONE_NEWUTS),
    ("mnt", LayerName::MountNamespace, libc::CLONE_NEWNS),
];

/// Names the namespaces that this process is in.
pub(super) fn current() -> io::Result<BTreeMap<String, String>> {
    NAMESPACES
        .iter()
        .map(|(name, ..)| {
            let link = fs::read_link(format!("/proc/self/ns/{name}"))?;
            Ok(((*name).to_owned(), link.to_string_lossy().into_owned()))
        })
        .collect()
}

/// Enters new namespaces; the pid namespace begins with the next fork.
pub(super) fn enter(config: &LaunchConfig) -> Result<(), ConfineError> {
    if !config.has(LayerName::UserNamespace) {
        return Ok(());
    }
    let (user, group) = (getuid().as_raw(), getgid().as_raw());
    unshare(LayerName::UserNamespace, libc::CLONE_NEWUSER)?;
    let write = |file: &str, text: String| {
        fs::write(file, &text).map_err(|error| {
            ConfineError::new(
                LayerName::UserNamespace,
                format!("write {text:?} to {file}"),
                error,
            )
        })
    };
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("{INSIDE} {user} 1"))?;
    write("/proc/self/gid_map", format!("{INSIDE} {group} 1"))?;
    for (_, layer, flag) in &NAMESPACES[1..] {
        if config.has(*layer) {
            unshare(*layer, *flag)?;
        }
    }
    if config.has(LayerName::NestedNamespaces) {
        // Where the file cannot be written, seccomp alone stops nested namespaces; the observed
        // layers then say so by leaving this one out.
        let _ = fs::write("/proc/sys/user/max_user_namespaces", "0");
    }
    Ok(())
}

fn unshare(layer: LayerName, flag: libc::c_int) -> Result<(), ConfineError> {
    sys::unshare(flag).map_err(|error| ConfineError::new(layer, "unshare", error))
}

/// Checks from inside that the namespace of `layer` is none of `outer`.
pub(super) fn observe(
    layer: LayerName,
    outer: &BTreeMap<String, String>,
) -> Result<String, String> {
    let name = NAMESPACES
        .iter()
        .find(|(_, each, _)| *each == layer)
        .map(|(name, ..)| *name)
        .ok_or("not a namespace")?;
    let inner = current().map_err(|error| format!("/proc/self/ns: {error}"))?;
    let (Some(inside), Some(outside)) = (inner.get(name), outer.get(name)) else {
        return Err(format!("the {name} namespace outside is unknown"));
    };
    if inside == outside {
        return Err(format!("still in the shared {inside}"));
    }
    let seen = match layer {
        LayerName::PidNamespace => pid_is_small()?,
        LayerName::NetworkNamespace => loopback_is_down()?,
        _ => String::new(),
    };
    Ok(format!("{inside}, outside {outside}{seen}"))
}

fn pid_is_small() -> Result<String, String> {
    let pid = getpid().as_raw_nonzero().get();
    if pid > 16 {
        return Err(format!("the process id is {pid}"));
    }
    Ok(format!("; process id {pid}"))
}

/// On any machine in use the loopback interface is up; in a new network namespace it is not.
fn loopback_is_down() -> Result<String, String> {
    let socket = UdpSocket::bind("0.0.0.0:0").map_err(|error| format!("udp socket: {error}"))?;
    match socket.connect("127.0.0.1:9") {
        Ok(()) => Err("loopback can be reached".to_owned()),
        Err(error) => Ok(format!("; udp to loopback: {error}")),
    }
}

/// Checks from inside that no further user namespace can be made; tries in a child process.
pub(super) fn observe_nested() -> Result<String, String> {
    let child = match sys::fork() {
        Ok(Fork::Child) => {
            let answer = sys::unshare(libc::CLONE_NEWUSER);
            sys::leave(
                answer
                    .err()
                    .and_then(|error| error.raw_os_error())
                    .unwrap_or(0),
            )
        }
        Ok(Fork::Parent(child)) => child,
        Err(error) => return Err(format!("fork: {error}")),
    };
    match super::init::wait_for(child) {
        Ok(0) => Err("unshare of a user namespace worked".to_owned()),
        Ok(code) => Ok(format!(
            "unshare of a user namespace: {}",
            io::Error::from_raw_os_error(code)
        )),
        Err(error) => Err(format!("wait: {error}")),
    }
}
