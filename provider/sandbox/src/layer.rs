//! The layers of confinement by name, their evidence, and the error of a missing one.
//!
//! It must never set up a layer: the modules under `linux/` do, and they observe it too.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One layer that stands between a job and the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerName {
    /// Only fixed variables reach the worker.
    Environment,
    /// Only the three pipes are open.
    Descriptors,
    /// Limits kept by the kernel for each process.
    ResourceLimits,
    /// A control group for memory and processes.
    ControlGroup,
    /// Own user ids, without power outside.
    UserNamespace,
    /// Own process ids.
    PidNamespace,
    /// Own, empty network.
    NetworkNamespace,
    /// Own System V and POSIX queues.
    IpcNamespace,
    /// Own host name.
    UtsNamespace,
    /// Own root of read-only binds.
    MountNamespace,
    /// No further user namespaces.
    NestedNamespaces,
    /// No capabilities, not even in the bounding set.
    Capabilities,
    /// No privileges through exec.
    NoNewPrivileges,
    /// Access rules that the process laid on itself.
    Landlock,
    /// The list of system calls still allowed.
    Seccomp,
    /// A session of its own, without a terminal.
    Session,
    /// The end of the worker with the end of its parent.
    ParentDeath,
    /// The time that the agent keeps by its own clock.
    AgentClock,
    /// The count of the bytes that the agent takes from the worker, and how long one frame may be.
    OutputCap,
    /// No byte of a job before LOCKED, and no byte of a worker but LOCKED first.
    Handshake,
}

impl LayerName {
    /// The layers that the agent itself is, so that no worker can observe them.
    pub const OF_THE_AGENT: [Self; 3] = [Self::AgentClock, Self::OutputCap, Self::Handshake];

    /// The layers without which no worker starts, in the order in which they are observed; seccomp comes last, with
    /// LOCKED. Those that are not here have substitutes.
    pub const REQUIRED: [Self; 14] = [
        Self::Environment,
        Self::Descriptors,
        Self::Session,
        Self::ParentDeath,
        Self::ResourceLimits,
        Self::UserNamespace,
        Self::PidNamespace,
        Self::NetworkNamespace,
        Self::IpcNamespace,
        Self::UtsNamespace,
        Self::MountNamespace,
        Self::Capabilities,
        Self::NoNewPrivileges,
        Self::Seccomp,
    ];

    /// Says whether it is missing where `left_out` are left out: with the user namespace go all that need it.
    pub(crate) fn is_left_out(self, left_out: &BTreeSet<Self>) -> bool {
        let without_users = left_out.contains(&Self::UserNamespace) && self.needs_users();
        without_users || left_out.contains(&self)
    }

    /// Says whether only the root of a user namespace can set the layer up.
    fn needs_users(self) -> bool {
        matches!(
            self,
            Self::PidNamespace
                | Self::NetworkNamespace
                | Self::IpcNamespace
                | Self::UtsNamespace
                | Self::MountNamespace
                | Self::NestedNamespaces
                | Self::Capabilities
        )
    }

    /// Says what the layer stops.
    #[must_use]
    pub fn stops(self) -> &'static str {
        match self {
            Self::Environment => "libraries and drivers injected through variables",
            Self::Descriptors => "the use of files that the agent has open",
            Self::ResourceLimits | Self::ControlGroup => "a job that eats the machine",
            Self::UserNamespace => "a job that acts with the rights of the owner",
            Self::PidNamespace => "signals and debuggers aimed at other processes",
            Self::NetworkNamespace => "every connection to the network",
            Self::IpcNamespace => "shared memory and queues of other programs",
            Self::UtsNamespace => "a change of the host name",
            Self::MountNamespace => "the reading and writing of the owner's files",
            Self::NestedNamespaces => "kernel code that only a namespace's root reaches",
            Self::Capabilities | Self::NoNewPrivileges => "the regaining of privileges",
            Self::Landlock => "files, sockets and signals outside the worker's own",
            Self::Seccomp => "system calls that no engine needs",
            Self::Session => "keys typed into the owner's terminal",
            Self::ParentDeath => "a worker that nobody watches any more",
            Self::AgentClock => "a job that never ends",
            Self::OutputCap => "results without end",
            Self::Handshake => "a job that runs before the walls stand",
        }
    }

    /// Says what a person can do where the layer cannot be had.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::UserNamespace
            | Self::PidNamespace
            | Self::NetworkNamespace
            | Self::IpcNamespace
            | Self::UtsNamespace
            | Self::MountNamespace => {
                "Allow unprivileged user namespaces (sysctl user.max_user_namespaces above 0; on \
                 Ubuntu 24.04 and later an AppArmor profile or \
                 kernel.apparmor_restrict_unprivileged_userns=0), and do not run inside a \
                 container that forbids them"
            }
            Self::Landlock => "Use Linux 5.13 or later with landlock in the lsm= list",
            Self::Seccomp => "Use a kernel with CONFIG_SECCOMP_FILTER",
            Self::ControlGroup => {
                "Run as a service with Delegate=yes, or accept per-process limits"
            }
            _ => {
                "Run `nightshift sandbox check` and report what it prints; use Linux 5.13 or later"
            }
        }
    }
}

impl fmt::Display for LayerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "environment",
            Self::Descriptors => "descriptors",
            Self::ResourceLimits => "resource limits",
            Self::ControlGroup => "control group",
            Self::UserNamespace => "user namespace",
            Self::PidNamespace => "pid namespace",
            Self::NetworkNamespace => "network namespace",
            Self::IpcNamespace => "ipc namespace",
            Self::UtsNamespace => "uts namespace",
            Self::MountNamespace => "mount namespace",
            Self::NestedNamespaces => "nested namespaces",
            Self::Capabilities => "capabilities",
            Self::NoNewPrivileges => "no new privileges",
            Self::Landlock => "Landlock",
            Self::Seccomp => "seccomp",
            Self::Session => "session",
            Self::ParentDeath => "end with the parent",
            Self::AgentClock => "agent's clock",
            Self::OutputCap => "output cap",
            Self::Handshake => "LOCKED handshake",
        })
    }
}

/// A layer in force and what was observed that shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Which layer.
    pub name: LayerName,
    /// What a probe inside the worker saw, such as `open /etc/passwd: ENOENT`.
    pub evidence: String,
}

/// A layer that could not be had; the worker did not start, or ended before LOCKED.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error(
    "the {layer} layer is missing ({step}: {cause}). It stops {}. {}. No job runs without it.",
    .layer.stops(),
    .layer.remedy()
)]
pub struct ConfineError {
    /// The missing layer.
    pub layer: LayerName,
    /// The step that failed.
    pub step: String,
    /// What the system answered, or what was seen instead.
    pub cause: String,
}

impl ConfineError {
    /// Says that `layer` is missing because `step` met `cause`.
    pub(crate) fn new(layer: LayerName, step: impl Into<String>, cause: impl fmt::Display) -> Self {
        Self {
            layer,
            step: step.into(),
            cause: cause.to_string(),
        }
    }
}
