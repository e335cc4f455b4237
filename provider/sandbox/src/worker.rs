//! The agent's side: start a worker, wait for LOCKED, use its pipes, end it.
//!
//! It must never hand out a pipe before LOCKED: [`Launched`] has none to give, and
//! [`Launched::wait_locked`] is the only way to a [`Worker`].

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::process::ExitCode;
use std::time::Duration;

use crate::attack::Attack;
use crate::bench::UnconfinedStart;
use crate::check::{self, CheckReport, Finding};
use crate::config::{LandlockCeiling, Purpose, WorkerProgram};
use crate::driver::{DriverError, DriverProfile};
use crate::frame::FrameError;
use crate::greeting::{Greeting, LockedReport};
use crate::layer::{ConfineError, LayerName};
use crate::limits::{Limits, LimitsError};
use crate::self_test::{SelfTestError, SelfTestReport};
use crate::system::{self, Confined};

/// How long a worker that has closed its pipe may take to end, so that its last words can be told.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How workers are started: the program, its driver and its limits.
#[derive(Debug, Clone)]
pub struct Sandbox {
    pub(crate) program: WorkerProgram,
    pub(crate) profile: DriverProfile,
    pub(crate) limits: Limits,
    pub(crate) landlock: LandlockCeiling,
    pub(crate) left_out: BTreeSet<LayerName>,
}

/// How a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It ended by itself with this code; 128 + n means signal n inside, 137 often means memory.
    Code(i32),
    /// Its launcher was ended by this signal from outside.
    Signal(i32),
    /// The agent ended it: the wall clock ran out.
    Deadline,
    /// The agent ended it: it held more memory than it may, and no control group keeps that limit here.
    OutOfMemory,
    /// The agent ended it: it was told to.
    Killed,
}

/// Why no worker came up.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// This system has no confinement yet.
    #[error("jobs cannot be confined on {system} yet, so none run here; use Linux to sell")]
    Unsupported {
        /// The operating system.
        system: &'static str,
    },
    /// The limits make no sense.
    #[error("the worker's limits are wrong: {0}")]
    Limits(#[from] LimitsError),
    /// What the worker has to see of the machine could not be found.
    #[error(transparent)]
    View(#[from] DriverError),
    /// The program could not be started.
    #[error("the worker program did not start: {0}")]
    Spawn(#[source] io::Error),
    /// A layer is missing.
    #[error(transparent)]
    Refused(#[from] ConfineError),
    /// Confined, the engine could not be warmed up.
    #[error(
        "the engine did not start inside the sandbox: {0}; the driver's profile may lack a path"
    )]
    NotReady(String),
    /// The worker ended without a word.
    #[error("the worker ended before LOCKED; it wrote: {stderr:?}")]
    EndedEarly {
        /// What it wrote on its error pipe, shortened and made printable.
        stderr: String,
    },
    /// The worker was not locked in time.
    #[error("the worker was not LOCKED within {0:?}; the machine may be overloaded")]
    TimedOut(Duration),
    /// It said LOCKED and did not say that it had observed a layer that it must have.
    #[error(
        "the worker did not observe its {layer} layer, so it was ended; run `nightshift sandbox check` and report what \
         it prints"
    )]
    Unseen {
        /// The layer.
        layer: LayerName,
    },
    /// The first frame was something else, so the worker was ended.
    #[error("the worker's first frame was not LOCKED, so it was ended")]
    NotAGreeting,
    /// The pipe failed, or carried a malformed frame.
    #[error("the worker's pipe: {0}")]
    Pipe(#[from] FrameError),
}

impl Sandbox {
    /// Describes workers of `program` for the driver of `profile` within `limits`.
    #[must_use]
    pub fn new(program: WorkerProgram, profile: DriverProfile, limits: Limits) -> Self {
        Self {
            program,
            profile,
            limits,
            landlock: LandlockCeiling::Best,
            left_out: BTreeSet::new(),
        }
    }

    /// Gives the program one more argument.
    #[must_use]
    pub fn with_argument(mut self, argument: impl Into<OsString>) -> Self {
        self.program.args.push(argument.into());
        self
    }

