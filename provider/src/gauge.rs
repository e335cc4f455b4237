//! Owns what this machine can sell: its measured adapter, what computes, and what confines jobs.
//!
//! Never offers an adapter whose driver has no sandbox profile, or one that was not recorded on a real card.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use engine::EngineDevice;
use gpu_probe::{Adapter, Benchmark, Effort, Tuning};
use market::gpu::{AdapterForm, AdapterInfo, AdapterKind, ClassError, GpuClass, GpuReport};
use market_node::home::{Home, write_private};
use sandbox::{Driver, DriverError, DriverProfile, Limits, Sandbox, SandboxLevel, SelfTestReport};

use crate::{reservation, worker};

/// How long the sandbox may take to attack itself.
const SELF_TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// How often a processor is measured before it counts as too slow.
const TRIES: u32 = 3;

/// The most bytes of a file of an earlier start that are read.
const MAX_KEPT_BYTES: u64 = 64 << 10;

/// The least memory in which the engine starts, and that each worker is given, in bytes.
pub(crate) const LEAST_MEMORY_BYTES: u64 = 1 << 30;

/// What this machine can sell.
#[derive(Debug, Clone)]
pub struct Gauge {
    /// The measured adapter.
    pub report: GpuReport,
    /// Its class.
    pub class: GpuClass,
    /// What computes jobs.
    pub workplace: Workplace,
    /// What the sandbox's attacks on itself showed.
    pub self_test: SelfTestReport,
}

/// What a worker computes on, and how it sees the driver of that.
#[derive(Debug, Clone)]
pub struct Workplace {
    /// What computes.
    pub device: EngineDevice,
    /// How it is seen.
    pub profile: DriverProfile,
}

impl Workplace {
    /// The processor, which needs no driver.
    pub fn processor() -> Self {
        Self {
            device: EngineDevice::Flex,
            profile: DriverProfile::cpu(),
        }
    }

    /// Where jobs are computed when `adapter` is sold. A processor is served by the engine's own backend, never by the
    /// emulated GPU.
    ///
    /// # Errors
    /// The card's driver is unknown to the sandbox or its profile unproven, or the engine does not find the card.
    pub fn of(adapter: &AdapterInfo) -> Result<Self, GaugeError> {
        if adapter.form.kind() == AdapterKind::Cpu {
            return Ok(Self::processor());
        }
        Self::on_card(adapter, driver_of(adapter)?)
    }

    /// Where this program's own measuring jobs are computed on `adapter`: on a card whose profile is unproven too, for
    /// it is never a stranger's job.
    ///
    /// # Errors
    /// The card's driver is unknown to the sandbox, or the engine does not find the card.
    pub fn of_own_jobs(adapter: &AdapterInfo) -> Result<Self, GaugeError> {
        if adapter.form.kind() == AdapterKind::Cpu {
            return Ok(Self::processor());
        }
        Self::on_card(adapter, Driver::recognise(adapter.driver.as_str())?)
    }

    fn on_card(adapter: &AdapterInfo, driver: Driver) -> Result<Self, GaugeError> {
        let profile = gpu_profile(adapter, driver)?;
        match EngineDevice::choose() {
            EngineDevice::Flex => Err(GaugeError::NoEngine {
                adapter: adapter.name.to_string(),
            }),
            device => Ok(Self { device, profile }),
        }
    }

    /// Lets the sandbox attack itself.
    ///
    /// # Errors
    /// No worker comes up, or an attack gets through: nothing may be offered.
    pub fn self_test(&self) -> Result<SelfTestReport, GaugeError> {
        let tested = self.sandbox(Limits::default()).self_test(SELF_TEST_TIMEOUT);
        refuse_open(tested.map_err(|error| GaugeError::Sandbox(error.to_string()))?)
    }

    /// Describes workers here within `limits`.
    pub fn sandbox(&self, limits: Limits) -> Sandbox {
        Sandbox::new(worker::program(&self.device), self.profile.clone(), limits)
    }
}

/// Returns the report of a sandbox that let nothing through; one with an open row is an error that names it.
fn refuse_open(report: SelfTestReport) -> Result<SelfTestReport, GaugeError> {
    if report.level != SandboxLevel::Closed {
        return Ok(report);
    }
    let open = report.rows.iter().filter(|row| row.open());
    let attacks: Vec<String> = open.map(|row| row.attack.to_string()).collect();
    Err(GaugeError::Sandbox(format!(
        "a job could {}; `nightshift sandbox check` shows more",
        attacks.join(", ")
    )))
}

