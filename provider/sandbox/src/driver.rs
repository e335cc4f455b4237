//! What each driver needs inside the confinement, as data with a reason an entry.
//!
//! It must never name more than the driver needs, and never guess: a driver that is not listed
//! here gets no profile, so no job runs on it. The profile drives both the binds and seccomp. It
//! must never list a folder of libraries: which single ones a worker needs, the machine's own
//! dynamic loader is asked before the launch (`driver/view.rs`).

mod description;
mod elf;
mod graphics;
mod loader;
mod nvidia;
mod view;

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

pub use description::DescriptionError;
pub use view::LibraryError;

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

impl Driver {
    /// Says whether what the profile lists was recorded with this driver on a real device. What
    /// was written from documents alone may lack something, or allow too much: no job runs on it.
    #[must_use]
    pub fn proven(self) -> bool {
        match self {
            Self::Cpu | Self::Lavapipe => true,
            Self::Nvidia | Self::Amd | Self::Intel => false,
        }
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
    /// What the profile lists was never recorded on a real card.
    #[error(
        "no job runs on a card with the driver {driver} yet: what it may open and ask for was written from documents \
         and never recorded on a real card, so it may be too little for the card or too much for your safety. This \
         machine's processor can be sold: let VK_DRIVER_FILES name the Vulkan description of Mesa's lavapipe alone, \
         and start again. To help, run `make record-driver DRIVER={driver}` in Nightshift's sources and send what it \
         prints: it says what the profile has to list"
    )]
    Unproven {
        /// The driver.
        driver: Driver,
    },
    /// The driver's Vulkan description is there, and of no use.
    #[error(
        "the Vulkan description {} of {driver} is of no use: {source}; install its Vulkan package anew", .path.display()
    )]
    Description {
        /// The driver.
        driver: Driver,
        /// The description.
        path: PathBuf,
        /// What is wrong with it.
        source: DescriptionError,
    },
    /// Which shared libraries the worker needs could not be found out.
    #[error("which libraries a worker on {driver} needs cannot be told, so none starts: {source}")]
    Libraries {
        /// The driver.
        driver: Driver,
        /// What went wrong.
        source: LibraryError,
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
    pub reason: Text,
}

/// A device node that the worker may open for reading, writing and ioctl.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceNode {
    /// The absolute path below `/dev`.
    pub path: PathBuf,
    /// Why it is needed.
    pub reason: Text,
}

/// A symbolic link that the worker sees, made anew inside: it grants nothing by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathLink {
    /// Where the link lies: an absolute path without links before its last name.
    pub path: PathBuf,
    /// What it says, as outside.
    pub target: PathBuf,
    /// Why it is needed.
    pub reason: Text,
}

/// Shared libraries that the machine's own loader is asked to find before a worker starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LibraryRoot {
    /// What the worker program is linked with.
    Program,
    /// A library that the program or its driver opens by name, and what that one is linked with.
    Opened {
        /// The name as it is opened: a bare one, or an absolute path.
        name: Text,
        /// Why it is needed.
        reason: Text,
    },
    /// Libraries of one package that open each other by names that carry the package's version.
    Family {
        /// A library of [`LibraryRoot::Opened`] whose file name ends in that version, and beside
        /// which the others lie.
        beside: Text,
        /// How the others' names begin; they end in `.so.` and the version.
        prefix: Text,
        /// Beginnings of names that are left out all the same.
        except: Vec<Text>,
        /// Why they are needed.
        reason: Text,
    },
}

/// Whether code may be made at run time, after LOCKED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodePages {
    /// No mapping may become executable.
    Fixed,
    /// The driver compiles kernels into memory.
    CompiledAtRunTime,
}

/// A device call that stays allowed after LOCKED.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ioctl {
    /// Every number of a type, which is the number's second byte.
    Type {
        /// The type's letter, such as `F` or `d`.
        letter: u8,
        /// Why it is needed.
        reason: Text,
    },
    /// This number alone.
    Number {
        /// The whole number.
        number: u32,
        /// Why it is needed.
        reason: Text,
    },
}

/// What stays allowed after LOCKED beyond computing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterLock {
    /// Neither opens nor device calls.
    Computing,
    /// Opens below the profile's paths, and these device calls.
    Devices {
        /// The device calls.
        ioctls: Vec<Ioctl>,
    },
}

/// Everything a driver needs inside the confinement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriverProfile {
    /// The driver.
    pub driver: Driver,
    /// Shared libraries still to be found for the worker program, which each launch does;
    /// [`DriverProfile::for_program`] turns them into paths and links.
    pub libraries: Vec<LibraryRoot>,
    /// Files and folders bound read-only.
    pub paths: Vec<SystemPath>,
    /// Links that lead to them.
    pub links: Vec<PathLink>,
    /// Device nodes bound.
    pub devices: Vec<DeviceNode>,
    /// Variables set for the driver.
    pub environment: Vec<(Text, Text)>,
    /// Whether code may be made at run time.
    pub code_pages: CodePages,
    /// What stays allowed after LOCKED.
    pub after_lock: AfterLock,
}

impl DriverProfile {
    /// The engine on the processor: the program's libraries only.
    #[must_use]
    pub fn cpu() -> Self {
        Self {
            driver: Driver::Cpu,
            libraries: vec![LibraryRoot::Program],
            paths: Vec::new(),
            links: Vec::new(),
            devices: Vec::new(),
            environment: Vec::new(),
            code_pages: CodePages::Fixed,
            after_lock: AfterLock::Computing,
        }
    }

    /// Says whether what it lists was recorded on a real device; see [`Driver::proven`].
    #[must_use]
    pub fn proven(&self) -> bool {
        self.driver.proven()
    }
}

#[cfg(test)]
mod tests;