    /// Uses Landlock only up to `ceiling`, to rehearse an older kernel.
    #[must_use]
    pub fn with_landlock(mut self, ceiling: LandlockCeiling) -> Self {
        self.landlock = ceiling;
        self
    }

    /// Does without `layers`, to show that it is they that stop an attack. Only a program that calls
    /// [`crate::enter_without_layers`] starts such a worker, and none takes a job; the product's program does neither.
    #[must_use]
    pub fn without(mut self, layers: impl IntoIterator<Item = LayerName>) -> Self {
        self.left_out.extend(layers);
        self
    }

    /// Starts a worker for one job. It serves none before [`Launched::wait_locked`].
    ///
    /// # Errors
    /// Wrong limits, an unsupported system, libraries that cannot be found, or a program that does
    /// not start.
    pub fn launch(&self) -> Result<Launched, LaunchError> {
        self.launch_for(Purpose::Job)
    }

    /// Starts a worker that attacks its own confinement, and reports what stopped each attack.
    /// Waits at most `timeout`.
    ///
    /// # Errors
    /// The worker did not come up, or its report was malformed. An attack that got through is no
    /// error: it is a row of the report, and closes the level.
    pub fn self_test(&self, timeout: Duration) -> Result<SelfTestReport, SelfTestError> {
        crate::self_test::run(self, timeout)
    }

    /// Tries every attack that needs no engine, each for real; waits at most `timeout` for each. Takes some seconds.
    ///
    /// # Errors
    /// As [`Self::self_test`].
    pub fn check(&self, timeout: Duration) -> Result<CheckReport, SelfTestError> {
        check::run(self, timeout)
    }

    /// Tries one attack as [`Self::check`] does.
    ///
    /// # Errors
    /// As [`Self::self_test`].
    pub fn try_attack(&self, attack: Attack, timeout: Duration) -> Result<Finding, SelfTestError> {
        check::find(self, attack, timeout)
    }

    /// The layers that a worker of this sandbox must have observed.
    fn required(&self) -> Vec<LayerName> {
        let required = LayerName::REQUIRED.into_iter();
        required
            .filter(|layer| !layer.is_left_out(&self.left_out))
            .collect()
    }

    pub(crate) fn launch_for(&self, purpose: Purpose) -> Result<Launched, LaunchError> {
        self.limits.check()?;
        let output_bytes = match self.left_out.contains(&LayerName::OutputCap) {
            true => u64::MAX,
            false => self.limits.output_bytes,
        };
        let mut sandbox = self.clone();
        if cfg!(target_os = "linux") {
            // Asked anew at each start: an update of the system may have moved a library.
            sandbox.profile = self.profile.for_program(&self.program)?;
        }
        Ok(Launched {
            process: system::Process::start(&sandbox, purpose)?,
            output_bytes,
            expected: Expected {
                profile: self.profile.driver.to_string(),
                layers: self.required(),
            },
        })
    }
}

/// A worker that is not locked yet; dropping it ends it.
#[derive(Debug)]
pub struct Launched {
    process: system::Process,
    output_bytes: u64,
    expected: Expected,
}

/// What a worker must say of itself.
#[derive(Debug)]
struct Expected {
    profile: String,
    layers: Vec<LayerName>,
}

impl Launched {
    /// The launcher's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Makes a handle that can end the worker from another thread, before it is locked and after.
    #[must_use]
    pub fn killer(&self) -> Killer {
        Killer(self.process.killer())
    }

    /// Waits at most `timeout` for LOCKED as the very first frame; ends the worker otherwise. The worker's
    /// [`Limits::wall_clock`] runs from LOCKED on.
    ///
    /// # Errors
    /// A missing layer, any other first bytes, an early end, or time running out.
    pub fn wait_locked(mut self, timeout: Duration) -> Result<Worker, LaunchError> {
        let Some(bytes) = self.process.first_frame(timeout)? else {
            let _ = self.process.wait_timeout(LAST_WORDS);
            return Err(LaunchError::EndedEarly {
                stderr: self.process.stderr_text(),
            });
        };
        let mut report = match Greeting::decode(&bytes) {
            Ok(Greeting::Locked(report)) => report,
            Ok(Greeting::Refused(error)) => return Err(error.into()),
            Ok(Greeting::NotReady { cause }) => return Err(LaunchError::NotReady(cause)),
            Ok(Greeting::Unconfined) | Err(_) => return Err(LaunchError::NotAGreeting),
        };
        self.check(&report)?;
        self.process.start_clock();
        let outer = self.process.outer_layers();
        report
            .layers
            .extend(outer.map_err(|layer| LaunchError::Unseen { layer })?);
        Ok(Worker {
            process: self.process,
            report,
            output_bytes: self.output_bytes,
        })
    }
}

