//! Owns what can be asked of the ledger and the signed form in which it travels.
//!
//! Never looks at the state: size, seals and decoding are checked here, meaning in `apply`.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::rejected::Rejected;
use crate::agreement::Terms;
use crate::amount::Amount;
use crate::delegation::Delegation;
use crate::ids::{AccountId, ChainId, ChannelId, NodeId, TxId};
use crate::keys::SecretKey;
use crate::time::Timestamp;
use crate::voucher::Voucher;
use crate::wire::{self, Payload, Seal, Signed, WireError};

/// The most keys that may sign beside the first.
pub const MAX_COSIGNERS: usize = 15;

/// The most delegations that may travel with a transaction: one a party.
pub const MAX_DELEGATIONS: usize = 2;

/// How far ahead of the next block `valid_until_height` may be, in blocks.
pub const MAX_VALIDITY_BLOCKS: u64 = 100_000;

/// The most operators in a set: the seals of the present ones and of the new ones fit one transaction.
pub const MAX_OPERATORS: usize = 7;

/// The most bytes of a memo.
const MAX_MEMO_BYTES: usize = 64;

/// A short public note on a transfer: at most 64 bytes of text without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Memo(String);

/// Why a text is not a memo.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemoError {
    /// Too long.
    #[error("a memo has at most {MAX_MEMO_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// A character that would act on a terminal.
    #[error("a memo has no control characters")]
    Control,
}

impl TryFrom<String> for Memo {
    type Error = MemoError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() > MAX_MEMO_BYTES {
            return Err(MemoError::TooLong(text.len()));
        }
        if text.chars().any(char::is_control) {
            return Err(MemoError::Control);
        }
        Ok(Self(text))
    }
}

impl From<Memo> for String {
    fn from(memo: Memo) -> Self {
        memo.0
    }
}

impl fmt::Display for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What is asked of the ledger, and who must sign it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Pays another account; signed by the key of `from`. Costs the flat transfer fee.
    Transfer {
        /// Who pays.
        from: AccountId,
        /// Who is paid.
        to: AccountId,
        /// How much, fee aside.
        amount: Amount,
        /// A public note.
        memo: Memo,
    },
    /// Makes new money; signed by a threshold of treasury keys.
    Issue {
        /// Who receives it.
        to: AccountId,
        /// How much.
        amount: Amount,
    },
    /// Takes money out of the market; signed by the key of `from` and a threshold of treasury keys.
    Redeem {
        /// Whose money.
        from: AccountId,
        /// How much.
        amount: Amount,
    },
    /// Opens a channel; signed by payer and payee, by their account keys or by delegated nodes.
    Open {
        /// The whole agreement.
        terms: Terms,
    },
    /// Pays what a voucher adds to what was claimed; signed by anyone, money goes only to the payee.
    Claim {
        /// The payer's promise.
        voucher: Signed<Voucher>,
    },
    /// Pays a last voucher and refunds the rest at once; signed by the payee's account or node.
    CoopClose {
        /// The channel.
        channel: ChannelId,
        /// The last voucher, or none when nothing was promised since the last claim.
        voucher: Option<Signed<Voucher>>,
    },
    /// Pays what is stated and opens the challenge window; signed by the payer's account or node.
    PayerClose {
        /// The channel.
        channel: ChannelId,
        /// The sequence of the last voucher that the payer signed; a statement, not a limit.
        sequence: u64,
        /// The total that the payer says it owes, at least what was claimed.
        cumulative: Amount,
    },
    /// Hands the signing of blocks over from the next one on; signed by more than two thirds of the present
    /// operators and by every one that comes in. Costs nothing.
    SetOperators {
        /// The operators from the next block on: 1 to [`MAX_OPERATORS`], each once.
        operators: Vec<NodeId>,
    },
    /// Takes back what was delegated to a node; signed by the key of `account`, never by a node. Costs the flat
    /// transfer fee.
    ///
    /// Delegations are statements outside the ledger, so nobody can list them, and one that was lost with its
    /// machine cannot be named by its id. What is named is the node, and all that it can still hold from this
    /// account goes at once: each delegation that ends by `until`. One that ends later is untouched, so that the
    /// account can delegate to the same node again.
    Revoke {
        /// Who delegated.
        account: AccountId,
        /// To whom.
        node: NodeId,
        /// The latest end of a delegation that is revoked; after the block, and after what was revoked before.
        until: Timestamp,
    },
}

/// A request to the ledger, applied at most once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Drawn by the client, so that two equal requests have two ids; kept on a retry.
    pub nonce: u64,
    /// The last block that may hold it; at most [`MAX_VALIDITY_BLOCKS`] ahead.
    pub valid_until_height: u64,
    /// What is asked.
    pub operation: Operation,
}

