//! Owns how an operator's key is changed while it runs, and what is answered about blocks from before a change.
//!
//! Never writes a key file: whoever hands a key in has it on disk already.

use market::NodeId;
use market::keys::SecretKey;
use market::ledger::{CertifiedHeader, EpochProof, FinalityProof, TrustedSet};
use tokio::sync::oneshot;

use super::actor::{Command, HandOver};
use super::{OperatorHandle, SubmitError};
use crate::ledger::protocol::Unavailable;

impl OperatorHandle {
    /// Signs with `key` from the next block on, and returns the proof of the change, which the present key has
    /// signed. `key` must be on disk: after the block nothing else can sign the next one.
    ///
    /// # Errors
    /// The ledger refuses the change, or it was not looked at; the present key signs on then.
    pub async fn hand_over(
        &self,
        key: SecretKey,
        nonce: u64,
    ) -> Result<FinalityProof, SubmitError> {
        let (reply, outcome) = oneshot::channel();
        self.send(Command::HandOver(HandOver { key, nonce, reply }))?;
        let outcome = outcome.await.map_err(|_| Unavailable::Stopped)??;
        Ok(outcome.map(|proof| *proof)?)
    }

    /// Returns the changes of the operators from `height` on, oldest first.
    pub async fn epochs(&self, height: u64) -> Result<Vec<EpochProof>, Unavailable> {
        self.ask(|reply| Command::Epochs(height, reply)).await
    }

    /// Returns who signs the next block, and the first height that they sign.
    pub async fn operators(&self) -> Result<TrustedSet, Unavailable> {
        self.ask(Command::Operators).await
    }

    /// Refuses a change after which this operator could make no block.
    pub(super) async fn check_successors(&self, operators: Vec<NodeId>) -> Result<(), Unavailable> {
        let can_sign = self.ask(|reply| Command::CanSignAlone(operators, reply));
        match can_sign.await? {
            true => Ok(()),
            false => Err(Unavailable::NoKey),
        }
    }

    /// Returns a proof that convinces whoever trusts the present operators, also from before they took over.
    pub(super) async fn vouched_proof(
        &self,
        proof: FinalityProof,
    ) -> Result<FinalityProof, SubmitError> {
        let certified = self.vouched(proof.certified).await?;
        Ok(FinalityProof { certified, ..proof })
    }

    /// Returns a header of the log, signed by the present operator where an earlier one had signed it.
    pub(super) async fn vouched(
        &self,
        certified: CertifiedHeader,
    ) -> Result<CertifiedHeader, Unavailable> {
        let present = self.head().header.next_validators_hash;
        if certified.header.validators_hash == present {
            return Ok(certified);
        }
        let header = Box::new(certified.header);
        self.ask(|reply| Command::Vouch(header, reply)).await
    }
}
