//! The worker's file system: an empty tmpfs with read-only binds of what its driver needs.
//!
//! It must never bind anything that the profile does not name, and it leaves nothing of the old
//! root behind.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive,
    mount_change, unmount,
};
use rustix::process::{chdir, pivot_root};

use super::sys;
use crate::config::LaunchConfig;
use crate::driver::{PathLink, Presence, Rights, SystemPath};
use crate::layer::{ConfineError, LayerName};

/// Where the new root is put together; what lies below is hidden meanwhile, and never bound.
const WORKSHOP: &str = "/tmp";
/// The only folder that the worker can write to.
pub(super) const SCRATCH: &str = "/scratch";
/// A file that permissions allow and Landlock does not: opening it shows that Landlock works.
pub(super) const CANARY: &str = "/canary";
/// Device nodes that programs expect and that give nothing away.
pub(super) const HARMLESS_DEVICES: [&str; 5] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

const NO_SUID: u64 = 2;
const READ_ONLY: u64 = 1;
const NO_DEVICES: u64 = 4;
const NO_EXEC: u64 = 8;

/// Builds the root and moves into it. Must run in the new mount and pid namespaces.
pub(super) fn build(config: &LaunchConfig) -> Result<(), ConfineError> {
    let failed = |step: String| {
        move |error: io::Error| ConfineError::new(LayerName::MountNamespace, step, error)
    };
    if !config.has(LayerName::MountNamespace) {
        return Ok(());
    }
    open_workshop().map_err(failed(format!("mount a tmpfs on {WORKSHOP}")))?;
    for entry in &config.profile.paths {
        bind_path(entry).map_err(failed(format!("bind {}", entry.path.display())))?;
    }
    let devices = config.profile.devices.iter().map(|device| &*device.path);
    for node in HARMLESS_DEVICES.iter().map(Path::new).chain(devices) {
        bind_device(node).map_err(failed(format!("bind {}", node.display())))?;
    }
    // After the binds: nothing may be put together through a link, which could lead out of here.
    for link in &config.profile.links {
        make_link(link).map_err(failed(format!("make the link {}", link.path.display())))?;
    }
    let proc = match config.has(LayerName::PidNamespace) {
        true => fresh_proc(),
        false => shared_proc(),
    };
    proc.map_err(failed("mount a fresh /proc".to_owned()))?;
    scratch(config.limits.scratch_bytes).map_err(failed("mount the scratch folder".to_owned()))?;
    fs::write(inside(Path::new(CANARY)), "alive\n").map_err(failed("write a canary".to_owned()))?;
    move_in().map_err(failed("pivot_root".to_owned()))
}

fn open_workshop() -> io::Result<()> {
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount(c"tmpfs", WORKSHOP, c"tmpfs", flags, c"mode=0755,size=256k")?;
    Ok(())
}

/// The place in the workshop of what will be `path` in the new root.
fn inside(path: &Path) -> PathBuf {
    Path::new(WORKSHOP).join(path.strip_prefix("/").unwrap_or(path))
}

fn bind_path(entry: &SystemPath) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(&entry.path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match entry.presence {
                Presence::Required => Err(error),
                Presence::WhereFound => Ok(()),
            };
        }
        Err(error) => return Err(error),
    };
    if metadata.is_symlink() {
        // Followed when the view was made; what lies here now is not what was looked at.
        return Err(io::Error::other("it has become a link"));
    }
    let target = inside(&entry.path);
    make_target(&target, metadata.is_dir())?;
    mount_bind_recursive(&entry.path, &target)?;
    let runs = match entry.rights {
        Rights::Library => 0,
        Rights::Data => NO_EXEC,
    };
    sys::add_mount_attributes(&target, READ_ONLY | NO_SUID | NO_DEVICES | runs)
}

fn make_link(link: &PathLink) -> io::Result<()> {
    let place = inside(&link.path);
    make_parents(&place)?;
    symlink(&link.target, place)
}

fn bind_device(node: &Path) -> io::Result<()> {
    let target = inside(node);
    make_target(&target, false)?;
    mount_bind(node, &target)?;
    sys::add_mount_attributes(&target, NO_SUID | NO_EXEC)
}

fn make_parents(target: &Path) -> io::Result<()> {
    target.parent().map_or(Ok(()), fs::create_dir_all)
}

fn make_target(target: &Path, folder: bool) -> io::Result<()> {
    if folder {
        return fs::create_dir_all(target);
    }
    make_parents(target)?;
    fs::File::create(target).map(drop)
}

/// Shows the worker's own processes and nothing else of `/proc`.
fn fresh_proc() -> io::Result<()> {
    let target = inside(Path::new("/proc"));
    fs::create_dir_all(&target)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount(c"proc", &target, c"proc", flags, c"subset=pid")?;
    Ok(())
}

/// Only the owner of a pid namespace may mount its view, so a worker without one is shown the outer.
fn shared_proc() -> io::Result<()> {
    let target = inside(Path::new("/proc"));
    fs::create_dir_all(&target)?;
    Ok(mount_bind_recursive("/proc", &target)?)
}

fn scratch(bytes: u64) -> io::Result<()> {
    let target = inside(Path::new(SCRATCH));
    fs::create_dir(&target)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let options = std::ffi::CString::new(format!("mode=0700,size={bytes},nr_inodes=4096"))?;
    mount(c"tmpfs", &target, c"tmpfs", flags, options.as_c_str())?;
    Ok(())
}

/// Makes the workshop the root, lets the old root go, and closes the new one to writing.
fn move_in() -> io::Result<()> {
    chdir(WORKSHOP)?;
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")?;
    let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount_remount("/", flags, c"")?;
    Ok(())
}

/// Checks from inside that the root is the empty one: nothing of the owner's, nothing writable.
pub(super) fn observe() -> Result<String, String> {
    let missing = match fs::File::open("/etc/passwd") {
        Ok(_) => return Err("/etc/passwd can be read".to_owned()),
        Err(error) => error,
    };
    match fs::File::create("/intruder") {
        Ok(_) => Err("a file can be made in /".to_owned()),
        Err(error) => Ok(format!(
            "; open /etc/passwd: {missing}; write to /: {error}"
        )),
    }
}
