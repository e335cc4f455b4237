//! Owns how a node asks the ledger: over the network, or through the operator of its own process.
//!
//! Never believes what can be proved: every proof and header is checked against the trusted set that
//! the node keeps, and moves the protocol clock. Two headers of one height stop the client for good:
//! it shows them, and answers nothing else.

mod error;
mod known;
mod trades;
mod transport;
mod trust;
mod withheld;

pub use error::LedgerError;
pub use known::KnownBalance;
pub use transport::Transport;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use market::genesis::Genesis;
use market::ledger::{
    CertifiedHeader, ChannelRecord, EquivocationProof, FinalityProof, Key, Leaf, SignedTransaction,
    StateProof, TrustedSet,
};
use market::{AccountId, Amount, ChainId, ChannelId, NodeId, Timestamp, TxId, wire};

use super::headers::Headers;
use super::protocol::{HistoryEntry, HistoryQuery, LedgerRequest, LedgerResponse, LedgerStatus};
use crate::clock::ProtocolClock;
use crate::network::Client;
use crate::store::{NodeStore, RecordKind};

/// How long a transaction waits for an operator that cannot be reached, for example because it is being
/// restarted; and the pauses between the attempts, of which each is twice the one before.
const SUBMIT_PATIENCE: Duration = Duration::from_secs(15);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The most accounts of which the last proved balance is kept.
const MAX_KEPT_ACCOUNTS: usize = 64;

/// Under which name an equivocation is kept in the node's store.
const EQUIVOCATION: &[u8] = b"equivocation";

/// The most bytes of an encoded [`EquivocationProof`].
const MAX_EQUIVOCATION_BYTES: usize = 64 << 10;

/// An account's money as of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    /// Whose.
    pub account: AccountId,
    /// What it can spend: proved, or zero where the operator says that it does not exist.
    pub available: Amount,
    /// What is locked in live channels that it pays from.
    pub in_channels: Amount,
    /// Its live channels, as payer or payee; each one proved.
    pub channels: Vec<ChannelRecord>,
    /// Height of the block.
    pub height: u64,
    /// The block's time.
    pub time: Timestamp,
}

/// A channel as of a block, proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedChannel {
    /// The channel.
    pub record: ChannelRecord,
    /// What proves it.
    pub proof: StateProof,
    /// How old the proof's block is by protocol time.
    pub age: Duration,
}

/// Asks the ledger and checks its answers. Cheap to clone; clones share what they know.
#[derive(Debug, Clone)]
pub struct LedgerClient {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    transport: Transport,
    /// The nodes that are asked; whose blocks are believed is another question.
    contacts: Vec<NodeId>,
    chain: ChainId,
    /// Held while the changes of the operators are asked for; when that brought nothing.
    catching_up: tokio::sync::Mutex<Option<Instant>>,
    store: NodeStore,
    clock: ProtocolClock,
    // A mutex and no owning task: checking a header against the others is a few look-ups, done by
    // whoever received it.
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    trust: trust::Trust,
    headers: Headers,
    last: BTreeMap<AccountId, known::Last>,
    equivocation: Option<Box<EquivocationProof>>,
    unanswered: withheld::Unanswered,
}

impl LedgerClient {
    /// Makes a client of the market of `genesis`, with the trusted set that `store` keeps.
    ///
    /// Fails with [`LedgerError::Equivocation`] where one was found before.
    pub async fn open(
        transport: Transport,
        genesis: &Genesis,
        store: NodeStore,
        clock: ProtocolClock,
    ) -> Result<Self, LedgerError> {
        let trusted = match store.trusted_set()? {
            Some(kept) if kept.chain == genesis.chain_id() => kept,
            _ => {
                let trusted = TrustedSet::genesis(genesis);
                store.put_trusted_set(trusted.clone()).await?;
                trusted
            }
        };
        if let Some(bytes) = store.record(RecordKind::Setting, EQUIVOCATION)?
            && let Ok(proof) = wire::decode::<EquivocationProof>(&bytes, MAX_EQUIVOCATION_BYTES)
            && proof.verify(&trusted).is_ok()
        {
            let proof = Box::new(proof);
            return Err(LedgerError::Equivocation { proof });
        }
        Ok(Self {
            shared: Arc::new(Shared {
                contacts: transport.contacts(&genesis.operators),
                transport,
                chain: genesis.chain_id(),
                catching_up: tokio::sync::Mutex::default(),
                store,
                clock,
                seen: Mutex::new(Seen {
                    trust: trust::Trust::new(trusted),
                    headers: Headers::default(),
                    last: BTreeMap::new(),
                    equivocation: None,
                    unanswered: withheld::Unanswered::default(),
                }),
            }),
        })
    }

