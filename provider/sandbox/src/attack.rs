//! The table of attacks: what a hostile job would try, and which layers stand against it.
//!
//! It must never try anything: `linux/` does, inside a worker. A new attack is a new line here, and the tests then ask
//! for its control, the same attempt without its layers, which must get through.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::layer::LayerName::{self, *};

/// One thing that a hostile job would try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(try_from = "u8")]
pub enum Attack {
    /// Read a file of the owner.
    ReadFile,
    /// Create a file in a folder of the owner.
    WriteFile,
    /// Reach a file of the owner through a symbolic link.
    SymbolicLink,
    /// Reach a file of the owner through a hard link.
    HardLink,
    /// Open a file through a folder that the agent leaked as an open descriptor.
    LeakedDescriptor,
    /// Connect to a listener on this machine.
    Tcp,
    /// Send a datagram to a socket on this machine.
    Udp,
    /// Connect to an abstract unix socket.
    AbstractSocket,
    /// Connect to a unix socket that has a path, as the session's message bus has.
    PathSocket,
    /// Signal the agent.
    Signal,
    /// Attach to the agent as a debugger.
    Trace,
    /// Read the agent's memory.
    ReadMemory,
    /// Start a shell.
    Shell,
    /// Start processes without end.
    ForkBomb,
    /// Start threads without end.
    ThreadBomb,
    /// Take memory without end.
    MemoryBomb,
    /// Fill the disk.
    DiskFill,
    /// Write results without end.
    OutputFlood,
    /// Compute without end.
    ProcessorSpin,
    /// Wait without end in one call.
    BlockedCall,
    /// Live on when the agent is killed.
    Orphan,
    /// Leave a process behind that lives on when the worker is killed.
    Daemon,
    /// Make a user namespace and mount something in it.
    NestedNamespace,
    /// Set up an io_uring.
    IoUring,
    /// Load a program into the kernel.
    KernelProgram,
    /// Use the kernel's key rings.
    KeyRing,
    /// Handle page faults from user space.
    PageFaults,
    /// Open a device that no profile names.
    OtherDevice,
    /// Type into the owner's terminal.
    TerminalInput,
    /// Point beyond a table in the card's memory.
    IndexOutOfRange,
    /// Send files that mislead their reader.
    MalformedInput,
    /// Take all memory of the card.
    CardMemory,
    /// Keep the card busy without end.
    CardHang,
    /// Read what another left in the card's memory.
    LeftoverMemory,
    /// Bring libraries and layers in through the environment.
    Injection,
    /// Use a kernel that lacks a layer.
    Downgrade,
    /// Speak before the walls stand.
    EarlyBytes,
}

/// How an attack is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Means {
    /// By a few system calls, which leave the worker as it was: many share one worker, each once before and once after
    /// seccomp.
    Calls,
    /// In a worker of its own, which may not survive it.
    Worker,
    /// By an agent of its own, which may not survive it either.
    Agent,
    /// By all the attacks with calls, under an older kernel's Landlock.
    Downgrade,
    /// By a job, which takes an engine: not by this crate.
    Job,
}

/// One line of the table.
struct Line {
    attack: Attack,
    /// Its number in the specification; several attempts may share one.
    number: u8,
    words: &'static str,
    /// Each of these alone suffices, unless the tests say otherwise.
    layers: &'static [LayerName],
    means: Means,
}

const fn line(
    attack: Attack,
    number: u8,
    words: &'static str,
    layers: &'static [LayerName],
    means: Means,
) -> Line {
    Line {
        attack,
        number,
        words,
        layers,
        means,
    }
}

/// Where files are concerned.
const FILES: &[LayerName] = &[MountNamespace, Landlock, Seccomp];
/// Where other processes are concerned.
const PROCESSES: &[LayerName] = &[PidNamespace, Landlock, Seccomp];

