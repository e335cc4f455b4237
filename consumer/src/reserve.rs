//! Owns reserving: the terms for an offer, the payer's signature, and the two proofs that the channel is open.
//!
//! Never takes silence for a refusal: a lost answer is looked up
//! on the ledger. Because every attempt of one job carries the same payer nonce, only one can open.

use std::time::Duration;

use market::agreement::{Party, Rates, Terms};
use market::job::JobSpec;
use market::ledger::{ChannelRecord, ChannelState, Operation, SignedTransaction};
use market::{AgreementId, Amount, ChannelId, Timestamp, TxId};
use market_node::api::{ApiError, transaction};
use market_node::lease_protocol::{LeaseRequest, LeaseResponse, Refusal, Reservation};
use market_node::ledger::client::LedgerError;
use market_node::network::CallError;
use market_node::node::Node;
use market_node::recover;
use market_node::store::StoreError;
use matching::Offer;

use crate::job_file::Budget;
use crate::need;

/// How long a channel stays open at most, 7 days.
const CHANNEL_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// For how many blocks an opening can be submitted. Short, so that the fate of a lost reservation is soon known;
/// yet an operator under load makes a block for every few transactions, and the provider must not come too late.
const OPEN_VALID_BLOCKS: u64 = 60;

/// Ticks paid beyond the last delivered output, unless the job file says otherwise.
const DELIVERY_TICKS: u16 = 30;

/// Why an offer could not be reserved; the next one is tried.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    /// The provider refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The provider could not be reached.
    #[error("the provider cannot be reached: {0}")]
    Call(#[from] CallError),
    /// The provider answered something else.
    #[error("the provider does not answer reservations as it should")]
    Protocol,
    /// The proofs do not hold, or the operator could not be asked.
    #[error("the opening is not proved: {0}")]
    Ledger(#[from] LedgerError),
    /// What the ledger says is open is not what was agreed.
    #[error("the ledger's record of channel {0} differs from what was agreed")]
    OtherChannel(ChannelId),
    /// The opening could not be kept on disk, so it was not sent.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The terms cannot be made.
    #[error("no terms can be made for this offer: {0}")]
    Terms(String),
}

/// What is known of an opening that brought no proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It did not leave this machine, so it opens nothing.
    NeverSent,
    /// The provider has it and says no. It could submit it all the same for as long as it is valid.
    Refused,
    /// It may be final, or become so.
    Unknown,
}

impl ReserveError {
    /// Tells what is known of the opening after this.
    pub(crate) fn fate(&self) -> Fate {
        match self {
            Self::Refused(Refusal::Operator(_) | Refusal::Ledger(_)) => Fate::Unknown,
            Self::Refused(_) => Fate::Refused,
            Self::Call(error) if error.was_not_sent() => Fate::NeverSent,
            Self::Call(_) | Self::Protocol | Self::Ledger(_) | Self::OtherChannel(_) => {
                Fate::Unknown
            }
            Self::Store(_) | Self::Terms(_) => Fate::NeverSent,
        }
    }
}

/// Makes the terms for an offer.
pub(crate) fn terms(
    node: &Node,
    offer: &Offer,
    job: &JobSpec,
    budget: &Budget,
    payer_nonce: u64,
) -> Result<Terms, ReserveError> {
    let refuse = |reason: &str| ReserveError::Terms(reason.to_owned());
    let ask = &offer.ask;
    let rates = Rates {
        price_per_hour: ask.price,
        gpus: 1,
        hold_bps: ask.hold_bps,
        tick_ms: ask.tick_ms,
        prepaid_ticks: 1,
        delivery_ticks: budget.delivery_ticks.unwrap_or(DELIVERY_TICKS),
    };
    let now = node
        .clock
        .now()
        .ok_or_else(|| refuse("protocol time is not known"))?;
    let deposit: Amount = need::deposit(job, budget, &rates)
        .ok_or_else(|| refuse("the time limit at this price is more than can be counted"))?;
    let terms = Terms {
        payer: Party {
            account: node.identity.account,
            node: node.identity.node(),
        },
        payee: Party {
            account: ask.account,
            node: offer.register.node,
        },
        ask: offer.order,
        job: job.id(&node.chain()),
        class: ask.class,
        rates,
        deposit,
        payer_nonce,
        expires_at: now.saturating_add(CHANNEL_LIFETIME),
    };
    terms
        .validate()
        .map_err(|error| ReserveError::Terms(error.to_string()))?;
    Ok(terms)
}

/// What the ledger holds of an opening that is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opened {
    /// Since when, in protocol time.
    pub(crate) at: Timestamp,
    /// Where its channel is: a provider may have closed it before this node looked.
    pub(crate) state: ChannelState,
    /// What was paid out of the deposit so far.
    pub(crate) claimed: Amount,
}

impl Opened {
    /// Tells whether work can begin under it.
    pub(crate) fn is_open(self) -> bool {
        self.state == ChannelState::Open
    }

    /// Returns what it has cost, or can still be made to, where nothing beyond `promised` was signed.
    pub(crate) fn paid(self, promised: Amount) -> Amount {
        match self.state {
            ChannelState::Closed => self.claimed,
            _ => self.claimed.max(promised),
        }
    }
}

/// An opening that this node has signed for one offer.
pub(crate) struct Opening {
    node: Node,
    terms: Terms,
    transaction: SignedTransaction,
    last_height: u64,
}

