//! Owns a transaction on its way from signer to signer, as a file: what the treasury's key holders hand around when
//! more than one of them must sign.
//!
//! Never trusts the file: what it says is read out of the signed bytes, and every seal is checked.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use market::genesis::Genesis;
use market::keys::SecretKey;
use market::ledger::{Operation, Rejected, SignedTransaction, Transaction, VerifiedTransaction};
use market::wire::{self, WireError};
use market::{AccountId, ChainId};
use serde::{Deserialize, Serialize};

use crate::home::{self, HomeError};

/// The version of the file.
const VERSION: u32 = 1;

/// The most bytes of the file: a transaction in hexadecimal digits, and a little.
const MAX_FILE_BYTES: u64 = 2 * SignedTransaction::MAX_BYTES as u64 + 1_024;

/// A transaction with the seals that it has so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    signed: SignedTransaction,
    verified: VerifiedTransaction,
    chain: ChainId,
}

/// Who has signed a change of supply, and who must still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// What is asked.
    pub operation: Operation,
    /// The last block that may hold it.
    pub valid_until_height: u64,
    /// Treasury keys that have signed.
    pub treasury_signed: Vec<AccountId>,
    /// Treasury keys that have not.
    pub treasury_open: Vec<AccountId>,
    /// How many treasury keys must sign.
    pub threshold: u16,
    /// Whose money is taken out and has not agreed yet.
    pub holder_open: Option<AccountId>,
}

/// Why a proposal cannot be read, signed or written.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    /// The file cannot be read.
    #[error("cannot read the proposal {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(#[from] HomeError),
    /// There is a file already.
    #[error("{} is there already; name another file, or add your signature to it with `operator cosign`", .0.display())]
    Exists(PathBuf),
    /// It is no proposal.
    #[error("{} is not a proposal that `operator issue` or `operator redeem` wrote: {why}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A newer release wrote it.
    #[error("{} has version {found} and this program knows {VERSION}: install the newer release", file.display())]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: u32,
    },
    /// It is for another market.
    #[error("the proposal is for market {found}, and this home is in {expected}")]
    OtherChain {
        /// The chain of the proposal.
        found: ChainId,
        /// The chain of the home.
        expected: ChainId,
    },
    /// A seal does not hold, or there are too many.
    #[error("the proposal was changed after it was signed, or is damaged: {0}")]
    Seal(#[from] Rejected),
    /// It is about something else than the supply.
    #[error("the proposal neither issues nor redeems")]
    OtherOperation,
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    nightshift_proposal: u32,
    chain: ChainId,
    transaction: String,
}

impl Proposal {
    /// Signs a transaction with the first of its keys.
    pub fn begin(transaction: &Transaction, key: &SecretKey, chain: ChainId) -> Self {
        let signed = SignedTransaction::sign(transaction, key, &chain);
        let verified = signed
            .verify(&chain)
            .expect("a seal that was just made holds");
        Self {
            signed,
            verified,
            chain,
        }
    }

    /// Adds the seal of `key`, unless it is there. Tells whether it was added.
    ///
    /// # Errors
    /// There are as many seals as a transaction may have.
    pub fn sign(&mut self, key: &SecretKey) -> Result<bool, ProposalError> {
        if self.verified.signers.contains(&key.public()) {
            return Ok(false);
        }
        let signed = self.signed.clone().cosign(key, &self.chain)?;
        self.verified = signed.verify(&self.chain)?;
        self.signed = signed;
        Ok(true)
    }

    /// Reads a proposal for `chain`.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or is for another market.
    pub fn read(file: &Path, chain: ChainId) -> Result<Self, ProposalError> {
        let unread = |source| ProposalError::Read {
            file: file.to_path_buf(),
            source,
        };
        let malformed = |why: String| ProposalError::Malformed {
            file: file.to_path_buf(),
            why,
        };
        let mut text = String::new();
        let opened = fs::File::open(file).map_err(unread)?;
        opened
            .take(MAX_FILE_BYTES)
            .read_to_string(&mut text)
            .map_err(unread)?;
        let stated: File =
            serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        if stated.nightshift_proposal > VERSION {
            return Err(ProposalError::Newer {
                file: file.to_path_buf(),
                found: stated.nightshift_proposal,
            });
        }
        if stated.chain != chain {
            return Err(ProposalError::OtherChain {
                found: stated.chain,
                expected: chain,
            });
        }
        let bytes =
            hex::decode(&stated.transaction).map_err(|error| malformed(error.to_string()))?;
        let signed = SignedTransaction::decode(&bytes)
            .map_err(|error: WireError| malformed(error.to_string()))?;
        let verified = signed.verify(&chain)?;
        Ok(Self {
            signed,
            verified,
            chain,
        })
    }

    /// Writes the proposal to a file that is not there yet.
    ///
    /// # Errors
    /// It is there, or cannot be written.
    pub fn write_new(&self, file: &Path) -> Result<(), ProposalError> {
        if file.exists() {
            return Err(ProposalError::Exists(file.to_path_buf()));
        }
        self.write(file)
    }

    /// Writes the proposal, whole or not at all, over the file that it was read from.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), ProposalError> {
        let stated = File {
            nightshift_proposal: VERSION,
            chain: self.chain,
            transaction: hex::encode(wire::encode(&self.signed)),
        };
        let text = serde_json::to_string_pretty(&stated).expect("two numbers and a text encode");
        Ok(home::write_private(file, format!("{text}\n").as_bytes())?)
    }

    /// Returns the transaction with its seals.
    pub fn signed(&self) -> &SignedTransaction {
        &self.signed
    }

    /// Returns what is asked, who has agreed and who must still, under the rules of `genesis`.
    ///
    /// # Errors
    /// It is about something else than the supply.
    pub fn outlook(&self, genesis: &Genesis) -> Result<Outlook, ProposalError> {
        let signers: &BTreeSet<[u8; 32]> = &self.verified.signers;
        let operation = self.verified.transaction.operation.clone();
        let holder = match &operation {
            Operation::Issue { .. } => None,
            Operation::Redeem { from, .. } => Some(*from),
            _ => return Err(ProposalError::OtherOperation),
        };
        let has_signed = |account: &AccountId| signers.contains(account.as_bytes());
        let (treasury_signed, treasury_open) =
            genesis.treasury.iter().copied().partition(has_signed);
        Ok(Outlook {
            operation,
            valid_until_height: self.verified.transaction.valid_until_height,
            treasury_signed,
            treasury_open,
            threshold: genesis.treasury_threshold,
            holder_open: holder.filter(|holder| !has_signed(holder)),
        })
    }
}

impl Outlook {
    /// Returns how many treasury keys must still sign.
    pub fn missing(&self) -> usize {
        usize::from(self.threshold).saturating_sub(self.treasury_signed.len())
    }

    /// Tells whether all have signed that must.
    pub fn is_complete(&self) -> bool {
        self.missing() == 0 && self.holder_open.is_none()
    }
}

#[cfg(test)]
mod tests;
