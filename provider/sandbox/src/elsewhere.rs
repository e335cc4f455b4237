//! Systems without a confinement yet: the same names, and a refusal in words.
//!
//! It must never start a worker: the types below cannot be made.

use std::convert::Infallible;
use std::fs::File;
use std::io::Write;
use std::time::Duration;

use crate::attack::Attack;
use crate::check::Finding;
use crate::config::Purpose;
use crate::driver::DriverProfile;
use crate::frame::FrameError;
use crate::greeting::LockedReport;
use crate::layer::{ConfineError, Layer, LayerName};
use crate::limits::Limits;
use crate::self_test::SelfTestError;
use crate::worker::{Entered, Exit, LaunchError, Sandbox};

/// A started worker; there is none on this system.
#[derive(Debug)]
pub(crate) struct Process(Infallible);

/// Ends a worker; there is none on this system.
#[derive(Debug, Clone)]
pub(crate) struct Killer(Infallible);

impl Killer {
    pub(crate) fn kill(&self) {
        match self.0 {}
    }

    pub(crate) fn pause(&self) {
        match self.0 {}
    }

    pub(crate) fn resume(&self) {
        match self.0 {}
    }
}

impl Process {
    pub(crate) fn start(_sandbox: &Sandbox, _purpose: Purpose) -> Result<Self, LaunchError> {
        Err(LaunchError::Unsupported {
            system: std::env::consts::OS,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        match self.0 {}
    }

    pub(crate) fn first_frame(&mut self, _: Duration) -> Result<Option<Vec<u8>>, LaunchError> {
        match self.0 {}
    }

    pub(crate) fn start_clock(&self) {
        match self.0 {}
    }

    pub(crate) fn outer_layers(&self) -> Result<Option<Layer>, LayerName> {
        match self.0 {}
    }

    pub(crate) fn take_stdin(&mut self) -> Option<File> {
        match self.0 {}
    }

    pub(crate) fn take_stdout(&mut self) -> Option<File> {
        match self.0 {}
    }

    pub(crate) fn stderr_text(&self) -> String {
        match self.0 {}
    }

    pub(crate) fn kill(&self) {
        match self.0 {}
    }

    pub(crate) fn killer(&self) -> Killer {
        match self.0 {}
    }

    pub(crate) fn wait(&self) -> Exit {
        match self.0 {}
    }

    pub(crate) fn wait_timeout(&self, _: Duration) -> Option<Exit> {
        match self.0 {}
    }
}

/// Refuses: no stage of the launch exists on this system.
///
/// # Errors
/// Always.
pub fn enter() -> Result<Entered, ConfineError> {
    Err(ConfineError::new(
        LayerName::UserNamespace,
        "enter",
        format!("there is no confinement on {} yet", std::env::consts::OS),
    ))
}

/// Refuses, as [`enter`] does.
///
/// # Errors
/// Always.
pub fn enter_without_layers() -> Result<Entered, ConfineError> {
    enter()
}

/// Refuses to try an attack where no worker starts.
pub(crate) fn try_alone(
    _sandbox: &Sandbox,
    _attack: Attack,
    _timeout: Duration,
) -> Result<Finding, SelfTestError> {
    Err(SelfTestError::Launch(LaunchError::Unsupported {
        system: std::env::consts::OS,
    }))
}

/// A confined worker; there is none on this system.
#[derive(Debug)]
pub struct Confined(Infallible);

impl Confined {
    /// The driver profile.
    #[must_use]
    pub fn profile(&self) -> &DriverProfile {
        match self.0 {}
    }

    /// The worker's limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        match self.0 {}
    }

    /// The layers observed so far.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        match self.0 {}
    }

    /// Lays the last layer.
    ///
    /// # Errors
    /// Never reached.
    pub fn lock(self) -> Result<Locked, ConfineError> {
        match self.0 {}
    }

    /// Tells the agent that the warm-up failed.
    pub fn refuse(self, _cause: &str) {
        match self.0 {}
    }
}

/// A locked worker; there is none on this system.
#[derive(Debug)]
pub struct Locked(Infallible);

impl Locked {
    /// Writes the LOCKED frame.
    ///
    /// # Errors
    /// Never reached.
    pub fn announce(self, _output: &mut impl Write) -> Result<LockedReport, FrameError> {
        match self.0 {}
    }
}
