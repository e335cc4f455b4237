//! Landlock: the access rules that a worker lays on itself before its exec.
//!
//! It must never run in a process with several threads: the rules cover the calling thread and
//! what it becomes. A kernel without Landlock is no failure here, since namespaces and seccomp
//! stand in for it; the self test decides whether they suffice.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    Scope,
};

use super::root;
use crate::config::{LandlockCeiling, LaunchConfig};
use crate::driver::Rights;
use crate::layer::{ConfineError, LayerName};

/// The newest version whose meaning this code was written for.
const NEWEST: ABI = ABI::V7;

/// Restricts the process; returns the version in force, 0 for none.
pub(super) fn apply(config: &LaunchConfig, program: &OwnedFd) -> Result<u32, ConfineError> {
    if !config.has(LayerName::Landlock) {
        return Ok(0);
    }
    let abi = match config.landlock {
        LandlockCeiling::Best => NEWEST,
        LandlockCeiling::AtMost(0) => return Ok(0),
        LandlockCeiling::AtMost(version) => NEWEST.min(ABI::from(i32::from(version))),
    };
    let status = restrict(config, program, abi)
        .map_err(|error| ConfineError::new(LayerName::Landlock, "restrict", error))?;
    Ok(in_force(&status).min(abi as u32))
}

fn in_force(status: &RestrictionStatus) -> u32 {
    match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi as u32,
        _ => 0,
    }
}

fn restrict(
    config: &LaunchConfig,
    program: &OwnedFd,
    abi: ABI,
) -> Result<RestrictionStatus, RulesetError> {
    let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(abi))?;
    if abi >= ABI::V4 {
        ruleset = ruleset.handle_access(AccessNet::from_all(abi))?;
    }
    if abi >= ABI::V6 {
        ruleset = ruleset.scope(Scope::from_all(abi))?;
    }
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let open = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev;
    let own = AccessFs::ReadFile | AccessFs::Execute;
    let mut created = ruleset.create()?.add_rule(PathBeneath::new(program, own))?;
    for entry in &config.profile.paths {
        let rights = match entry.rights {
            Rights::Library => read | AccessFs::Execute,
            Rights::Data => read,
        };
        created = allow(created, &entry.path, rights)?;
    }
    for device in &config.profile.devices {
        created = allow(created, &device.path, open)?;
    }
    for device in root::HARMLESS_DEVICES {
        let plain = AccessFs::ReadFile | AccessFs::WriteFile;
        created = allow(created, Path::new(device), plain)?;
    }
    // Drivers look which cards there are; to see a device's name is not to open it.
    created = allow(created, Path::new("/dev"), AccessFs::ReadDir.into())?;
    created = allow(created, Path::new("/proc"), read)?;
    created = allow(
        created,
        Path::new(root::SCRATCH),
        AccessFs::from_all(abi) & !(AccessFs::Execute | AccessFs::IoctlDev),
    )?;
    created.restrict_self()
}

/// Adds a rule for `path` where it exists. A file takes only the rights that files have.
fn allow(
    ruleset: RulesetCreated,
    path: &Path,
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let Ok(file) = PathFd::new(path) else {
        return Ok(ruleset);
    };
    let rights = if path.is_dir() {
        rights
    } else {
        rights & AccessFs::from_file(NEWEST)
    };
    ruleset.add_rule(PathBeneath::new(file, rights))
}

/// Checks from inside that the canary, readable by its permissions, is out of reach.
pub(super) fn observe(abi: u32) -> Result<String, String> {
    match std::fs::File::open(root::CANARY) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(format!(
            "version {abi}; open {}, mode 0644: {error}",
            root::CANARY
        )),
        Err(error) => Err(format!("open {}: {error}", root::CANARY)),
        Ok(_) => Err(format!("{} can be read", root::CANARY)),
    }
}
