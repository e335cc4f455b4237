//! The profiles of graphics drivers: lavapipe as measured, the rest as their vendors document.
//!
//! It must never bind a folder of Vulkan descriptions whole: one driver, one description.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use super::{
    AfterLock, CodePages, DeviceNode, Driver, DriverError, DriverProfile, Presence, Rights,
    SystemPath, Text, libraries,
};

/// Where Vulkan drivers describe themselves.
const DESCRIPTION_FOLDERS: [&str; 3] = [
    "/etc/vulkan/icd.d",
    "/usr/local/share/vulkan/icd.d",
    "/usr/share/vulkan/icd.d",
];

impl DriverProfile {
    /// Mesa's Vulkan driver for processors: what was measured with wgpu on Mesa.
    ///
    /// # Errors
    /// [`DriverError::NoDescription`] where it is not installed.
    pub fn lavapipe() -> Result<Self, DriverError> {
        let mut profile = vulkan(Driver::Lavapipe, "lvp_icd")?;
        profile.paths.push(driver_options());
        Ok(profile)
    }

    /// NVIDIA's Vulkan driver on card `index`. Written from the driver's documented nodes; a
    /// worker's own warm-up is what shows that it suffices.
    ///
    /// # Errors
    /// No description, or a node that cannot be used.
    pub fn nvidia(index: u32) -> Result<Self, DriverError> {
        let driver = Driver::Nvidia;
        let mut profile = vulkan(driver, "nvidia_icd")?;
        profile.devices = vec![
            device(driver, "/dev/nvidiactl".into(), "the driver's control node")?,
            device(driver, format!("/dev/nvidia{index}").into(), "the card")?,
        ];
        if let Ok(memory) = device(driver, "/dev/nvidia-uvm".into(), "unified memory") {
            profile.devices.push(memory);
        }
        profile.paths.push(SystemPath {
            path: "/usr/share/nvidia".into(),
            rights: Rights::Data,
            presence: Presence::WhereFound,
            reason: Cow::Borrowed("the driver's application profiles"),
        });
        profile.after_lock = AfterLock::Devices {
            ioctl_types: [b'F', b'F'],
        };
        Ok(profile)
    }

    /// Mesa's RADV on the render node `minor` (128 is the first). Written from Mesa's documents.
    ///
    /// # Errors
    /// No description, or a node that cannot be used.
    pub fn amd(minor: u32) -> Result<Self, DriverError> {
        render(Driver::Amd, "radeon_icd", minor)
    }

    /// Mesa's ANV on the render node `minor` (128 is the first). Written from Mesa's documents.
    ///
    /// # Errors
    /// No description, or a node that cannot be used.
    pub fn intel(minor: u32) -> Result<Self, DriverError> {
        render(Driver::Intel, "intel_icd", minor)
    }
}

fn render(driver: Driver, description: &str, minor: u32) -> Result<DriverProfile, DriverError> {
    let mut profile = vulkan(driver, description)?;
    let node = PathBuf::from(format!("/dev/dri/renderD{minor}"));
    profile.paths.push(driver_options());
    profile.paths.extend(bus_entries(driver, &node)?);
    profile.devices = vec![device(driver, node, "computing without the screen")?];
    profile.after_lock = AfterLock::Devices {
        ioctl_types: [b'd', b'd'],
    };
    Ok(profile)
}

/// What every Vulkan driver needs: libraries, one description, no layers, no caches.
fn vulkan(driver: Driver, description: &str) -> Result<DriverProfile, DriverError> {
    let folders = DESCRIPTION_FOLDERS.map(Path::new);
    let file =
        find_description(&folders, description).ok_or_else(|| DriverError::NoDescription {
            driver,
            searched: DESCRIPTION_FOLDERS.join(", "),
        })?;
    let mut paths = libraries();
    let shown = file.to_string_lossy().into_owned();
    paths.push(SystemPath {
        path: file,
        rights: Rights::Data,
        presence: Presence::Required,
        reason: Cow::Borrowed("the one Vulkan driver that the loader may load"),
    });
    Ok(DriverProfile {
        driver,
        paths,
        devices: Vec::new(),
        environment: vulkan_environment(shown),
        code_pages: CodePages::CompiledAtRunTime,
        after_lock: AfterLock::Computing,
    })
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

/// Finds the description whose name starts with `stem`, in the order of the folders. Where a
/// folder has several, the one for this processor wins, then the shortest name.
fn find_description(folders: &[&Path], stem: &str) -> Option<PathBuf> {
    folders.iter().find_map(|folder| {
        let mut names: Vec<String> = fs::read_dir(folder)
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| {
                name.strip_prefix(stem)
                    .is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".json"))
            })
            .collect();
        names.sort_by_key(|name| (!name.contains(std::env::consts::ARCH), name.len()));
        names.first().map(|name| folder.join(name))
    })
}

fn driver_options() -> SystemPath {
    SystemPath {
        path: "/usr/share/drirc.d".into(),
        rights: Rights::Data,
        presence: Presence::WhereFound,
        reason: Cow::Borrowed("Mesa's options by application"),
    }
}

/// The entries from which libdrm learns which card a render node is.
fn bus_entries(driver: Driver, node: &Path) -> Result<Vec<SystemPath>, DriverError> {
    let failed = |source| DriverError::Device {
        driver,
        path: node.to_owned(),
        source,
    };
    let name = node.file_name().unwrap_or_default();
    let number =
        fs::read_to_string(Path::new("/sys/class/drm").join(name).join("dev")).map_err(failed)?;
    let link = Path::new("/sys/dev/char").join(number.trim());
    let target = fs::canonicalize(link.join("device")).map_err(failed)?;
    let entry = |path| SystemPath {
        path,
        rights: Rights::Data,
        presence: Presence::Required,
        reason: Cow::Borrowed("the card's identity on its bus"),
    };
    Ok(vec![entry(link), entry(target)])
}

fn device(driver: Driver, path: PathBuf, reason: &'static str) -> Result<DeviceNode, DriverError> {
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
