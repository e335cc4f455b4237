//! Owns the reasons for which the ledger refuses a transaction, as data that can travel.
//!
//! Never explains a refusal by text alone: programs match on the variant, people read the message.

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::delegation::DelegationError;
use crate::ids::{AccountId, ChannelId, NodeId, TxId};
use crate::time::Timestamp;
use crate::wire::WireError;

use super::channel::ChannelState;

/// Why a transaction changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Rejected {
    /// Bytes or a signature are wrong.
    #[error("the transaction does not verify: {detail}; sign it again for this chain")]
    Wire {
        /// What the check met.
        detail: String,
    },
    /// More seals or delegations than any operation needs.
    #[error(
        "{cosigners} cosigners and {delegations} delegations are more than a transaction may carry"
    )]
    TooManySeals {
        /// Further seals found.
        cosigners: usize,
        /// Delegations found.
        delegations: usize,
    },
    /// One key signed twice.
    #[error("key {} signed twice; each signer counts once", hex::encode(signer.as_bytes()))]
    SignedTwice {
        /// The key.
        signer: AccountId,
    },
    /// The last height at which it was valid has passed.
    #[error(
        "valid until height {valid_until}, but the next block is {height}; make a new transaction"
    )]
    TooLate {
        /// The last height that it allows.
        valid_until: u64,
        /// The block being made.
        height: u64,
    },
    /// Valid for longer than ids are remembered.
    #[error("valid until height {valid_until}, later than {latest}; choose an earlier height")]
    ValidTooLong {
        /// The last height that it allows.
        valid_until: u64,
        /// The latest that is allowed now.
        latest: u64,
    },
    /// The same transaction is in the ledger already.
    #[error("transaction {id} is already in the ledger; ask for its proof instead")]
    AlreadyApplied {
        /// Its id.
        id: TxId,
    },
    /// The block being made holds as many transactions as it may.
    #[error("this block is full; the transaction can go into the next one")]
    BlockFull,
    /// A needed signature is missing.
    #[error(
        "the signature of {signer} is missing, for the {role} (key {})", hex::encode(signer.as_bytes())
    )]
    MissingSeal {
        /// The part that the key plays.
        role: Role,
        /// The key.
        signer: AccountId,
    },
    /// Too few treasury keys signed.
    #[error("{have} treasury keys signed, a change of supply needs {need}")]
    Threshold {
        /// Distinct treasury keys that signed.
        have: usize,
        /// How many are needed.
        need: usize,
    },
    /// A node signed for an account that does not let it.
    #[error("the {role}'s node may not act for its account: {detail}")]
    Delegation {
        /// The part that the node plays.
        role: Role,
        /// What the check met.
        detail: String,
    },
    /// The delegation's cap would be passed.
    #[error(
        "the delegation allows deposits of {cap} in all, {spent} is used and {wanted} is wanted; sign a new delegation"
    )]
    SpendCap {
        /// What it allows.
        cap: Amount,
        /// What was opened under it.
        spent: Amount,
        /// What this would add.
        wanted: Amount,
    },
    /// A movement of nothing.
    #[error("an amount of zero moves nothing")]
    ZeroAmount,
    /// From and to are one account.
    #[error("payer and payee are the same account")]
    SameAccount,
    /// Not enough money.
    #[error("account {account} has {available}, this needs {needed}")]
    Insufficient {
        /// The account.
        account: AccountId,
        /// What it can spend.
        available: Amount,
        /// What is needed, fees included.
        needed: Amount,
    },
    /// An account would hold less than the least.
    #[error(
        "account {account} would hold {balance}, less than the least of {minimum}; move all of it, or leave more"
    )]
    BelowMinimum {
        /// The account.
        account: AccountId,
        /// What it would hold.
        balance: Amount,
        /// The least that an account holds.
        minimum: Amount,
    },
    /// More money in an epoch than the genesis allows.
    #[error("{issued} was issued in this epoch and the cap is {cap}; {wanted} more must wait")]
    EpochCap {
        /// Issued so far in this epoch.
        issued: Amount,
        /// The cap of an epoch.
        cap: Amount,
        /// What this would add.
        wanted: Amount,
    },
    /// More money than can ever exist.
    #[error("{supply} exists and at most {cap} can; {wanted} more cannot be issued")]
    SupplyCap {
        /// What exists.
        supply: Amount,
        /// The most that can exist.
        cap: Amount,
        /// What this would add.
        wanted: Amount,
    },
    /// The terms are outside what the market allows.
    #[error("the terms are not allowed: {detail}")]
    Terms {
        /// What the check met.
        detail: String,
    },
    /// The terms are over before they start.
    #[error("the agreement expires at {} ms, and it is {} ms now", expires_at.as_millis(), now.as_millis())]
    TermsExpired {
        /// When the terms end.
        expires_at: Timestamp,
        /// The block's time.
        now: Timestamp,
    },
    /// The payer used this nonce before.
    #[error("nonce {nonce} of this payer opened channel {channel} before; each opens one channel")]
    NonceUsed {
        /// The nonce.
        nonce: u64,
        /// What it opened.
        channel: ChannelId,
    },
    /// The channel exists.
    #[error("channel {channel} exists already")]
    ChannelExists {
        /// The channel.
        channel: ChannelId,
    },
    /// No such channel.
    #[error("there is no channel {channel}; its open has not landed, or it is on another chain")]
    NoChannel {
        /// The channel.
        channel: ChannelId,
    },
    /// The channel's state does not allow this.
    #[error("channel {channel} is {state:?}, which does not allow this any more")]
    ChannelState {
        /// The channel.
        channel: ChannelId,
        /// Where it is in its life.
        state: ChannelState,
    },
    /// The voucher is for another channel or not by the payer's node.
    #[error("the voucher is not for channel {channel}, or not by its payer's node")]
    VoucherMismatch {
        /// The channel.
        channel: ChannelId,
    },
    /// The total is not above what was claimed.
    #[error("a total of {cumulative} is not above the {claimed} that was claimed; nothing is due")]
    NothingDue {
        /// What the voucher or the payer states.
        cumulative: Amount,
        /// What was claimed.
        claimed: Amount,
    },
    /// The total is above the deposit.
    #[error("a total of {cumulative} is above the deposit of {deposit}")]
    AboveDeposit {
        /// What the voucher or the payer states.
        cumulative: Amount,
        /// The deposit.
        deposit: Amount,
    },
    /// A claim before the next free one, not by the payee, or too small to bear its fee.
    #[error(
        "the next free claim of this channel is at {free_at_ms} ms of uptime; before that only its payee may claim, for a fee of {fee} out of the payout"
    )]
    ClaimTooSoon {
        /// When a claim is free again, in milliseconds on the uptime clock.
        free_at_ms: u64,
        /// What an earlier one costs.
        fee: Amount,
    },
    /// A sum does not fit; nothing can be done about it but smaller amounts.
    #[error("the amounts of this transaction do not fit the ledger")]
    Arithmetic,
    /// No operator at all, or more than a set may have.
    #[error("a set has 1 to {max} operators, this one has {found}")]
    OperatorCount {
        /// Operators named.
        found: usize,
        /// The most that a set may have.
        max: usize,
    },
    /// A set that names an operator twice.
    #[error("operator {operator} is named twice; each is named once")]
    OperatorTwice {
        /// The operator.
        operator: NodeId,
    },
    /// A set that is the present one.
    #[error("the operators are these already; nothing would change")]
    OperatorsSame,
    /// The block being made changes the operators already.
    #[error("this block changes the operators already; the next one can change them again")]
    OperatorsChanging,
    /// Too few of the present operators signed.
    #[error("{have} of the present operators signed, a change of operators needs {need}")]
    OperatorThreshold {
        /// Present operators that signed.
        have: usize,
        /// How many are needed.
        need: usize,
    },
    /// An operator that comes in did not sign.
    #[error(
        "the signature of the new operator {operator} is missing, which shows that its key is there"
    )]
    OperatorUnproved {
        /// The operator.
        operator: NodeId,
    },
    /// A node signed for an account that has revoked this node's delegation.
    #[error(
        "account {account} has revoked node {node} on the ledger, with every delegation that ends by {} ms; the \
         {role}'s node may act again with a delegation that ends later",
        until.as_millis()
    )]
    Revoked {
        /// The part that the node plays.
        role: Role,
        /// The account.
        account: AccountId,
        /// The node.
        node: NodeId,
        /// The latest end of a delegation that is revoked.
        until: Timestamp,
    },
    /// As much of this node is revoked already.
    #[error(
        "node {node} is revoked already, with every delegation that ends by {} ms; nothing would change",
        until.as_millis()
    )]
    RevokedAlready {
        /// The node.
        node: NodeId,
        /// The latest end of a delegation that is revoked.
        until: Timestamp,
    },
    /// All that would be revoked has ended.
    #[error(
        "delegations that end by {} ms have ended, it is {} ms now; there is nothing to revoke",
        until.as_millis(), now.as_millis()
    )]
    RevokesNothing {
        /// The latest end that the revocation names.
        until: Timestamp,
        /// The block's time.
        now: Timestamp,
    },
}

