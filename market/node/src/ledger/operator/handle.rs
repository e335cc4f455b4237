//! Owns how the rest of a node, and through it the network, reaches the operator.
//!
//! Never changes anything by itself: submissions go through the operator's queue, and what is final
//! is read from the index and the log.

use std::sync::Arc;

use market::genesis::Genesis;
use market::ledger::{
    Block, CertifiedHeader, FinalityProof, Key, Operation, Rejected, SignedTransaction, StateProof,
};
use market::{AccountId, ChainId, TxId};
use tokio::sync::{mpsc, oneshot, watch};

use super::OperatorError;
use super::actor::{Command, Submission};
use super::admission::Admission;
use super::core::Core;
use super::tally::{Tallied, Tally};
use crate::ledger::protocol::{
    AccountView, HistoryEntry, HistoryQuery, LedgerRequest, LedgerResponse, LedgerStatus,
    TradesPage, TradesQuery, Unavailable,
};
use crate::ledger::replay::ReplayError;
use crate::log::LogReader;
use crate::store::OperatorIndex;

/// A handle to a running operator. Cheap to clone; the operator ends when the last one is dropped.
#[derive(Debug, Clone)]
pub struct OperatorHandle {
    commands: mpsc::Sender<Command>,
    heads: watch::Receiver<CertifiedHeader>,
    index: OperatorIndex,
    log: LogReader,
    admission: Arc<Admission>,
    tally: Arc<Tally>,
    genesis: Arc<Genesis>,
    chain: ChainId,
}

