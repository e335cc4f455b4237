//! Owns the operator's task: one loop that takes requests, makes blocks and answers.
//!
//! Never waits for the disk itself: blocks are made on a thread that may block, and what queues up
//! meanwhile goes into the next block together (group commit).

use std::time::Duration;

use market::keys::SecretKey;
use market::ledger::{
    CertifiedHeader, CheckedTransaction, EpochProof, Header, Key, StateProof, TrustedSet,
};
use market::{AccountId, NodeId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::admission::Place;
use super::core::{Core, Outcome};
use super::handle::OperatorHandle;
use super::{BLOCK_INTERVAL, OperatorConfig, OperatorError, QUEUE_LENGTH, ROOM_RETRY, Recovered};
use crate::clock::wall_now;
use crate::ledger::protocol::{AccountView, LedgerStatus, Unavailable};
use crate::log::LogError;

/// The most transactions of one block; with room for the rest of a block's limits.
const BATCH_LENGTH: usize = 1_000;

/// What is asked of the operator's task.
#[derive(Debug)]
pub(super) enum Command {
    Submit(Box<Submission>),
    StateOf(Key, oneshot::Sender<(Option<StateProof>, u64)>),
    Account(AccountId, oneshot::Sender<AccountView>),
    Status(oneshot::Sender<LedgerStatus>),
    HandOver(HandOver),
    CanSignAlone(Vec<NodeId>, oneshot::Sender<bool>),
    Vouch(Box<Header>, oneshot::Sender<CertifiedHeader>),
    Epochs(u64, oneshot::Sender<Vec<EpochProof>>),
    Operators(oneshot::Sender<TrustedSet>),
}

/// A wish to sign with another key from the next block on.
#[derive(Debug)]
pub(super) struct HandOver {
    pub(super) key: SecretKey,
    pub(super) nonce: u64,
    pub(super) reply: oneshot::Sender<Result<Outcome, Unavailable>>,
}

/// A transaction, and who waits for it.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) transaction: CheckedTransaction,
    pub(super) reply: oneshot::Sender<Result<Outcome, Unavailable>>,
    /// Given back once it is answered; the operator's own wishes need none.
    pub(super) _place: Option<Place>,
}

/// The Solo operator, opened and not running yet.
#[derive(Debug)]
pub struct Operator {
    core: Box<Core>,
    block_interval: Duration,
    commands: mpsc::Receiver<Command>,
    heads: watch::Sender<CertifiedHeader>,
}

impl Operator {
    /// Replays and verifies the block log, repairs what may be repaired, and makes the first block of
    /// a new market. Blocks until that is done.
    pub fn open(
        config: OperatorConfig,
    ) -> Result<(OperatorHandle, Self, Recovered), OperatorError> {
        let (core, recovered) = Core::open(config, wall_now())?;
        let (sender, commands) = mpsc::channel(QUEUE_LENGTH);
        let (heads, newest) = watch::channel(core.announced());
        let handle = OperatorHandle::new(&core, sender, newest);
        let operator = Self {
            block_interval: core
                .config()
                .block_interval
                .clamp(Duration::from_millis(1), BLOCK_INTERVAL),
            core: Box::new(core),
            commands,
            heads,
        };
        Ok((handle, operator, recovered))
    }

    /// Serves until the last handle is dropped, or the disk fails.
    ///
    /// May be aborted at any time: what was acknowledged is durable.
    pub async fn run(self) -> Result<(), OperatorError> {
        let Self {
            mut core,
            block_interval,
            mut commands,
            heads,
        } = self;
        let mut next_block = Instant::now();
        loop {
            let mut batch = Vec::new();
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => serve(&mut core, command, &mut batch),
                    None => return Ok(()),
                },
                () = tokio::time::sleep_until(next_block) => {}
            }
            while batch.len() < BATCH_LENGTH
                && let Ok(command) = commands.try_recv()
            {
                serve(&mut core, command, &mut batch);
            }
            if batch.is_empty() && Instant::now() < next_block {
                continue;
            }
            if let Err(error) = core.check_room() {
                no_room(&error, batch);
                next_block = Instant::now() + ROOM_RETRY.min(block_interval);
                continue;
            }
            core = make_block(core, batch, &heads).await?;
            // Nobody waits to see that the new key signs.
            next_block = match core.has_just_handed_over() {
                true => Instant::now(),
                false => Instant::now() + block_interval,
            };
        }
    }
}

/// Tells everyone who waits that the disk has no room.
fn no_room(why: &dyn std::fmt::Display, batch: Vec<Submission>) {
    tracing::error!(%why, waiting = batch.len(), "no block is made until the disk has room again");
    for submission in batch {
        let _gone = submission.reply.send(Err(Unavailable::DiskFull));
    }
}

/// Answers what the newest state answers, and queues what wants a block. Who does not wait for the
/// answer any more is no concern of the operator.
fn serve(core: &mut Core, command: Command, batch: &mut Vec<Submission>) {
    match command {
        Command::Submit(submission) => batch.push(*submission),
        Command::StateOf(key, reply) => {
            let _gone = reply.send((core.prove(&key), core.head.header.height));
        }
        Command::Account(account, reply) => {
            let _gone = reply.send(core.account(account));
        }
        Command::Status(reply) => {
            let _gone = reply.send(core.status());
        }
        Command::HandOver(HandOver { key, nonce, reply }) => {
            let transaction = core.hand_over(key, nonce);
            batch.push(Submission {
                transaction,
                reply,
                _place: None,
            });
        }
        Command::CanSignAlone(operators, reply) => {
            let _gone = reply.send(core.can_sign_alone(&operators));
        }
        Command::Vouch(header, reply) => {
            let _gone = reply.send(core.vouch(*header));
        }
        Command::Epochs(height, reply) => {
            let _gone = reply.send(core.epochs_from(height));
        }
        Command::Operators(reply) => {
            let _gone = reply.send(core.operators());
        }
    }
}

/// Makes a block of the batch; announces it and answers each submitter once it is durable.
async fn make_block(
    mut core: Box<Core>,
    batch: Vec<Submission>,
    heads: &watch::Sender<CertifiedHeader>,
) -> Result<Box<Core>, OperatorError> {
    let transactions: Vec<_> = batch.iter().map(|s| s.transaction.clone()).collect();
    let making = tokio::task::spawn_blocking(move || {
        let made = core.make_block(&transactions, wall_now());
        (core, made)
    });
    let (core, made) = making.await.map_err(|_| OperatorError::Panicked)?;
    let outcomes = match made {
        Ok(outcomes) => outcomes,
        Err(OperatorError::Log(error @ LogError::NoRoom { .. })) => {
            no_room(&error, batch);
            return Ok(core);
        }
        Err(error) => {
            tracing::error!(%error, "the operator stops");
            return Err(error);
        }
    };
    heads.send_replace(core.announced());
    for (submission, outcome) in batch.into_iter().zip(outcomes) {
        let _gone = submission.reply.send(Ok(outcome));
    }
    Ok(core)
}