/// The part that a signer plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The account that money leaves.
    Holder,
    /// The payer of a channel.
    Payer,
    /// The payee of a channel.
    Payee,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Holder => "holder",
            Self::Payer => "payer",
            Self::Payee => "payee",
        })
    }
}

impl Rejected {
    /// Returns the name of the rule that was broken, under which refusals are counted, for example `below_minimum`.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Wire { .. } => "wire",
            Self::TooManySeals { .. } => "too_many_seals",
            Self::SignedTwice { .. } => "signed_twice",
            Self::TooLate { .. } => "too_late",
            Self::ValidTooLong { .. } => "valid_too_long",
            Self::AlreadyApplied { .. } => "already_applied",
            Self::BlockFull => "block_full",
            Self::MissingSeal { .. } => "missing_seal",
            Self::Threshold { .. } => "threshold",
            Self::Delegation { .. } => "delegation",
            Self::SpendCap { .. } => "spend_cap",
            Self::ZeroAmount => "zero_amount",
            Self::SameAccount => "same_account",
            Self::Insufficient { .. } => "insufficient",
            Self::BelowMinimum { .. } => "below_minimum",
            Self::EpochCap { .. } => "epoch_cap",
            Self::SupplyCap { .. } => "supply_cap",
            Self::Terms { .. } => "terms",
            Self::TermsExpired { .. } => "terms_expired",
            Self::NonceUsed { .. } => "nonce_used",
            Self::ChannelExists { .. } => "channel_exists",
            Self::NoChannel { .. } => "no_channel",
            Self::ChannelState { .. } => "channel_state",
            Self::VoucherMismatch { .. } => "voucher_mismatch",
            Self::NothingDue { .. } => "nothing_due",
            Self::AboveDeposit { .. } => "above_deposit",
            Self::ClaimTooSoon { .. } => "claim_too_soon",
            Self::Arithmetic => "arithmetic",
            Self::OperatorCount { .. } => "operator_count",
            Self::OperatorTwice { .. } => "operator_twice",
            Self::OperatorsSame => "operators_same",
            Self::OperatorsChanging => "operators_changing",
            Self::OperatorThreshold { .. } => "operator_threshold",
            Self::OperatorUnproved { .. } => "operator_unproved",
            Self::Revoked { .. } => "revoked",
            Self::RevokedAlready { .. } => "revoked_already",
            Self::RevokesNothing { .. } => "revokes_nothing",
        }
    }

    pub(super) fn from_wire(error: WireError) -> Self {
        Self::Wire {
            detail: error.to_string(),
        }
    }

    pub(super) fn from_delegation(role: Role, error: &DelegationError) -> Self {
        Self::Delegation {
            role,
            detail: error.to_string(),
        }
    }
}