/// Why a transaction has no proof of finality.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The ledger refuses it.
    #[error("the ledger refuses the transaction: {0}")]
    Rejected(#[from] Rejected),
    /// It was not looked at.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// It is final, but its block could not be read.
    #[error(transparent)]
    Operator(#[from] OperatorError),
}

impl OperatorHandle {
    pub(super) fn new(
        core: &Core,
        commands: mpsc::Sender<Command>,
        heads: watch::Receiver<CertifiedHeader>,
    ) -> Self {
        Self {
            commands,
            heads,
            index: core.index.clone(),
            log: core.log_reader(),
            admission: Arc::default(),
            tally: Arc::clone(core.tally()),
            genesis: Arc::new(core.config().genesis.clone()),
            chain: *core.state.chain(),
        }
    }

    /// Returns the founding facts of the market.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Returns the newest block's header and certificate.
    pub fn head(&self) -> CertifiedHeader {
        self.heads.borrow().clone()
    }

    /// Returns a receiver that sees every newer head, for gossip; slow readers miss some.
    pub fn heads(&self) -> watch::Receiver<CertifiedHeader> {
        self.heads.clone()
    }

    /// Puts a transaction into a block and returns once it is final and durable. One that is final
    /// already returns its original proof. Refuses at once when the queue is full,
    /// or when the key that signed first has [`super::MAX_WAITING_PER_SUBMITTER`] transactions in it.
    pub async fn submit(
        &self,
        transaction: SignedTransaction,
    ) -> Result<FinalityProof, SubmitError> {
        let submitted = self.submit_uncounted(transaction).await;
        if let Err(error) = &submitted {
            self.tally.note_error(error);
        }
        submitted
    }

    async fn submit_uncounted(
        &self,
        transaction: SignedTransaction,
    ) -> Result<FinalityProof, SubmitError> {
        // Bad seals are refused here, before they take a place in the queue, and are not looked at again.
        let transaction = transaction.check(&self.chain)?;
        let id = transaction.id();
        if let Operation::SetOperators { operators } = transaction.operation() {
            self.check_successors(operators.clone()).await?;
        }
        let place = self.admission.admit(transaction.submitter())?;
        let (reply, outcome) = oneshot::channel();
        self.send(Command::Submit(Box::new(Submission {
            transaction,
            reply,
            _place: Some(place),
        })))?;
        match outcome.await.map_err(|_| Unavailable::Stopped)?? {
            Ok(proof) => Ok(*proof),
            // The state forgets what has been applied once it could not be applied again; the index does not.
            Err(reason @ (Rejected::AlreadyApplied { .. } | Rejected::TooLate { .. })) => {
                match self.transaction(id).await? {
                    Some(proof) => self.vouched_proof(proof).await,
                    None => Err(reason.into()),
                }
            }
            Err(reason) => Err(reason.into()),
        }
    }

    /// Returns what has become final and what was refused since the start.
    pub fn tallied(&self) -> Tallied {
        self.tally.read()
    }

    /// Returns the proof of a transaction that is final, or `None`.
    pub async fn transaction(&self, id: TxId) -> Result<Option<FinalityProof>, OperatorError> {
        let handle = self.clone();
        blocking(move || {
            let Some(place) = handle.index.transaction(id)? else {
                return Ok(None);
            };
            let block = handle.read_block(place.height)?;
            Ok(block.and_then(|block| block.prove(id)))
        })
        .await
    }

    /// Returns the block at a height, or `None` above the newest.
    pub async fn block(&self, height: u64) -> Result<Option<Block>, OperatorError> {
        let handle = self.clone();
        blocking(move || handle.read_block(height)).await
    }

    fn read_block(&self, height: u64) -> Result<Option<Block>, OperatorError> {
        let Some(position) = self.index.block(height)? else {
            return Ok(None);
        };
        let bytes = self.log.read(position)?;
        Block::decode(&bytes)
            .map(Some)
            .map_err(|source| ReplayError::Undecodable {
                record: height.saturating_sub(1),
                source,
            })
            .map_err(OperatorError::from)
    }

    /// Returns a page of an account's history.
    pub async fn history(&self, query: HistoryQuery) -> Result<Vec<HistoryEntry>, OperatorError> {
        let index = self.index.clone();
        blocking(move || Ok(index.history(query)?)).await
    }

    /// Returns a page of the trades of all classes.
    pub async fn trades(&self, query: TradesQuery) -> Result<TradesPage, OperatorError> {
        let index = self.index.clone();
        blocking(move || Ok(index.trades(query)?)).await
    }

    /// Returns the proof of a leaf of the newest state, or `None` and the height without it.
    pub async fn state_of(&self, key: Key) -> Result<(Option<StateProof>, u64), Unavailable> {
        self.ask(|reply| Command::StateOf(key, reply)).await
    }

    /// Returns an account and its live channels with their proofs.
    pub async fn account(&self, account: AccountId) -> Result<AccountView, Unavailable> {
        self.ask(|reply| Command::Account(account, reply)).await
    }

    /// Returns the newest header and the sums of all money.
    pub async fn status(&self) -> Result<LedgerStatus, Unavailable> {
        self.ask(Command::Status).await
    }

    /// Answers a request that came over the network, whoever asks.
    pub async fn answer(&self, request: LedgerRequest) -> LedgerResponse {
        match self.try_answer(request).await {
            Ok(response) => response,
            Err(SubmitError::Rejected(reason)) => LedgerResponse::Rejected(reason),
            Err(SubmitError::Unavailable(why)) => LedgerResponse::Unavailable(why),
            Err(SubmitError::Operator(error)) => {
                tracing::error!(%error, "a ledger request could not be answered");
                LedgerResponse::Unavailable(Unavailable::Stopped)
            }
        }
    }

    async fn try_answer(&self, request: LedgerRequest) -> Result<LedgerResponse, SubmitError> {
        let absent = || LedgerResponse::Absent {
            height: self.heads.borrow().header.height,
        };
        Ok(match request {
            LedgerRequest::Genesis => LedgerResponse::Genesis(Box::new(self.genesis().clone())),
            LedgerRequest::Status => LedgerResponse::Status(Box::new(self.status().await?)),
            LedgerRequest::Submit(transaction) => {
                LedgerResponse::Final(Box::new(self.submit(*transaction).await?))
            }
            LedgerRequest::Transaction(id) => match self.transaction(id).await? {
                Some(proof) => LedgerResponse::Final(Box::new(self.vouched_proof(proof).await?)),
                None => absent(),
            },
            LedgerRequest::StateOf(key) => match self.state_of(key).await? {
                (Some(proof), _) => LedgerResponse::State(Box::new(proof)),
                (None, height) => LedgerResponse::Absent { height },
            },
            LedgerRequest::Account(account) => {
                LedgerResponse::Account(Box::new(self.account(account).await?))
            }
            LedgerRequest::History(query) => LedgerResponse::History(self.history(query).await?),
            LedgerRequest::Header(height) => match self.block(height).await? {
                Some(block) => {
                    LedgerResponse::Header(Box::new(self.vouched(block.certified()).await?))
                }
                None => absent(),
            },
            LedgerRequest::Epochs(height) => LedgerResponse::Epochs(self.epochs(height).await?),
            LedgerRequest::Trades(query) => LedgerResponse::Trades(self.trades(query).await?),
        })
    }

    pub(super) fn send(&self, command: Command) -> Result<(), Unavailable> {
        self.commands
            .try_send(command)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Unavailable::Busy,
                mpsc::error::TrySendError::Closed(_) => Unavailable::Stopped,
            })
    }

    pub(super) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply))?;
        answer.await.map_err(|_| Unavailable::Stopped)
    }
}

/// Runs something that reads the disk on a thread where waiting is allowed.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, OperatorError> + Send + 'static,
) -> Result<T, OperatorError> {
    tokio::task::spawn_blocking(read)
        .await
        .map_err(|_| OperatorError::Panicked)?
}