/// Why this machine cannot sell.
#[derive(Debug, thiserror::Error)]
pub enum GaugeError {
    /// No adapter could be measured.
    #[error(transparent)]
    Probe(#[from] gpu_probe::ProbeError),
    /// The figures are below every class.
    #[error("the measured figures fit no class: {0}")]
    Class(#[from] ClassError),
    /// The engine does not find the GPU that was measured.
    #[error(
        "{adapter} was measured as a GPU, but the engine finds no GPU to compute jobs on, so nothing is offered; look \
         whether two drivers are installed for it"
    )]
    NoEngine {
        /// The adapter's name.
        adapter: String,
    },
    /// The driver is not known well enough to the sandbox.
    #[error("nothing is offered on this card: {0}")]
    Driver(#[from] DriverError),
    /// The machine has too little memory for a worker.
    #[error(
        "a worker needs {LEAST_MEMORY_BYTES} bytes of memory, and of this machine's a job gets {available} at most, three \
         quarters, so nothing is offered; sell on a machine with 2 GiB or more"
    )]
    TooLittleMemory {
        /// What a job could get, in bytes.
        available: u64,
    },
    /// The sandbox does not hold.
    #[error("jobs cannot be confined on this machine: {0}")]
    Sandbox(String),
}

impl Gauge {
    /// Returns what the adapter drew while it was measured, in watts rounded up; 0 where it did not tell.
    pub fn watts(&self) -> u32 {
        let power = self.report.figures.power_mw;
        let watts = power.map_or(0, |spread| spread.p50.div_ceil(1_000));
        u32::try_from(watts).unwrap_or(u32::MAX)
    }
}

/// Measures the best adapter and lets the sandbox attack itself. Blocks, under 20 seconds on a machine that is not busy.
///
/// The home keeps which matrix kernel suits which adapter, so that the next start need not try them all again, and which
/// class the adapter had, so that one at a band's edge does not change its class with every start.
///
/// # Errors
/// There is too little memory or no adapter, its driver is unknown or its profile unproven, or an attack got through:
/// nothing may be offered.
pub fn measure(effort: Effort, home: &Home) -> Result<Gauge, GaugeError> {
    check_memory(reservation::host_memory())?;
    let adapter = gpu_probe::best_adapter()?;
    let (report, class) = classed(&adapter, effort, home)?;
    let workplace = Workplace::of(&report.adapter)?;
    let self_test = workplace.self_test()?;
    Ok(Gauge {
        report,
        class,
        workplace,
        self_test,
    })
}

/// Tells whether a worker gets the memory that it needs where `available` bytes are to be had.
fn check_memory(available: u64) -> Result<(), GaugeError> {
    match available < LEAST_MEMORY_BYTES {
        true => Err(GaugeError::TooLittleMemory { available }),
        false => Ok(()),
    }
}

