//! Owns when the state is written: again and again, so that what a start has to execute stays in proportion.
//!
//! Never stops a block: a state that cannot be written is given up and tried again later.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use market::ledger::{Delta, EpochProof, State};

use super::UNFINISHED;
use super::writing::Writing;
use crate::disk;

/// How often the state is written, and how much of it at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotPace {
    /// Blocks and transactions after which it is written again. A state of more than four times as many leaves waits for
    /// a quarter of their number, so that what is written stays in proportion to what happens.
    pub interval: u64,
    /// Leaves that are written after a block; 0 counts as 1.
    pub leaves_a_block: usize,
}

impl Default for SnapshotPace {
    /// What a start executes in a second or two, and what is written in a millisecond or two.
    fn default() -> Self {
        Self {
            interval: 20_000,
            leaves_a_block: 4_096,
        }
    }
}

/// Room that a leaf is expected to take, for asking whether the disk has enough.
const LEAF_BYTES: u64 = 256;

/// Writes the state beside the log.
#[derive(Debug)]
pub(in super::super) struct Keeper {
    directory: PathBuf,
    margin_bytes: u64,
    pace: SnapshotPace,
    /// Blocks and transactions since the one that is kept, or since the last attempt.
    since: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Waiting,
    Writing(Writing),
    /// Waiting for the disk, on a thread of its own.
    Publishing(JoinHandle<io::Result<()>>),
}

impl Keeper {
    /// Keeps the state in `directory`, whose disk must have `margin_bytes` left beside it. The log has `since` blocks
    /// and transactions that the kept one has not.
    pub(in super::super) fn new(
        directory: PathBuf,
        margin_bytes: u64,
        (pace, since): (SnapshotPace, u64),
    ) -> Self {
        Self {
            directory,
            margin_bytes,
            pace,
            since,
            stage: Stage::Waiting,
        }
    }

    /// Takes note of what a block changes, before the state has it.
    pub(in super::super) fn note(&mut self, delta: &Delta) {
        if let Stage::Writing(writing) = &mut self.stage {
            let noted = writing.note(delta);
            noted.unwrap_or_else(|error| self.give_up(&error));
        }
    }

    /// Goes on after a block of so many transactions, of which `state` is the state.
    pub(in super::super) fn go_on(
        &mut self,
        state: &State,
        (epochs, transactions): (&[EpochProof], usize),
    ) {
        self.since = self
            .since
            .saturating_add(1)
            .saturating_add(transactions as u64);
        let went_on = match std::mem::replace(&mut self.stage, Stage::Waiting) {
            Stage::Waiting if self.is_due(state) => self.begin(state).map(Stage::Writing),
            Stage::Waiting => Ok(Stage::Waiting),
            Stage::Writing(writing) => self.step(writing, (state, epochs)),
            Stage::Publishing(thread) if thread.is_finished() => {
                join(thread).map(|()| Stage::Waiting)
            }
            publishing @ Stage::Publishing(_) => Ok(publishing),
        };
        match went_on {
            Ok(stage) => self.stage = stage,
            Err(error) => self.give_up(&error),
        }
    }

    fn is_due(&self, state: &State) -> bool {
        self.since >= self.pace.interval.max(state.leaf_count() as u64 / 4)
    }

    fn begin(&mut self, state: &State) -> io::Result<Writing> {
        let bytes = LEAF_BYTES.saturating_mul(state.leaf_count() as u64);
        disk::check_room(&self.directory, self.margin_bytes, bytes).map_err(io::Error::other)?;
        let writing = Writing::begin(&self.directory)?;
        self.since = 0;
        Ok(writing)
    }

    /// Writes some more leaves; when these were the last, a thread waits for the disk.
    fn step(
        &self,
        mut writing: Writing,
        (state, epochs): (&State, &[EpochProof]),
    ) -> io::Result<Stage> {
        if !writing.go_on(state, self.pace.leaves_a_block.max(1))? {
            return Ok(Stage::Writing(writing));
        }
        let written = writing.end(epochs, state.tip().height)?;
        let thread = thread::Builder::new().name("state".to_owned());
        let publishing = thread.spawn(move || written.publish())?;
        Ok(Stage::Publishing(publishing))
    }

    fn give_up(&mut self, error: &io::Error) {
        tracing::warn!(%error, "the state is not kept beside the log for now: the next start may take longer");
        self.stage = Stage::Waiting;
        self.since = 0;
        let unfinished = self.directory.join(UNFINISHED);
        if let Err(error) = fs::remove_file(unfinished)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "an unfinished copy of the state is left behind");
        }
    }
}

impl Drop for Keeper {
    /// Nobody may begin the next file while this one gets its name.
    fn drop(&mut self) {
        if let Stage::Publishing(thread) = std::mem::replace(&mut self.stage, Stage::Waiting)
            && let Err(error) = join(thread)
        {
            self.give_up(&error);
        }
    }
}

fn join(thread: JoinHandle<io::Result<()>>) -> io::Result<()> {
    let panicked = |_| {
        Err(io::Error::other(
            "the thread that waits for the disk panicked",
        ))
    };
    thread.join().unwrap_or_else(panicked)
}