impl Launched {
    /// Compares what a worker says of itself with what was asked for: LOCKED alone is not enough.
    fn check(&self, report: &LockedReport) -> Result<(), LaunchError> {
        if report.profile != self.expected.profile {
            return Err(LaunchError::NotAGreeting);
        }
        let is_there = |name: &LayerName| report.layers.iter().any(|layer| layer.name == *name);
        match self.expected.layers.iter().find(|name| !is_there(name)) {
            Some(&layer) => Err(LaunchError::Unseen { layer }),
            None => Ok(()),
        }
    }
}

/// A locked worker with its pipes; dropping it ends it and everything it started.
#[derive(Debug)]
pub struct Worker {
    process: system::Process,
    report: LockedReport,
    output_bytes: u64,
}

impl Worker {
    /// The layers in force and their evidence.
    #[must_use]
    pub fn report(&self) -> &LockedReport {
        &self.report
    }

    /// The launcher's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Takes the pipe to the worker; `None` the second time.
    pub fn take_stdin(&mut self) -> Option<File> {
        self.process.take_stdin()
    }

    /// Takes the pipe from the worker; `None` the second time.
    pub fn take_stdout(&mut self) -> Option<Output> {
        Some(Output {
            pipe: self.process.take_stdout()?,
            left: self.output_bytes,
            killer: self.killer(),
        })
    }

    /// The last 64 KiB of what the worker wrote on its error pipe, with control characters
    /// replaced, since a job may have chosen them.
    #[must_use]
    pub fn stderr_text(&self) -> String {
        self.process.stderr_text()
    }

    /// Ends the worker and everything it started, and waits for that (well under 250 ms).
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Makes a handle that can end the worker from another thread.
    #[must_use]
    pub fn killer(&self) -> Killer {
        Killer(self.process.killer())
    }

    /// Waits until the worker and everything it started have ended.
    #[must_use]
    pub fn wait(&self) -> Exit {
        self.process.wait()
    }

    /// Waits at most `timeout`; `None` while the worker still runs.
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Exit> {
        self.process.wait_timeout(timeout)
    }
}

/// What a worker writes, up to [`Limits::output_bytes`]. A worker that writes more is ended, and reading then answers
/// [`io::ErrorKind::QuotaExceeded`]. One that writes faster than this is read waits in the pipe.
#[derive(Debug)]
pub struct Output {
    pipe: File,
    left: u64,
    killer: Killer,
}

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return match self.pipe.read(&mut [0])? {
                0 => Ok(0),
                _ => {
                    self.killer.kill();
                    let words = "the worker wrote more than it may";
                    Err(io::Error::new(io::ErrorKind::QuotaExceeded, words))
                }
            };
        }
        let wanted = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let count = self.pipe.read(&mut buffer[..wanted])?;
        self.left -= count as u64;
        Ok(count)
    }
}

/// Ends a worker from another thread, such as the one that watches for a game.
#[derive(Debug, Clone)]
pub struct Killer(system::Killer);

impl Killer {
    /// Ends the worker and everything it started, and waits for that.
    pub fn kill(&self) {
        self.0.kill();
    }

    /// Freezes the worker where it stands; it keeps its memory, and its limits go on counting.
    pub fn pause(&self) {
        self.0.pause();
    }

    /// Lets a frozen worker go on.
    pub fn resume(&self) {
        self.0.resume();
    }
}

/// What [`crate::enter`] found the process to be.
#[derive(Debug)]
pub enum Entered {
    /// The worker proper: warm the engine up, then call [`Confined::lock`].
    Confined(Confined),
    /// A worker of the bench: warm up, announce, end.
    Unconfined(UnconfinedStart),
    /// A process whose part is done (launcher, self test): leave `main` with this code.
    Finished(ExitCode),
}
