//! Confinement of one worker process: how it starts, what it may still do, and the evidence.
//!
//! Owns the launch order, the limits, the driver profiles, the LOCKED handshake, the frames on
//! the worker's pipes and the self test. It must never know of money, orders or jobs, and it must
//! never start a worker that can take a job without every required layer in force.
//!
//! ```text
//!  agent                launcher (L)              init (I)             worker (W)
//!  Sandbox::launch
//!   asks the loader which
//!   libraries to show
//!   keeper thread ──fork, exec──► `worker`
//!   pdeathsig, setsid,   enter(): one thread
//!   control group        close_range, rlimits
//!                        drop root, unshare
//!                        user pid net ipc uts mnt
//!                        ──────fork──────────────► pid 1
//!                        waits; SIGTERM = kill I   new root (tmpfs),
//!                                                  read-only binds,
//!                                                  /dev /proc /scratch
//!                                                  pivot_root
//!                                                  ──────fork──────────► drop capabilities
//!                                                  reaps; dies with W    no_new_privs, Landlock
//!                                                                        exec the same binary
//!                                                                        enter(): observe layers
//!                                                                        caller warms its engine
//!                                                                        lock(): seccomp, TSYNC
//!  wait_locked ◄──────────────── LOCKED frame: layers and evidence ───── announce()
//!  Worker: pipes usable ════════ job frames ═══════════════════════════► serves one job
//! ```
//!
//! Nothing of a job can reach a worker before LOCKED: only [`Worker`], which
//! [`Launched::wait_locked`] alone makes, has pipes.

mod attack;
mod bench;
mod check;
#[cfg_attr(
    not(target_os = "linux"),
    expect(
        dead_code,
        reason = "what a launch needs, and nothing launches there yet"
    )
)]
mod config;
mod driver;
mod family;
mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod greeting;
mod layer;
mod limits;
mod private_folder;
mod self_test;
#[cfg_attr(
    not(target_os = "linux"),
    expect(
        dead_code,
        reason = "what a launch needs, and nothing launches there yet"
    )
)]
mod targets;
mod worker;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
use elsewhere as system;

#[cfg(target_os = "linux")]
pub use linux::{Watch, calls_after_lock};

pub use attack::Attack;
pub use bench::{Unconfined, UnconfinedStart, has_bubblewrap};
pub use check::{CheckReport, Finding, Verdict};
pub use config::{LandlockCeiling, WorkerProgram};
pub use driver::{
    AfterLock, CodePages, DescriptionError, DeviceNode, Driver, DriverError, DriverProfile, Ioctl,
    LibraryError, LibraryRoot, PathLink, Presence, Rights, SystemPath,
};
pub use family::family_of;
pub use frame::{FrameError, read_frame, write_frame};
pub use greeting::LockedReport;
pub use layer::{ConfineError, Layer, LayerName};
pub use limits::{Limits, LimitsError};
pub use private_folder::PrivateFolder;
pub use self_test::{Outcome, Row, SandboxLevel, SelfTestError, SelfTestReport};
pub use system::{Confined, Locked, enter, enter_without_layers};
pub use targets::{Targets, Watched};
pub use worker::{Entered, Exit, Killer, LaunchError, Launched, Output, Sandbox, Worker};
