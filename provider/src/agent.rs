//! Owns one worker from outside: starts it, feeds it the job after LOCKED, collects what it makes, ends it.
//!
//! Never interprets a byte of a job: it copies inputs in and outputs out under caps, and reads only the
//! engine's small reports. Its two threads block; everything else of the node talks to it by channels.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use engine::{CHUNK_BYTES, FailureCause, FromWorker, MAX_FRAME_BYTES, ToWorker};
use market::job::{ArtifactName, JobSpec};
use market::lease::MAX_ARTEFACTS;
use market::{BlobHash, wire};
use market_node::blobs::BlobStore;
use sandbox::{Exit, FrameError, Killer, LaunchError, LockedReport, Output, Sandbox, Worker};
use tokio::sync::mpsc;

use crate::kill_switch::KillSwitch;
use crate::worker::CARD_LOST_EXIT;

/// How often, in bytes of an output, it is looked whether there is room for as many more.
const ROOM_CHECK_BYTES: u64 = 16 << 20;

/// How long a worker may take to warm up and lock itself.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a worker that has closed its pipe may take to be gone by itself, so that its own code is seen.
const LAST_BREATH: Duration = Duration::from_millis(250);

/// What happens in a worker, in order. The last event is always `Ended`.
#[derive(Debug)]
pub enum WorkerEvent {
    /// Confined; the job is on its way in.
    Locked(LockedReport),
    /// The engine reports. Outputs are not among these.
    Report(FromWorker),
    /// An output is complete and stored under its hash.
    Output {
        /// Its name.
        name: ArtifactName,
        /// Its content.
        hash: BlobHash,
        /// Its length in bytes.
        bytes: u64,
    },
    /// The worker is gone.
    Ended(Result<(), AgentError>),
}

/// Why a worker ended other than by finishing its job.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// It did not come up.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// It was killed, or died.
    #[error("the worker ended early; it wrote: {stderr:?}")]
    Died {
        /// Its last words, made printable.
        stderr: String,
    },
    /// Its card was lost: the driver gave it up, for example after a kernel that hung.
    #[error("the card was lost while the job ran; the worker wrote: {words:?}")]
    CardLost {
        /// What it said of it, made printable.
        words: String,
    },
    /// The job's time was over.
    #[error("the job took longer than its limits.wall_clock_s allows")]
    OutOfTime,
    /// It held more memory than it may. Where a control group counts, the kernel ends it, and it has died.
    #[error("the job took more memory than its limits.memory_bytes allows")]
    OutOfMemory,
    /// It broke the protocol.
    #[error("the worker broke the protocol: {0}")]
    Protocol(String),
    /// Its outputs grew beyond the job's limit.
    #[error("the outputs are larger than the {limit} bytes that the job allows")]
    TooMuchOutput {
        /// The limit in bytes.
        limit: u64,
    },
    /// An output could not be kept.
    #[error("an output could not be stored: {0}")]
    Store(String),
    /// The thread that listens to it did not start.
    #[error("no thread could be started for the worker: {0}")]
    Thread(#[source] io::Error),
    /// An input could not be read back.
    #[error("an input could not be read: {0}")]
    Input(io::Error),
}

/// What a worker is to do, and with what.
#[derive(Debug)]
pub struct Assignment {
    /// How it is started.
    pub sandbox: Sandbox,
    /// The job.
    pub job: JobSpec,
    /// The files of its inputs, in the job's order, checked against their hashes.
    pub inputs: Vec<(ArtifactName, PathBuf)>,
    /// Where outputs go.
    pub blobs: BlobStore,
    /// A folder for outputs that are not complete yet.
    pub scratch: PathBuf,
    /// What ends the worker from its first instruction on.
    pub(crate) switch: KillSwitch,
}

impl Assignment {
    /// Describes the work on a job whose inputs lie in files, with a switch of its own.
    pub fn new(
        sandbox: Sandbox,
        (job, inputs): (JobSpec, Vec<(ArtifactName, PathBuf)>),
        blobs: BlobStore,
        scratch: PathBuf,
    ) -> Self {
        Self {
            sandbox,
            job,
            inputs,
            blobs,
            scratch,
            switch: KillSwitch::default(),
        }
    }
}

/// A running worker. Dropping it kills the worker.
#[derive(Debug)]
pub struct Session {
    killer: Killer,
}

impl Session {
    /// Ends the worker and everything it started, and waits for that.
    pub fn kill(&self) {
        self.killer.kill();
    }

    /// Freezes the worker where it stands; it keeps its memory.
    pub fn pause(&self) {
        self.killer.pause();
    }

    /// Lets a frozen worker go on.
    pub fn resume(&self) {
        self.killer.resume();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.killer.kill();
    }
}