/// Every attack, in the order of the specification.
#[rustfmt::skip]
const TABLE: [Line; 37] = [
    line(Attack::ReadFile, 1, "read a file of the owner", FILES, Means::Calls),
    line(Attack::WriteFile, 2, "write into a folder of the owner", FILES, Means::Calls),
    line(Attack::SymbolicLink, 3, "follow a symbolic link out of the scratch folder", FILES, Means::Calls),
    line(Attack::HardLink, 3, "make a hard link to a file of the owner", FILES, Means::Calls),
    line(Attack::LeakedDescriptor, 4, "use a folder that the agent left open", &[Descriptors, Landlock, Seccomp], Means::Calls),
    line(Attack::Tcp, 5, "connect over TCP", &[NetworkNamespace, Landlock, Seccomp], Means::Calls),
    line(Attack::Udp, 6, "send a datagram", &[NetworkNamespace, Seccomp], Means::Calls),
    line(Attack::AbstractSocket, 7, "connect to an abstract unix socket", &[NetworkNamespace, Landlock, Seccomp], Means::Calls),
    line(Attack::PathSocket, 7, "connect to a unix socket with a path", &[MountNamespace, Seccomp], Means::Calls),
    line(Attack::Signal, 8, "signal the agent", PROCESSES, Means::Calls),
    line(Attack::Trace, 8, "debug the agent", &[UserNamespace, PidNamespace, Landlock, Seccomp], Means::Calls),
    line(Attack::ReadMemory, 9, "read the agent's memory", &[UserNamespace, PidNamespace, Landlock, Seccomp], Means::Calls),
    line(Attack::Shell, 10, "start a shell", FILES, Means::Calls),
    line(Attack::ForkBomb, 11, "start 500 processes", &[Seccomp, ControlGroup, ResourceLimits], Means::Worker),
    line(Attack::ThreadBomb, 12, "start 5,000 threads", &[ControlGroup, ResourceLimits], Means::Worker),
    line(Attack::MemoryBomb, 13, "take four times the memory", &[ControlGroup, ResourceLimits], Means::Worker),
    line(Attack::DiskFill, 14, "fill the disk", &[MountNamespace, Landlock], Means::Worker),
    line(Attack::OutputFlood, 15, "write results without end", &[OutputCap], Means::Worker),
    line(Attack::ProcessorSpin, 16, "compute without end", &[AgentClock, ResourceLimits], Means::Worker),
    line(Attack::BlockedCall, 17, "wait without end in one call", &[AgentClock], Means::Worker),
    line(Attack::Orphan, 18, "live on when the agent is killed", &[ParentDeath], Means::Agent),
    line(Attack::Daemon, 19, "leave a process behind", &[PidNamespace, ControlGroup], Means::Worker),
    line(Attack::NestedNamespace, 20, "make a user namespace and mount in it", &[NestedNamespaces, Landlock, Seccomp], Means::Calls),
    line(Attack::IoUring, 21, "set up an io_uring", &[Seccomp], Means::Calls),
    line(Attack::KernelProgram, 21, "load a program into the kernel", &[Seccomp], Means::Calls),
    line(Attack::KeyRing, 21, "join a key ring of the kernel", &[Seccomp], Means::Calls),
    line(Attack::PageFaults, 21, "handle page faults (userfaultfd)", &[Seccomp], Means::Calls),
    line(Attack::OtherDevice, 22, "open a device that no profile names", FILES, Means::Calls),
    line(Attack::TerminalInput, 22, "type into the owner's terminal", &[Session, MountNamespace, Landlock, Seccomp], Means::Calls),
    line(Attack::IndexOutOfRange, 23, "point beyond a table in the card's memory", &[], Means::Job),
    line(Attack::MalformedInput, 24, "send files that mislead their reader", &[], Means::Job),
    line(Attack::CardMemory, 25, "take all memory of the card", &[], Means::Job),
    line(Attack::CardHang, 26, "keep the card busy without end", &[AgentClock], Means::Job),
    line(Attack::LeftoverMemory, 27, "read what another left in the card's memory", &[], Means::Job),
    line(Attack::Injection, 28, "bring libraries in through the environment", &[Environment], Means::Agent),
    line(Attack::Downgrade, 29, "use a kernel that lacks Landlock, or has an old one", &[MountNamespace, NetworkNamespace, PidNamespace, Seccomp], Means::Downgrade),
    line(Attack::EarlyBytes, 30, "speak before the walls stand", &[Handshake], Means::Worker),
];

impl Attack {
    /// Returns every attack, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|line| line.attack)
    }

    /// Returns the attacks that are tried by a few calls: the quick set.
    pub(crate) fn with_calls() -> impl Iterator<Item = Self> {
        Self::all().filter(|attack| attack.means() == Means::Calls)
    }

    fn line(self) -> &'static Line {
        &TABLE[self as usize]
    }

    /// Returns its number in the specification, from 1 to 30; several attempts may share one.
    #[must_use]
    pub fn number(self) -> u8 {
        self.line().number
    }

    /// Returns the layers that stand against it. Each alone suffices where it is in force. What takes an engine and a job
    /// is stopped by the engine's own checks, which this crate does not know.
    #[must_use]
    pub fn layers(self) -> &'static [LayerName] {
        self.line().layers
    }

    pub(crate) fn means(self) -> Means {
        self.line().means
    }

    /// Says whether it takes a worker, or an agent, of its own.
    #[must_use]
    pub fn takes_a_worker(self) -> bool {
        matches!(self.means(), Means::Worker | Means::Agent)
    }

    /// Says whether it takes an engine and a job, so that this crate cannot try it.
    #[must_use]
    pub fn takes_a_job(self) -> bool {
        self.means() == Means::Job
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.line().words)
    }
}

/// Between processes of one program an attack is its place in the table.
impl Serialize for Attack {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

impl TryFrom<u8> for Attack {
    type Error = String;

    fn try_from(place: u8) -> Result<Self, String> {
        let line = TABLE.get(usize::from(place));
        line.map(|line| line.attack)
            .ok_or_else(|| format!("there is no attack {place}"))
    }
}

#[cfg(test)]
mod tests;
