//! What the agent tells a worker at its start: one JSON value in one environment variable.
//!
//! It must never carry anything of a job: a job's bytes travel on the pipe, after LOCKED.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::attack::Attack;
use crate::driver::DriverProfile;
use crate::layer::LayerName;
use crate::limits::Limits;
use crate::targets::Targets;

/// The variable that holds the [`LaunchConfig`].
pub(crate) const CONFIG_VARIABLE: &str = "NIGHTSHIFT_SANDBOX";
/// The variable that says which stage of the launch the process is.
pub(crate) const STAGE_VARIABLE: &str = "NIGHTSHIFT_SANDBOX_STAGE";

/// The program that becomes the worker, usually the running binary itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerProgram {
    /// The program's path.
    pub path: PathBuf,
    /// Its arguments, such as `worker`; they must lead it to call [`crate::enter`] at once.
    pub args: Vec<OsString>,
}

impl WorkerProgram {
    /// The running binary with `args`; still right after the file on disk was replaced.
    #[must_use]
    pub fn this_binary(args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            path: PathBuf::from("/proc/self/exe"),
            args: args.into_iter().map(Into::into).collect(),
        }
    }
}

/// The newest Landlock version to use; less than the best rehearses an older kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LandlockCeiling {
    /// Whatever the kernel has.
    Best,
    /// No more than this version; 0 stands for a kernel without Landlock.
    AtMost(u8),
}

/// Why a worker starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Purpose {
    /// To serve a job after LOCKED.
    Job,
    /// To attack its own confinement and report; takes no job.
    Attack {
        /// What to try, in this order.
        attacks: Vec<Attack>,
        /// Where to aim.
        targets: Targets,
    },
}

impl Purpose {
    /// Where to aim; `None` for a job.
    pub(crate) fn targets(&self) -> Option<&Targets> {
        match self {
            Self::Job => None,
            Self::Attack { targets, .. } => Some(targets),
        }
    }
}

/// Which part of the launch a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The launcher, before any layer.
    Launch,
    /// The worker proper, after exec.
    Work,
    /// A worker of the bench, which stays unconfined and takes no job.
    Bench,
    /// A second agent, which the check starts in order to kill it.
    Agent,
}

impl Stage {
    /// The value of [`STAGE_VARIABLE`].
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::Work => "work",
            Self::Bench => "bench",
            Self::Agent => "agent",
        }
    }

    /// Reads the value of [`STAGE_VARIABLE`].
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Launch, Self::Work, Self::Bench, Self::Agent]
            .into_iter()
            .find(|stage| stage.as_str() == text)
    }
}

/// Everything that the stages need to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LaunchConfig {
    /// The resource limits.
    pub(crate) limits: Limits,
    /// What the driver needs.
    pub(crate) profile: DriverProfile,
    /// The newest Landlock version to use.
    pub(crate) landlock: LandlockCeiling,
    /// The layers to do without, for controls alone: only a program made for tests starts such a worker.
    pub(crate) left_out: BTreeSet<LayerName>,
    /// Why the worker starts.
    pub(crate) purpose: Purpose,
    /// Who keeps the limit of memory.
    pub(crate) memory_keeper: Keeper,
    /// Who keeps the limit of processes and threads.
    pub(crate) process_keeper: Keeper,
    /// The namespaces outside, by name; filled in by the launcher.
    pub(crate) outer_namespaces: BTreeMap<String, String>,
    /// The Landlock version in force; filled in just before exec.
    pub(crate) landlock_abi: u32,
}

impl LaunchConfig {
    /// Says whether `layer` is to be there. All namespaces need the one of users.
    pub(crate) fn has(&self, layer: LayerName) -> bool {
        !layer.is_left_out(&self.left_out)
    }
}

/// What a second agent is told, in the variable that holds a worker's configuration otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SecondAgent {
    /// The limits of its worker.
    pub(crate) limits: Limits,
    /// What the driver needs.
    pub(crate) profile: DriverProfile,
    /// The layers that its worker does without.
    pub(crate) left_out: BTreeSet<LayerName>,
    /// What its worker tries.
    pub(crate) attack: Attack,
    /// Where to aim.
    pub(crate) targets: Targets,
}

/// Who keeps a limit over the whole tree of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Keeper {
    /// A control group.
    ControlGroup,
    /// Nobody: `RLIMIT_DATA` bounds the memory of each process, and `RLIMIT_NPROC` the processes of the user.
    ResourceLimit,
}
