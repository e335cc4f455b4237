//! Owns how the parts of a node read past trades.
//!
//! Never waits longer than the task's patience, but for a rebuild, which takes as long as it takes.

use matching::Tape;
use tokio::sync::{mpsc, oneshot};

use super::rebuild::{RebuildError, Rebuilding};

/// What a reader sees.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The trades that are known.
    pub tape: &'a Tape,
    /// The block up to which these are all; `None` until a first reading has come to its end.
    pub height: Option<u64>,
    /// Why the last attempt to read on failed, if it did.
    pub problem: Option<&'a str>,
}

/// Why past trades could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarketDataError {
    /// No operator has answered since the start.
    #[error("this node knows no trades, because no operator has told it any since it started: {0}")]
    Unknown(String),
    /// A first reading is under way.
    #[error(
        "this node still reads the market's trades from the operator: it has {0} so far. Try again in a moment"
    )]
    Reading(usize),
    /// The task has ended.
    #[error("this node's market data have stopped; start the node again")]
    Stopped,
}

impl<'a> Seen<'a> {
    /// Returns the trades where they are all up to some block.
    ///
    /// # Errors
    /// They are not yet, and why.
    pub fn settled(&self) -> Result<&'a Tape, MarketDataError> {
        match (self.height, self.problem) {
            (Some(_), _) => Ok(self.tape),
            (None, Some(problem)) => Err(MarketDataError::Unknown(problem.to_owned())),
            (None, None) => Err(MarketDataError::Reading(self.tape.len())),
        }
    }
}

/// A read of what is known.
pub(super) type Read = Box<dyn FnOnce(Seen<'_>) + Send>;

/// What the task is told.
pub(super) enum Ingress {
    Read(Read),
    Rebuild(oneshot::Sender<Result<Rebuilding, RebuildError>>),
}

/// A handle to past trades. Cheap to clone; the task ends when the last one is dropped.
#[derive(Debug, Clone)]
pub struct MarketData {
    pub(super) mailbox: mpsc::Sender<Ingress>,
}

impl MarketData {
    /// Reads past trades, after newer ones were asked for where that is due: `read` runs in the task and must be
    /// quick.
    ///
    /// # Errors
    /// The task has ended.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(Seen<'_>) -> T + Send + 'static,
    ) -> Result<T, MarketDataError> {
        let (done, result) = oneshot::channel();
        let read: Read = Box::new(move |seen| {
            let _reader_gone = done.send(read(seen));
        });
        let sent = self.mailbox.send(Ingress::Read(read)).await;
        sent.map_err(|_| MarketDataError::Stopped)?;
        result.await.map_err(|_| MarketDataError::Stopped)
    }

    /// Reads all trades anew, holds each against the proof of its channel, and puts them in the place of those that
    /// were known.
    ///
    /// # Errors
    /// A trade is not what the ledger proves, or the operator is away. What was known stays as it was.
    pub async fn rebuild(&self) -> Result<Rebuilding, RebuildError> {
        let (done, result) = oneshot::channel();
        let sent = self.mailbox.send(Ingress::Rebuild(done)).await;
        sent.map_err(|_| MarketDataError::Stopped)?;
        result.await.map_err(|_| MarketDataError::Stopped)?
    }
}
