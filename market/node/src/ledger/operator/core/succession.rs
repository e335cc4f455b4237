//! Owns which of its keys an operator signs with: the one that the ledger names, from the very block on that it
//! names it for.
//!
//! Never signs a block with a key because it is there: a key that is not in the set signs nothing but its own
//! way in.

use market::NodeId;
use market::keys::SecretKey;
use market::ledger::{
    CertifiedHeader, CheckedTransaction, EpochProof, Header, Operation, SignedTransaction, State,
    Transaction, TrustedSet,
};

use super::Core;
use crate::ledger::operator::{OperatorConfig, OperatorError};
use crate::ledger::protocol::MAX_EPOCHS;

/// How many blocks a change of the operators stays valid, in case that one finds no room.
const VALID_FOR_BLOCKS: u64 = 100;

impl OperatorConfig {
    /// Takes the key that signs the next block of `state`.
    pub(super) fn follow(&mut self, state: &State) -> Result<(), OperatorError> {
        let signs = |key: &SecretKey| state.operators().contains(&key.node());
        if signs(&self.key) {
            return Ok(());
        }
        let Some(spare) = self.spare_keys.iter_mut().find(|key| signs(key)) else {
            let node = self.key.node();
            let operator = state.operators().first().copied().unwrap_or(node);
            let height = state.tip().height.saturating_add(1);
            return Err(OperatorError::NotOperator {
                node,
                operator,
                height,
            });
        };
        std::mem::swap(&mut self.key, spare);
        Ok(())
    }
}

impl Core {
    /// Notes that the newest block has handed over, if it has, and signs with the key of the new set from now on.
    pub(super) fn succeed(&mut self) -> Result<(), OperatorError> {
        let Some(epoch) = EpochProof::of(&self.state, &self.head) else {
            return Ok(());
        };
        self.epochs.push(epoch);
        self.config.follow(&self.state)?;
        self.vouch_for_head();
        let operator = self.config.key.node();
        tracing::info!(height = self.head.header.height, %operator, "handed over");
        Ok(())
    }

    /// Signs the newest header with the present key, where it handed over to that: what is answered until the next
    /// block must convince those who have moved on already.
    pub(super) fn vouch_for_head(&mut self) {
        if self.has_just_handed_over() {
            self.head = self.vouch(self.head.header.clone());
        }
    }

    /// Tells whether the newest block handed over.
    pub(in super::super) fn has_just_handed_over(&self) -> bool {
        self.head.header.next_validators_hash != self.head.header.validators_hash
    }

    /// Returns the newest header as those who made it have signed it, which is what gossip carries.
    pub(in super::super) fn announced(&self) -> CertifiedHeader {
        match self.epochs.last() {
            Some(epoch) if epoch.certified.header == self.head.header => epoch.certified.clone(),
            _ => self.head.clone(),
        }
    }

    /// Tells whether this operator alone can sign what follows after a change to `operators`.
    pub(in super::super) fn can_sign_alone(&self, operators: &[NodeId]) -> bool {
        let config = &self.config;
        let mut keys = config.spare_keys.iter().chain([&config.key]);
        match operators {
            [operator] => keys.any(|key| key.node() == *operator),
            _ => false,
        }
    }

    /// Keeps `key` beside its own and signs, with both, that it takes over.
    pub(in super::super) fn hand_over(&mut self, key: SecretKey, nonce: u64) -> CheckedTransaction {
        let (chain, present) = (self.state.chain(), &self.config.key);
        let change = Transaction {
            nonce,
            valid_until_height: self.head.header.height.saturating_add(VALID_FOR_BLOCKS),
            operation: Operation::SetOperators {
                operators: vec![key.node()],
            },
        };
        let mut signed = SignedTransaction::sign(&change, present, chain);
        // The key that signs already is refused by the ledger, with nothing to change.
        if key.node() != present.node() {
            signed = signed
                .cosign(&key, chain)
                .expect("what was just signed verifies");
        }
        let checked = signed.check(chain).expect("what was just signed verifies");
        if !self.can_sign_alone(&[key.node()]) {
            self.config.spare_keys.push(key);
        }
        checked
    }

    /// Returns who signs the next block, and the first height that they sign.
    pub(in super::super) fn operators(&self) -> TrustedSet {
        TrustedSet {
            height: self.state.operators_since(),
            ..self.state.trusted_set()
        }
    }

    /// Signs a header of this log with the present key, for those who trust no earlier one any more.
    pub(in super::super) fn vouch(&self, header: Header) -> CertifiedHeader {
        CertifiedHeader::sign(header, &self.config.key)
    }

    /// Returns the changes of the operators from `height` on, oldest first, at most [`MAX_EPOCHS`].
    pub(in super::super) fn epochs_from(&self, height: u64) -> Vec<EpochProof> {
        let later = |epoch: &&EpochProof| epoch.certified.header.height >= height;
        let later = self.epochs.iter().filter(later);
        later.take(MAX_EPOCHS).cloned().collect()
    }
}
