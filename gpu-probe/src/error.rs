//! Owns what can go wrong in a probe, in words that say what to do next.

use throughput_proof::Mismatch;

/// Why an adapter could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// There is neither a GPU driver nor a CPU one.
    #[error(
        "no GPU adapter was found. Install a Vulkan loader and a driver, on Debian or Ubuntu: \
         apt install libvulkan1 mesa-vulkan-drivers (which also brings a driver that runs on the CPU); \
         for an NVIDIA card install NVIDIA's own driver instead"
    )]
    NoAdapter,
    /// The driver refused to open the device.
    #[error("the driver of {adapter} refused to open it; update the driver")]
    Open {
        /// The adapter's name.
        adapter: String,
        /// What the driver said.
        source: wgpu::RequestDeviceError,
    },
    /// The adapter cannot run our shaders at all.
    #[error("{adapter} allows {actual} invocations in a workgroup, the benchmark needs {needed}")]
    TooLimited {
        /// The adapter's name.
        adapter: String,
        /// What the adapter allows.
        actual: u32,
        /// What is needed.
        needed: u32,
    },
    /// The device went away while it was measured.
    #[error("the device was lost: {reason}. Check its power, its temperature and the driver's log")]
    DeviceLost {
        /// What the driver said.
        reason: String,
    },
    /// The device did not finish a short piece of work.
    #[error("the device did not finish within {seconds} s what should take a fraction of a second")]
    Hung {
        /// How long it was waited for.
        seconds: u64,
    },
    /// The device's memory is too full for the benchmark.
    #[error("{bytes} bytes could not be allocated on the device; close what else uses it")]
    OutOfMemory {
        /// The bytes asked for.
        bytes: u64,
    },
    /// The driver refused a command; this is a bug in the probe or in the driver.
    #[error("the driver refused a command: {detail}")]
    Refused {
        /// What the driver said.
        detail: String,
    },
    /// The device computed something else than it was asked to, so its speed means nothing.
    #[error("the device computes wrong results, so its speed means nothing: {0}")]
    WrongResult(#[from] Mismatch),
    /// Words of a timed result are not what the same work gives on the CPU.
    #[error(
        "the device computes wrong results, so its speed means nothing: {wrong} of {checked} words are wrong; \
         word {first} is {actual:#010x} instead of {expected:#010x}"
    )]
    WrongWords {
        /// Words that are wrong.
        wrong: usize,
        /// Words that were compared.
        checked: usize,
        /// The place of the first wrong one.
        first: u64,
        /// What it must be.
        expected: u32,
        /// What it is.
        actual: u32,
    },
    /// A clock said something that no hardware can do.
    #[error(
        "{amount} {unit} in {nanos} ns are more than any hardware does, so a clock or the driver is wrong; \
         update the driver"
    )]
    Absurd {
        /// How much was done.
        amount: u128,
        /// Of what.
        unit: &'static str,
        /// The time that it is said to have taken.
        nanos: u128,
    },
    /// The device's memory does not hold what was written.
    #[error(
        "the device's memory does not hold what was written: {actual:#010x} instead of {expected:#010x} at byte {offset}"
    )]
    WrongMemory {
        /// The byte's offset in all of the memory that was filled.
        offset: u64,
        /// The word written.
        expected: u32,
        /// The word read.
        actual: u32,
    },
}

impl ProbeError {
    /// Tells whether nothing more can be measured on the device.
    pub(crate) fn is_of_a_lost_device(&self) -> bool {
        matches!(self, Self::DeviceLost { .. } | Self::Hung { .. })
    }
}