impl Opening {
    /// Signs the opening. It must be on disk before [`Self::reserve`] sends it.
    pub(crate) fn sign(node: &Node, terms: Terms) -> Result<Self, ReserveError> {
        let operation = Operation::Open {
            terms: terms.clone(),
        };
        let mut unsigned = transaction(node, operation)
            .map_err(|error: ApiError| ReserveError::Terms(error.to_string()))?;
        let height = node.clock.height().unwrap_or(0);
        let last_height = height.saturating_add(OPEN_VALID_BLOCKS);
        unsigned.valid_until_height = last_height;
        let chain = node.chain();
        let transaction = SignedTransaction::sign(&unsigned, &node.identity.node_key, &chain)
            .with_delegation(node.identity.delegation.clone());
        Ok(Self {
            node: node.clone(),
            terms,
            transaction,
            last_height,
        })
    }

    /// Takes up one that this node signed and sent before it was restarted; `None` where it is none.
    pub(crate) fn of(node: &Node, transaction: SignedTransaction) -> Option<Self> {
        let signed = transaction.verify(&node.chain()).ok()?.transaction;
        let Operation::Open { terms } = signed.operation else {
            return None;
        };
        Some(Self {
            node: node.clone(),
            terms,
            transaction,
            last_height: signed.valid_until_height,
        })
    }

    /// Returns what is sent.
    pub(crate) fn transaction(&self) -> &SignedTransaction {
        &self.transaction
    }

    /// Returns the agreement that it opens.
    pub(crate) fn agreement(&self) -> AgreementId {
        self.terms.id(&self.node.chain())
    }

    /// Returns what was signed for.
    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Tells whether it can still open the channel, by the newest block that this node has seen.
    pub(crate) fn can_open(&self) -> bool {
        let height = self.node.clock.height();
        height.is_none_or(|height| height <= self.last_height)
    }

    fn id(&self) -> TxId {
        self.transaction.id(&self.node.chain())
    }

    /// Sends the reservation. An answer that is lost or is no proof is no refusal: the ledger says whether
    /// there is a channel. Returns what is known of it, also of one that was closed meanwhile.
    #[tracing::instrument(name = "reserve", skip_all, fields(
        agreement = %self.terms.id(&self.node.chain()).short(),
        peer = %self.terms.payee.node.short(),
    ))]
    pub(crate) async fn reserve(&self, job: &JobSpec) -> Result<Opened, ReserveError> {
        let refused = match self.offer(job).await {
            Ok(opened) => return Ok(opened),
            Err(error) => error,
        };
        match self.look().await {
            Ok(Some(opened)) => Ok(opened),
            Ok(None) => Err(refused),
            Err(error) => {
                tracing::debug!(%error, "whether there is a channel is not known");
                Err(refused)
            }
        }
    }

    /// Sends the reservation and checks both proofs: that the opening is final, and that the channel is open.
    async fn offer(&self, job: &JobSpec) -> Result<Opened, ReserveError> {
        let reservation = Reservation {
            open: self.transaction.clone(),
            job: job.clone(),
        };
        let request = LeaseRequest::Reserve(Box::new(reservation));
        let (node, provider) = (&self.node, self.terms.payee.node);
        let proof = match node.network.call_lease(provider, request).await? {
            LeaseResponse::Reserved(proof) => proof,
            LeaseResponse::Refused(refusal) => return Err(refusal.into()),
            _ => return Err(ReserveError::Protocol),
        };
        node.ledger.verify_final(&proof).await?;
        let found = self.found().await?;
        match found.filter(|_| proof.transaction.id(&node.chain()) == self.id()) {
            Some(record) => Ok(opened(&record, proof.certified.header.time)),
            None => Err(ReserveError::OtherChannel(self.channel())),
        }
    }

    /// Asks the ledger whether there is a channel as agreed, whatever state it is in by now. `None` where it was
    /// never opened; a channel whose opening cannot be proved is no answer.
    pub(crate) async fn look(&self) -> Result<Option<Opened>, ReserveError> {
        let Some(record) = self.found().await? else {
            return Ok(None);
        };
        match self.node.ledger.transaction(self.id()).await? {
            Some(proof) => Ok(Some(opened(&record, proof.certified.header.time))),
            None => Err(ReserveError::OtherChannel(self.channel())),
        }
    }

    fn channel(&self) -> ChannelId {
        self.terms.channel_id(&self.node.chain())
    }

    async fn found(&self) -> Result<Option<ChannelRecord>, ReserveError> {
        let found = self.node.ledger.channel(self.channel()).await?;
        let agreement = self.agreement();
        let record = found.map(|found| found.record);
        Ok(record
            .filter(|record| record.agreement == agreement && record.deposit == self.terms.deposit))
    }

    /// Forgets the opening, whose fate is known: a job's record stands for it, or it was never submitted.
    pub(crate) async fn forget(&self) {
        recover::forget(&self.node, self.id()).await;
    }

    /// Watches the opening in the background until it can open nothing any more.
    pub(crate) fn watch(self) {
        tokio::spawn(async move {
            recover::watch_opening(&self.node, &self.transaction).await;
        });
    }
}

fn opened(record: &ChannelRecord, at: Timestamp) -> Opened {
    Opened {
        at,
        state: record.state,
        claimed: record.claimed,
    }
}

#[cfg(test)]
mod tests;
