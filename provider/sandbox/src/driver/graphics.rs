//! The profiles of Mesa's drivers: lavapipe as measured, the others as Mesa documents them.
//!
//! It must never bind a folder of Vulkan descriptions whole: one driver, one description. Mesa's
//! options by application (`drirc.d`) are left out: lavapipe was seen to do without, and none is
//! for this program.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use super::{
    AfterLock, CodePages, DeviceNode, Driver, DriverError, DriverProfile, Ioctl, LibraryRoot,
    PathLink, Presence, Rights, SystemPath, Text, description,
};

/// Where Vulkan drivers describe themselves.
const DESCRIPTION_FOLDERS: [&str; 3] = [
    "/etc/vulkan/icd.d",
    "/usr/local/share/vulkan/icd.d",
    "/usr/share/vulkan/icd.d",
];

/// The files of a card's folder that say what it is.
const IDENTITY: [(&str, Presence); 6] = [
    ("uevent", Presence::Required),
    ("vendor", Presence::WhereFound),
    ("device", Presence::WhereFound),
    ("subsystem_vendor", Presence::WhereFound),
    ("subsystem_device", Presence::WhereFound),
    ("revision", Presence::WhereFound),
];

impl DriverProfile {
    /// Mesa's Vulkan driver for processors: what was measured with wgpu on Mesa.
    ///
    /// # Errors
    /// [`DriverError::NoDescription`] where it is not installed.
    pub fn lavapipe() -> Result<Self, DriverError> {
        vulkan(Driver::Lavapipe, "lvp_icd").map(|(profile, _)| profile)
    }

    /// Mesa's RADV on the render node `minor` (128 is the first). Written from Mesa's
    /// documents; unproven.
    ///
    /// # Errors
    /// No usable description, or a node that cannot be used.
    pub fn amd(minor: u32) -> Result<Self, DriverError> {
        render(Driver::Amd, "radeon_icd", minor)
    }

    /// Mesa's ANV on the render node `minor` (128 is the first). Written from Mesa's
    /// documents; unproven.
    ///
    /// # Errors
    /// No usable description, or a node that cannot be used.
    pub fn intel(minor: u32) -> Result<Self, DriverError> {
        render(Driver::Intel, "intel_icd", minor)
    }
}

fn render(driver: Driver, description: &str, minor: u32) -> Result<DriverProfile, DriverError> {
    let (mut profile, _) = vulkan(driver, description)?;
    let node = PathBuf::from(format!("/dev/dri/renderD{minor}"));
    let (identity, bus) = bus_entries(driver, &node)?;
    profile.paths.extend(identity);
    profile.links.push(bus);
    profile.devices = vec![device(driver, node, "computing without the screen")?];
    profile.after_lock = AfterLock::Devices {
        ioctls: vec![Ioctl::Type {
            letter: b'd',
            reason: Cow::Borrowed("the type of all calls of the kernel's graphics nodes"),
        }],
    };
    Ok(profile)
}

/// What every Vulkan driver needs: libraries, one description, no layers, no caches. Also returns
/// the name of the driver's library.
pub(super) fn vulkan(
    driver: Driver,
    description: &str,
) -> Result<(DriverProfile, String), DriverError> {
    let folders = DESCRIPTION_FOLDERS.map(Path::new);
    let path =
        description::find(&folders, description).ok_or_else(|| DriverError::NoDescription {
            driver,
            searched: DESCRIPTION_FOLDERS.join(", "),
        })?;
    described(driver, path)
}

/// The profile of a driver with the description at `path`.
fn described(driver: Driver, path: PathBuf) -> Result<(DriverProfile, String), DriverError> {
    let library = match description::library(&path) {
        Ok(library) => library,
        Err(source) => {
            return Err(DriverError::Description {
                driver,
                path,
                source,
            });
        }
    };
    let shown = path.to_string_lossy().into_owned();
    let description = SystemPath {
        path,
        rights: Rights::Data,
        presence: Presence::Required,
        reason: Cow::Borrowed("the one Vulkan driver that the Vulkan loader may load"),
    };
    let opened = |name: &str, reason| LibraryRoot::Opened {
        name: name.to_owned().into(),
        reason: Cow::Borrowed(reason),
    };
    let profile = DriverProfile {
        driver,
        libraries: vec![
            LibraryRoot::Program,
            opened("libvulkan.so.1", "the Vulkan loader, opened by name"),
            opened(&library, "the library that the driver's description names"),
        ],
        paths: vec![description],
        links: Vec::new(),
        devices: Vec::new(),
        environment: vulkan_environment(shown),
        code_pages: CodePages::CompiledAtRunTime,
        after_lock: AfterLock::Computing,
    };
    Ok((profile, library))
}

fn vulkan_environment(description: String) -> Vec<(Text, Text)> {
    let fixed = |name: &'static str, value: &'static str| (name.into(), value.into());
    vec![
        ("VK_DRIVER_FILES".into(), description.clone().into()),
        ("VK_ICD_FILENAMES".into(), description.into()),
        fixed("VK_LOADER_LAYERS_DISABLE", "~all~"),
        fixed("MESA_SHADER_CACHE_DISABLE", "true"),
        fixed("__GL_SHADER_DISK_CACHE", "0"),
    ]
}

/// The entries from which libdrm learns which card a render node is (its `xf86drm.c`), and the
/// link whose name says which kind of bus the card is on. Never the card's whole folder: it has
/// the card's registers, too.
fn bus_entries(driver: Driver, node: &Path) -> Result<(Vec<SystemPath>, PathLink), DriverError> {
    let failed = |source| DriverError::Device {
        driver,
        path: node.to_owned(),
        source,
    };
    let name = node.file_name().unwrap_or_default();
    let number =
        fs::read_to_string(Path::new("/sys/class/drm").join(name).join("dev")).map_err(failed)?;
    let card = Path::new("/sys/dev/char")
        .join(number.trim())
        .join("device");
    let entries = IDENTITY.map(|(name, presence)| SystemPath {
        path: card.join(name),
        rights: Rights::Data,
        presence,
        reason: Cow::Borrowed("the card's identity on its bus"),
    });
    let bus = fs::canonicalize(&card).map_err(failed)?.join("subsystem");
    let link = PathLink {
        target: fs::read_link(&bus).map_err(failed)?,
        path: bus,
        reason: Cow::Borrowed("which kind of bus the card is on; it leads to nothing inside"),
    };
    Ok((entries.into(), link))
}

pub(super) fn device(
    driver: Driver,
    path: PathBuf,
    reason: &'static str,
) -> Result<DeviceNode, DriverError> {
    match fs::metadata(&path) {
        Ok(_) => Ok(DeviceNode {
            path,
            reason: Cow::Borrowed(reason),
        }),
        Err(source) => Err(DriverError::Device {
            driver,
            path,
            source,
        }),
    }
}

#[cfg(test)]
mod tests;
