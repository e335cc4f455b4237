//! NVIDIA's own driver: its nodes, its family of libraries, and its device calls.
//!
//! Written from the driver's published kernel sources and its list of installed files, and never
//! recorded on a card: it must stay unproven until it was (`scripts/record-driver`).

use super::graphics::{device, vulkan};
use super::{
    AfterLock, Driver, DriverError, DriverProfile, Ioctl, LibraryRoot, Presence, Rights, SystemPath,
};

/// What of the driver's family a worker has no use for, by the beginnings of the names.
const NOT_FOR_COMPUTING: [&str; 11] = [
    // Video, and pictures of the screen.
    "libnvidia-encode",
    "libnvidia-opticalflow",
    "libnvidia-fbc",
    "libnvidia-present",
    // Managing the card, which is the node's own business.
    "libnvidia-ml",
    "libnvidia-cfg",
    "libnvidia-sandboxutils",
    "libnvidia-gtk",
    // CUDA and OpenCL: jobs compute through Vulkan.
    "libnvidia-opencl",
    "libnvidia-nvvm",
    "libnvidia-ptxjitcompiler",
];

/// The device calls of `/dev/nvidia-uvm` that computing needs: plain numbers, without a type. The
/// numbers are those of `uvm_ioctl.h` and `uvm_linux_ioctl.h` in NVIDIA's open kernel modules, and
/// of those only what gVisor's nvproxy lets computing through. Never listed: 62 and 63, which read
/// and write another process's memory, and all others of its tools for debuggers.
const UNIFIED_MEMORY_CALLS: [(u32, &str); 21] = [
    (0x3000_0001, "begin: the first call on the node"),
    (0x3000_0002, "end"),
    (23, "make a group of ranges"),
    (24, "drop a group of ranges"),
    (25, "tell of the card's address space"),
    (26, "forget the card's address space"),
    (27, "tell of a channel to the card"),
    (28, "forget a channel"),
    (33, "map memory of the card's other interface"),
    (34, "free a range"),
    (37, "tell which card is used"),
    (38, "forget a card"),
    (39, "ask whether the card reaches pageable memory"),
    (42, "say where a range should lie"),
    (45, "keep one copy of a range"),
    (65, "map what launches kernels from kernels"),
    (66, "unmap memory of the other interface"),
    (68, "make a pool of semaphores"),
    (72, "ask whether a range is valid"),
    (73, "make a range for memory of the other interface"),
    (75, "tie the address space to the process"),
];

impl DriverProfile {
    /// NVIDIA's Vulkan driver on card `index`; unproven.
    ///
    /// # Errors
    /// No usable description, or a node that cannot be used.
    pub fn nvidia(index: u32) -> Result<Self, DriverError> {
        let driver = Driver::Nvidia;
        let (mut profile, library) = vulkan(driver, "nvidia_icd")?;
        profile.libraries.push(LibraryRoot::Family {
            beside: library.into(),
            prefix: "libnvidia-".into(),
            except: NOT_FOR_COMPUTING.map(Into::into).to_vec(),
            reason: "the driver opens the libraries of its own version by name".into(),
        });
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
            reason: "the driver's application profiles, whose names carry its version".into(),
        });
        profile.after_lock = AfterLock::Devices { ioctls: ioctls() };
        Ok(profile)
    }
}

/// Every device call of the driver, with its reason.
pub(super) fn ioctls() -> Vec<Ioctl> {
    let numbers = UNIFIED_MEMORY_CALLS
        .into_iter()
        .map(|(number, does)| Ioctl::Number {
            number,
            reason: format!("unified memory: {does}").into(),
        });
    let own = Ioctl::Type {
        letter: b'F',
        reason: "the type of all calls of the card's node and the control node".into(),
    };
    std::iter::once(own).chain(numbers).collect()
}

#[cfg(test)]
mod tests;
