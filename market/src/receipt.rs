//! Owns the receipt: what both sides sign about work that was done.
//!
//! Never rates anyone; reputation is computed from many receipts elsewhere.

use serde::{Deserialize, Serialize};

use crate::agreement::Meter;
use crate::amount::Amount;
use crate::ids::{AgreementId, BlobHash, ChainId};
use crate::time::Timestamp;
use crate::wire::{Payload, Seal, WireError};

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All work was done and delivered.
    Completed,
    /// The provider stopped it: its owner wanted the machine, or it was shut down.
    Yielded,
    /// The consumer stopped it.
    Cancelled,
    /// The deposit was spent before the work was done.
    OutOfBudget,
    /// The job itself failed, for example on bad data.
    Failed,
    /// The provider was lost, and no other one went on. The consumer's own word: no provider signs it.
    Lost,
}

/// What happened under an agreement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The agreement.
    pub agreement: AgreementId,
    /// How it ended.
    pub outcome: Outcome,
    /// The final meter reading.
    pub meter: Meter,
    /// What the channel paid in total.
    pub paid: Amount,
    /// Hashes of the delivered outputs, in order of delivery; at most 256.
    pub outputs: Vec<BlobHash>,
    /// When it ended, in protocol time.
    pub ended_at: Timestamp,
}

impl Payload for Receipt {
    const NAMESPACE: &'static str = "nightshift/receipt/1";
    const MAX_BYTES: usize = 16 << 10;
}

/// A receipt with the seals of both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedReceipt {
    /// What both signed.
    pub receipt: Receipt,
    /// The payee node's seal.
    pub payee: Seal,
    /// The payer node's seal; absent until the payer has countersigned.
    pub payer: Option<Seal>,
}

impl SignedReceipt {
    /// Checks the seals that are present.
    pub fn verify(&self, chain: &ChainId) -> Result<(), WireError> {
        self.payee.verify(&self.receipt, chain)?;
        match &self.payer {
            Some(seal) => seal.verify(&self.receipt, chain),
            None => Ok(()),
        }
    }
}