/// Starts a worker and returns once it is locked; its events go to `events`.
///
/// # Errors
/// The worker did not come up, in which case no event follows.
pub async fn start(
    assignment: Assignment,
    events: mpsc::Sender<WorkerEvent>,
) -> Result<Session, AgentError> {
    let launch = {
        let (sandbox, switch) = (assignment.sandbox.clone(), assignment.switch.clone());
        tokio::task::spawn_blocking(move || {
            let launched = sandbox.launch()?;
            switch.arm(launched.killer());
            launched.wait_locked(LOCK_TIMEOUT)
        })
    };
    let worker = launch
        .await
        .map_err(|error| AgentError::Protocol(error.to_string()))??;
    let killer = worker.killer();
    std::thread::Builder::new()
        .name("worker-agent".to_owned())
        .spawn(move || attend(worker, assignment, &events))
        .map_err(AgentError::Thread)?;
    Ok(Session { killer })
}

/// Runs on a thread of its own until the worker is gone.
fn attend(mut worker: Worker, assignment: Assignment, events: &mpsc::Sender<WorkerEvent>) {
    let result = converse(&mut worker, assignment, events);
    worker.kill();
    let exit = worker.wait();
    let result = result.map_err(|error| match error {
        AgentError::Died { .. } => how_it_died(exit, worker.stderr_text()),
        other => other,
    });
    let _gone = events.blocking_send(WorkerEvent::Ended(result));
}

/// Names the death of a worker that said no last word.
fn how_it_died(exit: Exit, stderr: String) -> AgentError {
    match exit {
        Exit::Code(code) if code == i32::from(CARD_LOST_EXIT) => {
            AgentError::CardLost { words: stderr }
        }
        Exit::Deadline => AgentError::OutOfTime,
        Exit::OutOfMemory => AgentError::OutOfMemory,
        _ => AgentError::Died { stderr },
    }
}

fn converse(
    worker: &mut Worker,
    assignment: Assignment,
    events: &mpsc::Sender<WorkerEvent>,
) -> Result<(), AgentError> {
    let _gone = events.blocking_send(WorkerEvent::Locked(worker.report().clone()));
    let missing = || AgentError::Protocol("a pipe is missing".to_owned());
    let input = worker.take_stdin().ok_or_else(missing)?;
    let output = worker.take_stdout().ok_or_else(missing)?;
    let Assignment {
        job,
        inputs,
        blobs,
        scratch,
        ..
    } = assignment;
    let mut collector = Collector {
        blobs,
        scratch: scratch.join("output.part"),
        limit: job.limits.output_bytes,
        total: 0,
        outputs: 0,
        open: None,
    };
    let killer = worker.killer();
    std::thread::scope(|scope| {
        let feeder = scope.spawn(move || feed(input, &job, &inputs));
        let heard = collector.listen(output, events);
        if matches!(heard, Err(AgentError::Died { .. })) {
            let _exit = worker.wait_timeout(LAST_BREATH);
        }
        // A worker that lives on and does not read would hold the feeder for ever.
        killer.kill();
        let fed = feeder
            .join()
            .unwrap_or_else(|_| Err(AgentError::Protocol("the feeding thread failed".to_owned())));
        heard.and(fed)
    })
}

/// Writes the job and its inputs. A worker that dies meanwhile is noticed by the listening side.
fn feed(
    mut pipe: File,
    job: &JobSpec,
    inputs: &[(ArtifactName, PathBuf)],
) -> Result<(), AgentError> {
    let sent = |result: Result<(), FrameError>| result.is_ok();
    let job = ToWorker::Job(engine::Blob(wire::encode(job)));
    if !sent(sandbox::write_frame(&mut pipe, &job.to_bytes())) {
        return Ok(());
    }
    for (name, path) in inputs {
        let mut file = File::open(path).map_err(AgentError::Input)?;
        let size = file.metadata().map_err(AgentError::Input)?.len();
        let mut offset = 0;
        while offset < size {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            let wanted = CHUNK_BYTES as u64;
            (&mut file)
                .take(wanted)
                .read_to_end(&mut chunk)
                .map_err(AgentError::Input)?;
            let length = chunk.len() as u64;
            if length == 0 {
                return Err(AgentError::Input(io::ErrorKind::UnexpectedEof.into()));
            }
            let message = ToWorker::Input {
                name: name.clone(),
                offset,
                bytes: engine::Blob(chunk),
                last: offset + length == size,
            };
            if !sent(sandbox::write_frame(&mut pipe, &message.to_bytes())) {
                return Ok(());
            }
            offset += length;
        }
    }
    let _died = sandbox::write_frame(&mut pipe, &ToWorker::Start.to_bytes());
    Ok(())
}

/// Puts the pieces of outputs together, one output at a time.
struct Collector {
    blobs: BlobStore,
    scratch: PathBuf,
    limit: u64,
    total: u64,
    outputs: u32,
    open: Option<OpenOutput>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        // An output that was never finished is nobody's.
        let _ = std::fs::remove_file(&self.scratch);
    }
}