/// Measures an adapter and finds its class. A processor that seems too slow for any class may only be busy, so that it
/// is measured again.
fn classed(
    adapter: &Adapter,
    effort: Effort,
    home: &Home,
) -> Result<(GpuReport, GpuClass), GaugeError> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let report = reported(adapter, effort, home)?;
        let previous = previous_class(&home.gpu_class(), &report.adapter);
        match report.class(previous) {
            Ok(class) => {
                if previous != Some(class) {
                    let line = format!("{}\t{class}\n", report.adapter.name);
                    keep(&home.gpu_class(), &line);
                }
                return Ok((report, class));
            }
            Err(ClassError::TooSlow { mflops })
                if tries > 0 && report.adapter.form == AdapterForm::Cpu =>
            {
                tracing::info!(
                    mflops,
                    "too slow for any class; a busy machine? measuring again"
                );
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Measures what an offer needs to say of an adapter.
fn reported(adapter: &Adapter, effort: Effort, home: &Home) -> Result<GpuReport, GaugeError> {
    let wanted = (effort, &Benchmark::OF_AN_OFFER[..]);
    let remembered = remembered(&home.gpu_kernels());
    let mut tuning = remembered.clone();
    let probed = gpu_probe::probe_tuned(adapter, wanted, &mut tuning, &mut |_progress| {})?;
    if tuning != remembered {
        keep(&home.gpu_kernels(), &tuning.to_string());
    }
    for problem in probed.problems {
        match problem.benchmark {
            Benchmark::GemmFp32 | Benchmark::UsableMemory => return Err(problem.error.into()),
            benchmark => tracing::warn!(?benchmark, error = %problem.error, "figure unknown"),
        }
    }
    Ok(probed.report)
}

/// Writes what the next start would like to know.
fn keep(path: &Path, text: &str) {
    if let Err(error) = write_private(path, text.as_bytes()) {
        tracing::warn!(%error, "the next start has to find out again");
    }
}

/// Reads a file of an earlier start; nothing where it is missing. Whatever is in it is only a suggestion.
fn kept(path: &Path) -> String {
    let mut bytes = Vec::new();
    let file = File::open(path).map(|file| file.take(MAX_KEPT_BYTES));
    if let Ok(mut file) = file
        && let Err(error) = file.read_to_end(&mut bytes)
    {
        tracing::warn!(%error, "reading what an earlier start found");
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads which kernels earlier starts found fastest.
fn remembered(kernels: &Path) -> Tuning {
    let Ok(tuning) = kept(kernels).parse();
    tuning
}

/// Reads the class that this adapter had when it was last measured.
fn previous_class(path: &Path, adapter: &AdapterInfo) -> Option<GpuClass> {
    let text = kept(path);
    let (name, class) = text.trim_end().rsplit_once('\t')?;
    let class = class.parse().ok()?;
    (name == adapter.name.as_str()).then_some(class)
}

/// Recognises the driver of an adapter, if jobs may run on it.
///
/// # Errors
/// The driver is unknown to the sandbox, or its profile was written from documents and never seen to hold. It is refused
/// before a profile is even made, so that nobody is sent to install something for it first.
pub fn driver_of(adapter: &AdapterInfo) -> Result<Driver, DriverError> {
    let driver = Driver::recognise(adapter.driver.as_str())?;
    match driver.proven() {
        true => Ok(driver),
        false => Err(DriverError::Unproven { driver }),
    }
}

/// Finds the sandbox's profile for a measured GPU and its device node.
fn gpu_profile(adapter: &AdapterInfo, driver: Driver) -> Result<DriverProfile, DriverError> {
    match driver {
        Driver::Nvidia => DriverProfile::nvidia(nvidia_minor(adapter)),
        Driver::Amd => DriverProfile::amd(render_minor(adapter)),
        Driver::Intel => DriverProfile::intel(render_minor(adapter)),
        Driver::Cpu | Driver::Lavapipe => Ok(DriverProfile::cpu()),
    }
}

/// Returns the number of the card's device node under NVIDIA's driver, by its place on the bus; 0, the first, where that
/// is not known.
fn nvidia_minor(adapter: &AdapterInfo) -> u32 {
    let bus = adapter.pci_bus_id.as_ref();
    let file = bus.map(|bus| format!("/proc/driver/nvidia/gpus/{}/information", bus.as_str()));
    let text = file.and_then(|file| std::fs::read_to_string(file).ok());
    text.and_then(|text| minor_in(&text)).unwrap_or(0)
}

/// Reads the line `Device Minor:` of what NVIDIA's driver says of a card.
fn minor_in(information: &str) -> Option<u32> {
    let mut lines = information.lines();
    let minor = lines.find_map(|line| line.strip_prefix("Device Minor:"))?;
    minor.trim().parse().ok()
}

/// Returns the number of the adapter's render node, by its place on the bus; 128, the first, where that is
/// not known.
fn render_minor(adapter: &AdapterInfo) -> u32 {
    let bus = adapter.pci_bus_id.as_ref();
    let folder = bus.map(|bus| format!("/sys/bus/pci/devices/{}/drm", bus.as_str()));
    let entries = folder.and_then(|folder| std::fs::read_dir(folder).ok());
    let names = entries.into_iter().flatten().flatten();
    names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .find_map(|name| name.strip_prefix("renderD")?.parse().ok())
        .unwrap_or(128)
}

#[cfg(test)]
mod tests;
