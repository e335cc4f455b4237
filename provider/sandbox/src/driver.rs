//! What each driver needs inside the confinement, as data with a reason an entry.
//!
//! It must never name more than the driver needs, and never guess: a driver that is not listed
//! here gets no profile, so no job runs on it. The profile drives both the binds and seccomp.

mod graphics;

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) type Text = Cow<'static, str>;

/// A driver with a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Driver {
    /// No GPU: the engine computes on the processor.
    Cpu,
    /// Mesa's Vulkan driver for processors.
    Lavapipe,
    /// NVIDIA's own Vulkan driver.
    Nvidia,
    /// Mesa's RADV for AMD.
    Amd,
    /// Mesa's ANV for Intel.
    Intel,
}

impl Driver {
    /// Recognises the driver name that Vulkan reports, such as `llvmpipe` or `radv`, with or without
    /// the version behind it.
    ///
    /// # Errors
    /// [`DriverError::Unknown`]: an unknown driver gets no profile and no offer.
    pub fn recognise(vulkan_name: &str) -> Result<Self, DriverError> {
        let known = [
            ("llvmpipe", Self::Lavapipe),
            ("nvidia", Self::Nvidia),
            ("radv", Self::Amd),
            ("intel open-source mesa driver", Self::Intel),
        ];
        let reported = vulkan_name.trim().to_ascii_lowercase();
        let is_it = |name: &str| {
            let rest = reported.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        known
            .into_iter()
            .find(|(name, _)| is_it(name))
            .map(|(_, driver)| driver)
            .ok_or_else(|| DriverError::Unknown {
                name: vulkan_name.to_owned(),
            })
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Lavapipe => "lavapipe",
            Self::Nvidia => "nvidia",
            Self::Amd => "amd",
            Self::Intel => "intel",
        })
    }
}

/// Why a driver has no profile on this machine.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// Nobody has recorded what this driver needs.
    #[error("no profile for the driver {name:?}, so no job runs on it; use the processor instead")]
    Unknown {
        /// The name that Vulkan reported.
        name: String,
    },
    /// The driver's Vulkan description was not found.
    #[error("no Vulkan description of {driver} in {searched}; install its Vulkan package")]
    NoDescription {
        /// The driver.
        driver: Driver,
        /// The folders searched.
        searched: String,
    },
    /// A device node is missing or unreadable.
    #[error("the device {} of {driver} cannot be used: {source}", .path.display())]
    Device {
        /// The driver.
        driver: Driver,
        /// The device node.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// What the worker may do with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rights {
    /// Read and execute: libraries and the loader.
    Library,
    /// Read.
    Data,
}

/// Whether a worker can start without a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presence {
    /// The launch is refused without it.
    Required,
    /// Bound where the machine has it.
    WhereFound,
}

/// A file or folder that the worker sees, read-only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemPath {
    /// The absolute path, the same inside and outside.
    pub path: PathBuf,
    /// What may be done with it.
    pub rights: Rights,
    /// Whether the launch depends on it.
    pub presence: Presence,
    /// Why it is needed.
    pub reason: Cow<'static, str>,
}

/// A device node that the worker may open for reading, writing and ioctl.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceNode {
    /// The absolute path below `/dev`.
    pub path: PathBuf,
    /// Why it is needed.
    pub reason: Cow<'static, str>,
}

/// Whether code may be made at run time, after LOCKED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodePages {
    /// No mapping may become executable.
    Fixed,
    /// The driver compiles kernels into memory.
    CompiledAtRunTime,
}

/// What stays allowed after LOCKED beyond computing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterLock {
    /// Neither opens nor device calls.
    Computing,
    /// Opens below the profile's paths and ioctl of the given type letters.
    Devices {
        /// The ioctl type bytes allowed, such as `F` or `d`.
        ioctl_types: [u8; 2],
    },
}

/// Everything a driver needs inside the confinement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriverProfile {
    /// The driver.
    pub driver: Driver,
    /// Files and folders bound read-only.
    pub paths: Vec<SystemPath>,
    /// Device nodes bound.
    pub devices: Vec<DeviceNode>,
    /// Variables set for the driver.
    pub environment: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// Whether code may be made at run time.
    pub code_pages: CodePages,
    /// What stays allowed after LOCKED.
    pub after_lock: AfterLock,
}

impl DriverProfile {
    /// The engine on the processor: libraries only.
    #[must_use]
    pub fn cpu() -> Self {
        Self {
            driver: Driver::Cpu,
            paths: libraries(),
            devices: Vec::new(),
            environment: Vec::new(),
            code_pages: CodePages::Fixed,
            after_lock: AfterLock::Computing,
        }
    }
}

/// The shared libraries that any program needs to start.
fn libraries() -> Vec<SystemPath> {
    let where_found = |path: &str, rights, reason: &'static str| SystemPath {
        path: PathBuf::from(path),
        rights,
        presence: Presence::WhereFound,
        reason: Cow::Borrowed(reason),
    };
    let library = |path, reason| where_found(path, Rights::Library, reason);
    vec![
        library("/usr/lib", "shared libraries and, by link, the loader"),
        library("/usr/lib64", "shared libraries on systems that split them"),
        library("/lib", "the loader and the C library"),
        library("/lib64", "the loader's fixed path on x86-64"),
        library("/nix/store", "libraries on NixOS"),
        where_found(
            "/etc/ld.so.cache",
            Rights::Data,
            "where the loader looks libraries up",
        ),
    ]
}

#[cfg(test)]
mod tests;