impl Payload for Transaction {
    const NAMESPACE: &'static str = "nightshift/transaction/1";
    const MAX_BYTES: usize = 1_024;
}

/// A transaction as it travels: first seal, further seals over the same bytes, and the delegations
/// by which nodes sign for accounts. The id does not depend on who has signed so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedTransaction {
    lead: Signed<Transaction>,
    cosigners: Vec<Seal>,
    delegations: Vec<Signed<Delegation>>,
}

/// A transaction whose seals are all good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedTransaction {
    /// BLAKE3 of the signed bytes.
    pub id: TxId,
    /// What is asked.
    pub transaction: Transaction,
    /// The public keys that signed.
    pub signers: BTreeSet<[u8; 32]>,
    /// Delegations as received; not verified yet.
    pub delegations: Vec<Signed<Delegation>>,
}

/// A transaction together with what its good seals say, so that they are checked once and not again when it is
/// executed. Only [`SignedTransaction::check`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedTransaction {
    signed: SignedTransaction,
    verified: VerifiedTransaction,
    chain: ChainId,
}

impl CheckedTransaction {
    /// Returns BLAKE3 of the signed bytes.
    pub fn id(&self) -> TxId {
        self.verified.id
    }

    /// Returns the account or node that signed first, and so the one that asks.
    pub fn submitter(&self) -> AccountId {
        AccountId::from_bytes(*self.signed.lead.claimed_signer())
    }

    /// Returns what is asked.
    pub fn operation(&self) -> &Operation {
        &self.verified.transaction.operation
    }

    /// Returns the transaction as it travels.
    pub fn signed(&self) -> &SignedTransaction {
        &self.signed
    }

    /// Returns what its seals say, if they were checked on `chain`.
    pub(super) fn verified(&self, chain: &ChainId) -> Option<&VerifiedTransaction> {
        (self.chain == *chain).then_some(&self.verified)
    }
}

impl SignedTransaction {
    /// The most bytes that a signed transaction may have.
    pub const MAX_BYTES: usize = 4_096;

    /// Signs `transaction` on `chain` as its first signer.
    pub fn sign(transaction: &Transaction, key: &SecretKey, chain: &ChainId) -> Self {
        Self {
            lead: Signed::sign(transaction, key, chain),
            cosigners: Vec::new(),
            delegations: Vec::new(),
        }
    }

    /// Attaches the delegation by which a signing node acts for its account.
    #[must_use]
    pub fn with_delegation(mut self, delegation: Signed<Delegation>) -> Self {
        self.delegations.push(delegation);
        self
    }

    /// Adds a signature over the same bytes, after checking those that are there.
    pub fn cosign(mut self, key: &SecretKey, chain: &ChainId) -> Result<Self, Rejected> {
        let verified = self.verify(chain)?;
        self.cosigners
            .push(Seal::new(&verified.transaction, key, chain));
        Ok(self)
    }

    /// Returns BLAKE3 of the signed bytes.
    pub fn id(&self, chain: &ChainId) -> TxId {
        TxId::from_bytes(self.lead.id(chain))
    }

    /// Decodes received bytes; nothing is verified yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        wire::decode(bytes, Self::MAX_BYTES)
    }

    /// Decodes what is asked without looking at a seal: for a transaction that a block holds, and so was verified.
    pub(super) fn claimed(&self) -> Result<Transaction, WireError> {
        self.lead.claimed()
    }

    /// Checks the counts, then every seal, and keeps what they say.
    ///
    /// # Errors
    /// Too many seals, or one that does not hold on `chain`.
    pub fn check(self, chain: &ChainId) -> Result<CheckedTransaction, Rejected> {
        let verified = self.verify(chain)?;
        Ok(CheckedTransaction {
            signed: self,
            verified,
            chain: *chain,
        })
    }

    /// Checks the counts, then every seal, and returns what was signed and by whom.
    pub fn verify(&self, chain: &ChainId) -> Result<VerifiedTransaction, Rejected> {
        let (cosigners, delegations) = (self.cosigners.len(), self.delegations.len());
        if cosigners > MAX_COSIGNERS || delegations > MAX_DELEGATIONS {
            return Err(Rejected::TooManySeals {
                cosigners,
                delegations,
            });
        }
        let lead = self.lead.verify(chain).map_err(Rejected::from_wire)?;
        let mut signers = BTreeSet::from([lead.signer]);
        for seal in &self.cosigners {
            seal.verify(&lead.value, chain)
                .map_err(Rejected::from_wire)?;
            if !signers.insert(seal.signer) {
                return Err(Rejected::SignedTwice {
                    signer: AccountId::from_bytes(seal.signer),
                });
            }
        }
        Ok(VerifiedTransaction {
            id: TxId::from_bytes(lead.id),
            transaction: lead.value,
            signers,
            delegations: self.delegations.clone(),
        })
    }
}
