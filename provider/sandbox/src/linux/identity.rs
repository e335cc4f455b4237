//! Who the worker is: never root, and without capabilities.
//!
//! It must never keep a right for later: each function only gives rights up.

use std::os::unix::fs::MetadataExt;

use rustix::process::{
    DumpableBehavior, Gid, Signal, Uid, getpid, getuid, set_dumpable_behavior,
    set_parent_process_death_signal,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, no_new_privs,
    set_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::sys;
use crate::config::LaunchConfig;
use crate::driver::DriverProfile;
use crate::layer::{ConfineError, LayerName};

/// The first of the user and group ids that a root agent's workers become, each its own: of a range that neither
/// distributions nor systemd give to anybody (systemd's "Users, Groups, UIDs and GIDs" calls it unused).
const FIRST_USER: u32 = 0x7000_0000;

/// Gives root up for good where the agent is root. The groups that own the profile's device
/// nodes stay, since a card is often open to its group only.
pub(super) fn settle(config: &LaunchConfig) -> Result<(), ConfineError> {
    if getuid().is_root() && config.has(LayerName::UserNamespace) {
        let step = |step: &'static str| {
            move |error| ConfineError::new(LayerName::UserNamespace, step, error)
        };
        // Process ids end at 2^22, so that no two workers at a time have the same, and none has an account's.
        let number = FIRST_USER + getpid().as_raw_nonzero().get().unsigned_abs();
        let (user, group) = (Uid::from_raw(number), Gid::from_raw(number));
        set_thread_groups(&device_groups(&config.profile)).map_err(step("drop root's groups"))?;
        set_thread_res_gid(group, group, group).map_err(step("drop root's group"))?;
        set_thread_res_uid(user, user, user).map_err(step("drop root"))?;
    }
    // A change of user takes both of these away: the process's own files under /proc, which
    // the user namespace needs, and the signal at the parent's end.
    let end = config.has(LayerName::ParentDeath).then_some(Signal::KILL);
    set_dumpable_behavior(DumpableBehavior::Dumpable)
        .and_then(|()| set_parent_process_death_signal(end))
        .map_err(|error| {
            ConfineError::new(
                LayerName::UserNamespace,
                "settle as a user without rights",
                error,
            )
        })
}

fn device_groups(profile: &DriverProfile) -> Vec<Gid> {
    profile
        .devices
        .iter()
        .filter_map(|device| std::fs::metadata(&device.path).ok())
        .map(|metadata| metadata.gid())
        .filter(|&group| group != 0)
        .map(Gid::from_raw)
        .collect()
}

/// Gives up every capability and every way to new ones.
pub(super) fn drop_capabilities(config: &LaunchConfig) -> Result<(), ConfineError> {
    if config.has(LayerName::Capabilities) {
        drop_all()?;
    }
    set_no_new_privs(true)
        .map_err(|error| ConfineError::new(LayerName::NoNewPrivileges, "set no_new_privs", error))
}

fn drop_all() -> Result<(), ConfineError> {
    let failed = |step: &'static str| {
        move |error: std::io::Error| ConfineError::new(LayerName::Capabilities, step, error)
    };
    sys::empty_bounding_set().map_err(failed("empty the bounding set"))?;
    clear_ambient_capability_set()
        .map_err(|error| failed("clear the ambient set")(error.into()))?;
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).map_err(|error| failed("drop capabilities")(error.into()))
}

/// Checks from inside that no capability is left.
pub(super) fn observe_capabilities() -> Result<String, String> {
    let sets = capabilities(None).map_err(|error| format!("capget: {error}"))?;
    if !(sets.effective | sets.permitted | sets.inheritable).is_empty() {
        return Err(format!("capabilities left: {:?}", sets.permitted));
    }
    match (0..64).find(|&capability| sys::in_bounding_set(capability)) {
        Some(capability) => Err(format!("capability {capability} is in the bounding set")),
        None => Ok("none effective, permitted, inheritable or bounding".to_owned()),
    }
}

/// Checks from inside that exec gives no privileges.
pub(super) fn observe_no_new_privileges() -> Result<String, String> {
    match no_new_privs() {
        Ok(true) => Ok("PR_GET_NO_NEW_PRIVS is 1".to_owned()),
        other => Err(format!("PR_GET_NO_NEW_PRIVS is {other:?}")),
    }
}
