//! Owns reserving: the terms for an offer, the payer's signature, and the two proofs that the channel is open.
//!
//! Never holds money before the ledger has taken the opening: a refused or lost reservation costs nothing,
//! and because every attempt of one job carries the same payer nonce, only one can open.

use std::time::Duration;

use market::agreement::{Party, Rates, Terms};
use market::job::JobSpec;
use market::ledger::{ChannelState, Operation, SignedTransaction};
use market::{Amount, ChannelId};
use market_node::api::{ApiError, transaction};
use market_node::lease_protocol::{LeaseRequest, LeaseResponse, Refusal, Reservation};
use market_node::ledger::client::LedgerError;
use market_node::network::CallError;
use market_node::node::Node;
use matching::Offer;

use crate::job_file::Budget;
use crate::need;

/// How long a channel stays open at most, 7 days.
const CHANNEL_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

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
    /// The terms cannot be made.
    #[error("no terms can be made for this offer: {0}")]
    Terms(String),
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

/// Sends the reservation and checks both proofs: that the opening is final, and that the channel is open now.
pub(crate) async fn reserve(node: &Node, terms: &Terms, job: &JobSpec) -> Result<(), ReserveError> {
    let operation = Operation::Open {
        terms: terms.clone(),
    };
    let transaction = transaction(node, operation)
        .map_err(|error: ApiError| ReserveError::Terms(error.to_string()))?;
    let chain = node.chain();
    let open = SignedTransaction::sign(&transaction, &node.identity.node_key, &chain)
        .with_delegation(node.identity.delegation.clone());
    let id = open.id(&chain);
    let reservation = Reservation {
        open,
        job: job.clone(),
    };
    let request = LeaseRequest::Reserve(Box::new(reservation));
    let proof = match node.network.call_lease(terms.payee.node, request).await? {
        LeaseResponse::Reserved(proof) => proof,
        LeaseResponse::Refused(refusal) => return Err(refusal.into()),
        _ => return Err(ReserveError::Protocol),
    };
    node.ledger.verify_final(&proof).await?;
    let channel = terms.channel_id(&chain);
    if proof.transaction.id(&chain) != id {
        return Err(ReserveError::OtherChannel(channel));
    }
    let found = node.ledger.channel(channel).await?;
    let as_agreed = found.is_some_and(|found| {
        found.record.state == ChannelState::Open
            && found.record.agreement == terms.id(&chain)
            && found.record.deposit == terms.deposit
    });
    if !as_agreed {
        return Err(ReserveError::OtherChannel(channel));
    }
    Ok(())
}