    /// Returns the clock that verified headers move.
    pub fn clock(&self) -> &ProtocolClock {
        &self.shared.clock
    }

    /// Returns the newest header that was verified.
    pub fn newest_header(&self) -> Option<CertifiedHeader> {
        self.seen().headers.newest().cloned()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Every change is one assignment or insertion, so a poisoned lock still holds a whole value.
        self.shared
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Submits a transaction and returns the verified proof that it is final.
    ///
    /// Where the operator cannot be reached or is busy, it is submitted again for 15 s: the ledger applies an
    /// id at most once, so that a repetition never pays twice.
    ///
    /// # Errors
    /// The ledger refuses it, or no operator could be reached all that time. It may become final all the same
    /// until its last valid height. [`LedgerError::Withheld`] where the operator has had blocks enough for it.
    pub async fn submit(
        &self,
        transaction: &SignedTransaction,
    ) -> Result<FinalityProof, LedgerError> {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let submitted = self.submit_once(transaction).await;
            match self.note_answer(transaction, submitted) {
                Err(error @ LedgerError::Withheld { .. }) => return Err(error),
                Err(error) if error.is_temporary() && begun.elapsed() + pause < SUBMIT_PATIENCE => {
                    tracing::debug!(%error, "submitting again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                result => return result,
            }
        }
    }

    /// Watches whether a transaction that was asked for is taken or refused by and by.
    fn note_answer<T>(
        &self,
        transaction: &SignedTransaction,
        submitted: Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let id = transaction.id(&self.shared.chain);
        match (submitted, self.moment()) {
            // That it is one's own turn to wait is an answer.
            (Err(why), Some(now)) if why.is_temporary() && !why.is_own_doing() => {
                let Some(since) = self.seen().unanswered.note(id, now) else {
                    return Err(why);
                };
                let height = now.height;
                let withheld = LedgerError::Withheld {
                    id,
                    since,
                    height,
                    why: Box::new(why),
                };
                tracing::error!("{withheld}");
                Err(withheld)
            }
            (submitted, _) => {
                if !submitted.as_ref().is_err_and(LedgerError::is_temporary) {
                    self.seen().unanswered.answered(id);
                }
                submitted
            }
        }
    }

    /// Returns the transactions that the operator seems to keep out of its blocks, each with the height at which it
    /// was asked for first.
    pub fn withheld(&self) -> Vec<(TxId, u64)> {
        let withheld = |now| self.seen().unanswered.withheld(now);
        self.moment().map(withheld).unwrap_or_default()
    }

    /// Returns where the chain stands, as far as this node knows.
    fn moment(&self) -> Option<withheld::Moment> {
        let clock = &self.shared.clock;
        let (height, time) = (clock.height()?, clock.now()?);
        Some(withheld::Moment { height, time })
    }

    async fn submit_once(
        &self,
        transaction: &SignedTransaction,
    ) -> Result<FinalityProof, LedgerError> {
        let request = LedgerRequest::Submit(Box::new(transaction.clone()));
        let LedgerResponse::Final(proof) = self.ask(request).await? else {
            return Err(other("a proof of finality"));
        };
        let chain = &self.shared.chain;
        if proof.transaction.id(chain) != transaction.id(chain) {
            return Err(other("a proof about the submitted transaction"));
        }
        self.verify_final(&proof).await?;
        Ok(*proof)
    }

    /// Returns the verified proof of a transaction that is final, or `None` where the operator says
    /// that it is not.
    pub async fn transaction(&self, id: TxId) -> Result<Option<FinalityProof>, LedgerError> {
        match self.ask(LedgerRequest::Transaction(id)).await? {
            LedgerResponse::Absent { .. } => Ok(None),
            LedgerResponse::Final(proof) if proof.transaction.id(&self.shared.chain) == id => {
                self.verify_final(&proof).await?;
                Ok(Some(*proof))
            }
            _ => Err(other("a proof about the transaction")),
        }
    }

    /// Returns an account's money and live channels.
    pub async fn account(&self, account: AccountId) -> Result<Balance, LedgerError> {
        self.unless_overtaken(|| Box::pin(self.account_once(account)))
            .await
    }

    async fn account_once(&self, account: AccountId) -> Result<Balance, LedgerError> {
        let LedgerResponse::Account(view) = self.ask(LedgerRequest::Account(account)).await? else {
            return Err(other("an account"));
        };
        self.observe(&view.head).await?;
        let balance = self.balance_in(account, &view)?;
        self.keep(&view, &balance).await;
        Ok(balance)
    }

    /// Returns a channel with its proof, or `None` where the operator says that there is none.
    pub async fn channel(&self, id: ChannelId) -> Result<Option<VerifiedChannel>, LedgerError> {
        let Some(proof) = self.state_of(Key::Channel(id)).await? else {
            return Ok(None);
        };
        let Leaf::Channel(record) = &proof.leaf else {
            return Err(other("a channel"));
        };
        Ok(Some(VerifiedChannel {
            record: record.as_ref().clone(),
            age: self.age(&proof.certified),
            proof,
        }))
    }

    /// Returns the verified proof of a fact of the newest state, or `None` where the operator says that there is no
    /// such fact.
    pub async fn state_of(&self, key: Key) -> Result<Option<StateProof>, LedgerError> {
        self.unless_overtaken(|| Box::pin(self.state_of_once(key)))
            .await
    }

    async fn state_of_once(&self, key: Key) -> Result<Option<StateProof>, LedgerError> {
        match self.ask(LedgerRequest::StateOf(key)).await? {
            LedgerResponse::Absent { .. } => Ok(None),
            LedgerResponse::State(proof) => match self.verify_state(&proof).await?.key() == key {
                true => Ok(Some(*proof)),
                false => Err(other("the fact that was asked for")),
            },
            _ => Err(other("a fact of the state")),
        }
    }

    /// Returns how old a verified header is by protocol time.
    pub fn age(&self, certified: &CertifiedHeader) -> Duration {
        let now = self.shared.clock.now().unwrap_or(certified.header.time);
        now.saturating_since(certified.header.time)
    }

    /// Returns a page of an account's history, which is the operator's word.
    pub async fn history(&self, query: HistoryQuery) -> Result<Vec<HistoryEntry>, LedgerError> {
        match self.ask(LedgerRequest::History(query)).await? {
            LedgerResponse::History(entries) => Ok(entries),
            _ => Err(other("a history")),
        }
    }

    /// Returns the newest header, verified, and the sums of all money, which are the operator's word.
    pub async fn status(&self) -> Result<LedgerStatus, LedgerError> {
        self.unless_overtaken(|| Box::pin(self.status_once())).await
    }

    async fn status_once(&self) -> Result<LedgerStatus, LedgerError> {
        match self.ask(LedgerRequest::Status).await? {
            LedgerResponse::Status(status) => {
                self.observe(&status.head).await?;
                Ok(*status)
            }
            _ => Err(other("the ledger's status")),
        }
    }

    /// Returns the verified header at a height, or `None` above the newest.
    pub async fn header(&self, height: u64) -> Result<Option<CertifiedHeader>, LedgerError> {
        self.unless_overtaken(|| Box::pin(self.header_once(height)))
            .await
    }

    async fn header_once(&self, height: u64) -> Result<Option<CertifiedHeader>, LedgerError> {
        match self.ask(LedgerRequest::Header(height)).await? {
            LedgerResponse::Absent { .. } => Ok(None),
            LedgerResponse::Header(certified) if certified.header.height == height => {
                self.observe(&certified).await?;
                Ok(Some(*certified))
            }
            _ => Err(other("the header that was asked for")),
        }
    }

    async fn ask(&self, request: LedgerRequest) -> Result<LedgerResponse, LedgerError> {
        self.refuse_after_equivocation()?;
        let contacts = &self.shared.contacts;
        match self.shared.transport.ask(contacts, request).await? {
            LedgerResponse::Rejected(reason) => Err(LedgerError::Rejected(reason)),
            LedgerResponse::Unavailable(why) => Err(LedgerError::Unavailable(why)),
            response => Ok(response),
        }
    }
}

/// Asks a node for the genesis of a chain, and checks that it is that.
pub async fn fetch_genesis(
    network: &Client,
    node: NodeId,
    chain: ChainId,
) -> Result<Genesis, LedgerError> {
    let transport = Transport::Remote(network.clone());
    let LedgerResponse::Genesis(genesis) = transport.ask(&[node], LedgerRequest::Genesis).await?
    else {
        return Err(other("a genesis"));
    };
    let found = genesis.chain_id();
    if found != chain {
        return Err(LedgerError::OtherGenesis {
            expected: chain,
            found,
        });
    }
    Ok(*genesis)
}

fn other(expected: &'static str) -> LedgerError {
    LedgerError::OtherAnswer { expected }
}

/// Adds up what an account has locked as payer.
fn locked_by(account: AccountId, channels: &[ChannelRecord]) -> Result<Amount, LedgerError> {
    channels
        .iter()
        .filter(|channel| channel.payer.account == account)
        .try_fold(Amount::ZERO, |sum, channel| {
            sum.checked_add(channel.balance)
        })
        .ok_or_else(|| other("channels that hold less money than exists"))
}

#[cfg(test)]
mod tests;
