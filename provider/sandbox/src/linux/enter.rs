//! The worker's side: which stage a process is, and the way from confined to LOCKED.
//!
//! It must never return a [`Confined`] that was not observed to be confined, nor a [`Locked`]
//! whose filter was not seen to refuse.

use std::io::{self, Write};

use serde::de::DeserializeOwned;

use super::{attacks, bombs, evidence, launcher, seccomp, second_agent, sys};
use crate::attack::Means;
use crate::bench::UnconfinedStart;
use crate::config::{CONFIG_VARIABLE, LaunchConfig, Purpose, STAGE_VARIABLE, Stage};
use crate::driver::DriverProfile;
use crate::frame::{FrameError, write_frame};
use crate::greeting::{Greeting, LockedReport};
use crate::layer::{ConfineError, Layer, LayerName};
use crate::limits::Limits;
use crate::worker::Entered;

/// The longest cause of a failed warm-up that is passed on.
const MAX_CAUSE_CHARS: usize = 1000;

/// Takes the process through its part of the launch. The worker command calls this first of
/// all, while it has one thread and has opened nothing.
///
/// # Errors
/// A missing layer. The agent has been told; the caller only has to end.
pub fn enter() -> Result<Entered, ConfineError> {
    enter_as(Program::Product)
}

/// As [`enter`], for a program that is made for tests: it also starts workers without layers, to show what gets
/// through where a layer is missing. None of them takes a job.
///
/// # Errors
/// As [`enter`].
pub fn enter_without_layers() -> Result<Entered, ConfineError> {
    enter_as(Program::Test)
}

/// What kind of program this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    /// It runs jobs, and every layer is required.
    Product,
    /// It shows what happens without layers.
    Test,
}

fn enter_as(program: Program) -> Result<Entered, ConfineError> {
    let configuration = || {
        let config: LaunchConfig = configuration()?;
        match config.left_out.first() {
            Some(layer) if program == Program::Product || config.purpose == Purpose::Job => Err(
                ConfineError::new(*layer, "leave it out", "this program never does without it"),
            ),
            _ => Ok(config),
        }
    };
    let stage = std::env::var(STAGE_VARIABLE).ok();
    let entered = match stage.as_deref().and_then(Stage::parse) {
        Some(Stage::Bench) => return Ok(Entered::Unconfined(UnconfinedStart(()))),
        Some(Stage::Launch) => {
            configuration().and_then(|config| launcher::run(config).map(Entered::Finished))
        }
        Some(Stage::Work) => configuration().and_then(work),
        // It speaks to no agent, so nobody is told of its refusal.
        Some(Stage::Agent) => return second_agent::run(self::configuration()?),
        None => Err(ConfineError::new(
            LayerName::Environment,
            format!("read {STAGE_VARIABLE}"),
            "only the agent starts workers",
        )),
    };
    entered.inspect_err(tell_refusal)
}

/// Tells the agent why there will be no LOCKED.
pub(super) fn tell_refusal(error: &ConfineError) {
    // Nothing can be done where even this fails: the agent then sees an early end.
    let _ = write_frame(
        &mut io::stdout().lock(),
        &Greeting::Refused(error.clone()).encode(),
    );
}

fn configuration<Config: DeserializeOwned>() -> Result<Config, ConfineError> {
    let failed = |cause: &dyn std::fmt::Display| {
        ConfineError::new(
            LayerName::Environment,
            format!("read {CONFIG_VARIABLE}"),
            cause,
        )
    };
    let text = std::env::var(CONFIG_VARIABLE).map_err(|error| failed(&error))?;
    serde_json::from_str(&text).map_err(|error| failed(&error))
}

fn work(config: LaunchConfig) -> Result<Entered, ConfineError> {
    let layers = evidence::before_lock(&config)?;
    // It has been read, and what it says of the machine outside is nobody's business from here on.
    sys::wipe_variable(CONFIG_VARIABLE);
    let purpose = config.purpose.clone();
    let config = Box::new(config);
    let confined = Confined { config, layers };
    match purpose {
        Purpose::Job => Ok(Entered::Confined(confined)),
        Purpose::Attack { attacks, targets } => {
            let code = match attacks.as_slice() {
                [attack] if attack.means() != Means::Calls => {
                    bombs::run(confined, *attack, &targets)
                }
                _ => attacks::run(confined, &attacks, &targets),
            };
            code.map(Entered::Finished)
        }
    }
}

/// A worker with every layer but seccomp. The caller opens its GPU, loads all code it trusts,
/// runs every engine once, and then locks.
#[derive(Debug)]
pub struct Confined {
    config: Box<LaunchConfig>,
    layers: Vec<Layer>,
}

impl Confined {
    /// The driver profile that the agent chose.
    #[must_use]
    pub fn profile(&self) -> &DriverProfile {
        &self.config.profile
    }

    /// The worker's limits, of which [`Limits::vram_bytes`] is the engine's to keep.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.config.limits
    }

    /// The layers observed so far.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Says whether nothing was left out, as with every worker of the product.
    pub(super) fn has_every_layer(&self) -> bool {
        self.config.left_out.is_empty()
    }

    /// Lays the last layer on every thread, and observes that it holds.
    ///
    /// # Errors
    /// The filter could not be installed, or a call that it must refuse went through. The agent
    /// has been told.
    pub fn lock(mut self) -> Result<Locked, ConfineError> {
        sys::close_to_debuggers().map_err(|error| {
            let error = ConfineError::new(LayerName::Capabilities, "stop being dumpable", error);
            tell_refusal(&error);
            error
        })?;
        if self.config.has(LayerName::Seccomp) {
            let locked =
                seccomp::install(&self.config.profile).and_then(|()| evidence::after_lock());
            self.layers.push(locked.inspect_err(tell_refusal)?);
        }
        Ok(Locked {
            report: LockedReport {
                layers: self.layers,
                landlock_abi: self.config.landlock_abi,
                profile: self.config.profile.driver.to_string(),
            },
        })
    }

    /// Tells the agent that the engine's warm-up failed, so that it need not wait.
    pub fn refuse(self, cause: &str) {
        let cause = cause.chars().take(MAX_CAUSE_CHARS).collect();
        // Nothing can be done where even this fails: the agent then sees an early end.
        let _ = write_frame(
            &mut io::stdout().lock(),
            &Greeting::NotReady { cause }.encode(),
        );
    }
}

/// A worker with every layer in force. It has yet to say so.
#[derive(Debug)]
pub struct Locked {
    report: LockedReport,
}

impl Locked {
    /// Writes the LOCKED frame; only then may a job be read. `output` is the standard output.
    ///
    /// # Errors
    /// The pipe's error.
    pub fn announce(self, output: &mut impl Write) -> Result<LockedReport, FrameError> {
        let greeting = Greeting::Locked(self.report);
        write_frame(output, &greeting.encode())?;
        match greeting {
            Greeting::Locked(report) => Ok(report),
            Greeting::Refused(_) | Greeting::NotReady { .. } | Greeting::Unconfined => {
                unreachable!("the greeting was made as LOCKED two lines above")
            }
        }
    }
}