struct OpenOutput {
    name: ArtifactName,
    file: File,
    length: u64,
}

impl Collector {
    /// Reads the worker's messages until it is done, fails or breaks off.
    fn listen(
        &mut self,
        mut pipe: Output,
        events: &mpsc::Sender<WorkerEvent>,
    ) -> Result<(), AgentError> {
        loop {
            let frame = match sandbox::read_frame(&mut pipe, MAX_FRAME_BYTES) {
                Ok(Some(frame)) => frame,
                Err(FrameError::Io(error)) if error.kind() == io::ErrorKind::QuotaExceeded => {
                    return Err(AgentError::Protocol(error.to_string()));
                }
                Ok(None) | Err(FrameError::Io(_)) => {
                    return Err(AgentError::Died {
                        stderr: String::new(),
                    });
                }
                Err(error) => return Err(AgentError::Protocol(error.to_string())),
            };
            let message = FromWorker::from_bytes(&frame)
                .map_err(|error| AgentError::Protocol(error.to_string()))?;
            let last = last_word(&message);
            let event = match message {
                FromWorker::Output {
                    name,
                    offset,
                    bytes,
                    end,
                } => self.piece(Piece { name, offset, end }, &bytes.0)?,
                report => Some(WorkerEvent::Report(report)),
            };
            if let Some(event) = event
                && events.blocking_send(event).is_err()
            {
                return Ok(()); // Nobody is interested any more.
            }
            if let Some(ended) = last {
                return ended;
            }
        }
    }

    fn piece(&mut self, piece: Piece, bytes: &[u8]) -> Result<Option<WorkerEvent>, AgentError> {
        let store = |error: io::Error| AgentError::Store(error.to_string());
        self.total = self.total.saturating_add(bytes.len() as u64);
        if self.total > self.limit {
            return Err(AgentError::TooMuchOutput { limit: self.limit });
        }
        let mut open = match self.open.take() {
            None if piece.offset == 0 => {
                self.outputs += 1;
                if self.outputs > MAX_ARTEFACTS {
                    let problem = format!("more than {MAX_ARTEFACTS} outputs");
                    return Err(AgentError::Protocol(problem));
                }
                OpenOutput {
                    name: piece.name.clone(),
                    file: File::create(&self.scratch).map_err(store)?,
                    length: 0,
                }
            }
            Some(open) if open.name == piece.name && open.length == piece.offset => open,
            _ => {
                let problem = format!("{} at {} is out of order", piece.name, piece.offset);
                return Err(AgentError::Protocol(problem));
            }
        };
        // The store keeps its reserve only when it takes the whole; until then this does.
        if open.length / ROOM_CHECK_BYTES != (open.length + bytes.len() as u64) / ROOM_CHECK_BYTES {
            let room = self.blobs.check_room(ROOM_CHECK_BYTES);
            room.map_err(|error| AgentError::Store(error.to_string()))?;
        }
        open.file.write_all(bytes).map_err(store)?;
        open.length += bytes.len() as u64;
        let Some(claimed) = piece.end else {
            self.open = Some(open);
            return Ok(None);
        };
        drop(open.file);
        self.complete(open.name, claimed).map(Some)
    }

    fn complete(&self, name: ArtifactName, claimed: BlobHash) -> Result<WorkerEvent, AgentError> {
        let imported = self.blobs.import_path(&self.scratch);
        let blob = imported.map_err(|error| AgentError::Store(error.to_string()))?;
        if blob.hash != claimed {
            return Err(AgentError::Protocol(format!(
                "{name} does not match its hash"
            )));
        }
        let _left_for_the_next = std::fs::remove_file(&self.scratch);
        Ok(WorkerEvent::Output {
            name,
            hash: blob.hash,
            bytes: blob.size,
        })
    }
}

/// Tells how the worker ended, where this is its last message. A job that failed is the job's affair and no error here.
fn last_word(message: &FromWorker) -> Option<Result<(), AgentError>> {
    match message {
        FromWorker::Failed {
            reason,
            cause: FailureCause::CardLost,
        } => Some(Err(AgentError::CardLost {
            words: printable(reason),
        })),
        FromWorker::Done(_) | FromWorker::Failed { .. } => Some(Ok(())),
        _ => None,
    }
}

/// Replaces what a job may have put into words to steer a terminal; at most 400 characters.
fn printable(text: &str) -> String {
    let shown = |letter: char| {
        if letter.is_control() {
            '\u{fffd}'
        } else {
            letter
        }
    };
    text.chars().take(400).map(shown).collect()
}

struct Piece {
    name: ArtifactName,
    offset: u64,
    end: Option<BlobHash>,
}

#[cfg(test)]
mod tests;
