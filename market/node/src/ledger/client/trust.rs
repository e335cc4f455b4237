//! Owns whom the ledger client believes: the operators that it trusts, how it follows them when they change, and
//! what it does with what they have signed.
//!
//! Never goes back to operators who have handed over, and never believes who answers: a change is proved by those
//! who were trusted before it.

use std::time::{Duration, Instant};

use market::ledger::{
    CertifiedHeader, EpochProof, EquivocationProof, FinalityProof, Leaf, ProofError, StateProof,
    TrustedSet, TxReceipt,
};
use market::wire;

use super::{EQUIVOCATION, LedgerClient, LedgerError, other};
use crate::ledger::headers::Conflict;
use crate::ledger::protocol::{LedgerRequest, LedgerResponse, MAX_EPOCHS, Unavailable};
use crate::store::RecordKind;

/// How long after a question for changes that brought none the next one waits: whoever sends headers by strangers
/// makes this node ask no more often.
const CATCH_UP_PAUSE: Duration = Duration::from_millis(250);

/// How often a question is asked whose answers are overtaken by changes of the operators, one after the other.
const MAX_ASKED: u32 = 4;

/// Sets from before the present one that are kept, to tell what their keys sign today.
const MAX_PAST: usize = 16;

/// Under which name two headers by a retired key are kept in the node's store.
const RETIRED: &[u8] = b"equivocation:retired";

/// The operators that are trusted, and those of this run before them.
#[derive(Debug)]
pub(super) struct Trust {
    current: TrustedSet,
    past: Vec<TrustedSet>,
}

impl Trust {
    pub(super) fn new(current: TrustedSet) -> Self {
        Self {
            current,
            past: Vec::new(),
        }
    }

    fn move_on(&mut self, next: TrustedSet) {
        self.past.push(std::mem::replace(&mut self.current, next));
        if self.past.len() > MAX_PAST {
            self.past.remove(0);
        }
    }
}

/// Tells whether a proof may be by operators that were handed over to and are not known yet.
fn may_be_by_later_ones(error: &ProofError) -> bool {
    matches!(
        error,
        ProofError::OtherOperators { .. } | ProofError::BadPrecommit { .. }
    )
}

impl LedgerClient {
    /// Returns the operators that are trusted, and from which height on.
    pub fn trusted(&self) -> TrustedSet {
        self.seen().trust.current.clone()
    }

    /// Checks a proof of what happened, whoever sent it, and returns the receipt in it.
    pub async fn verify_final<'a>(
        &self,
        proof: &'a FinalityProof,
    ) -> Result<&'a TxReceipt, LedgerError> {
        let checked = self.check(|trusted| proof.verify(trusted).map(drop)).await;
        match checked {
            // It was made before the operators changed: whether it stands, the present ones say.
            Err(LedgerError::Proof(error @ ProofError::BeforeTrusted { .. })) => {
                Box::pin(self.find_again(proof, error)).await?;
            }
            checked => {
                checked?;
                self.take_in(&proof.certified).await?;
            }
        }
        Ok(&proof.receipt)
    }

    /// Asks for a proof from before the operators changed, signed by the present ones, and compares.
    async fn find_again(
        &self,
        proof: &FinalityProof,
        error: ProofError,
    ) -> Result<(), LedgerError> {
        let id = proof.transaction.id(&self.shared.chain);
        let LedgerResponse::Final(again) = self.ask(LedgerRequest::Transaction(id)).await? else {
            return Err(error.into());
        };
        let is_same = again.certified.header == proof.certified.header
            && again.receipt == proof.receipt
            && again.transaction == proof.transaction;
        if !is_same {
            return Err(error.into());
        }
        self.check(|trusted| again.verify(trusted).map(drop))
            .await?;
        self.take_in(&again.certified).await
    }

    /// Checks a proof of what is so, whoever sent it, and returns the leaf in it.
    pub async fn verify_state<'a>(&self, proof: &'a StateProof) -> Result<&'a Leaf, LedgerError> {
        self.check(|trusted| proof.verify(trusted).map(drop))
            .await?;
        self.take_in(&proof.certified).await?;
        Ok(&proof.leaf)
    }

    /// Checks a header, for example from gossip, and moves the protocol clock.
    pub async fn observe(&self, certified: &CertifiedHeader) -> Result<(), LedgerError> {
        match self.check(|trusted| trusted.check(certified)).await {
            Ok(()) => self.take_in(certified).await,
            Err(error) => {
                Box::pin(self.convict_retired(certified)).await?;
                Err(error)
            }
        }
    }

    /// Checks a header that a stranger sent. It is by the operators that it names, or by nobody.
    pub async fn hear(&self, certified: &CertifiedHeader) -> Result<(), LedgerError> {
        match self.trusted().check(certified) {
            Err(error @ ProofError::BadPrecommit { .. }) => Err(error.into()),
            _ => self.observe(certified).await,
        }
    }

    /// Runs a check against the trusted operators; where it may be by later ones, asks for the changes between and
    /// runs it again.
    async fn check(
        &self,
        verify: impl Fn(&TrustedSet) -> Result<(), ProofError>,
    ) -> Result<(), LedgerError> {
        self.refuse_after_equivocation()?;
        let trusted = self.trusted();
        let Err(error) = verify(&trusted) else {
            return Ok(());
        };
        if may_be_by_later_ones(&error) && Box::pin(self.catch_up(&trusted)).await? {
            return Ok(verify(&self.trusted())?);
        }
        Err(error.into())
    }

    /// Asks, and asks again where the operators have changed while the answer was on its way.
    pub(super) async fn unless_overtaken<T, F>(&self, ask: impl Fn() -> F) -> Result<T, LedgerError>
    where
        F: Future<Output = Result<T, LedgerError>>,
    {
        let mut asked = 1;
        loop {
            match ask().await {
                Err(LedgerError::Proof(ProofError::BeforeTrusted { .. })) if asked < MAX_ASKED => {
                    asked += 1;
                }
                answer => return answer,
            }
        }
    }

    /// Follows the operators over all changes since `known`; tells whether there were some.
    async fn catch_up(&self, known: &TrustedSet) -> Result<bool, LedgerError> {
        let mut fruitless = self.shared.catching_up.lock().await;
        if self.trusted() != *known {
            return Ok(true);
        }
        if fruitless.is_some_and(|at| at.elapsed() < CATCH_UP_PAUSE) {
            return Err(Unavailable::Busy.into());
        }
        *fruitless = Some(Instant::now());
        loop {
            let request = LedgerRequest::Epochs(self.trusted().height);
            let LedgerResponse::Epochs(epochs) = self.ask(request).await? else {
                return Err(other("the changes of the operators"));
            };
            for epoch in &epochs {
                self.advance(epoch).await?;
            }
            if epochs.len() < MAX_EPOCHS {
                break;
            }
        }
        let moved = self.trusted() != *known;
        if moved {
            *fruitless = None;
        }
        Ok(moved)
    }

    /// Moves on to the operators that the trusted ones have handed over to, on disk first.
    async fn advance(&self, epoch: &EpochProof) -> Result<(), LedgerError> {
        let mut next = self.trusted();
        next.advance(epoch)?;
        // Found before the change counts: a second header at its height is by those who are trusted still.
        self.take_in(&epoch.certified).await?;
        self.shared.store.put_trusted_set(next.clone()).await?;
        tracing::info!(height = next.height, operators = ?next.operators, "the operators have changed");
        self.seen().trust.move_on(next);
        Ok(())
    }

    /// Takes in a header whose certificate holds. Keeps and returns an equivocation.
    async fn take_in(&self, certified: &CertifiedHeader) -> Result<(), LedgerError> {
        self.refuse_after_equivocation()?;
        let conflict = self.seen().headers.insert(certified);
        match conflict {
            Ok(()) => {
                let header = &certified.header;
                self.shared.clock.observe(header.height, header.time);
                Ok(())
            }
            Err(Conflict::OffChain { height }) => Err(LedgerError::OffChain { height }),
            Err(Conflict::Equivocation(proof)) => Err(Box::pin(self.convict(proof)).await),
        }
    }

    /// Keeps two headers of one height, and stops for good.
    async fn convict(&self, proof: Box<EquivocationProof>) -> LedgerError {
        let height = proof.first.header.height;
        // One is by earlier operators, and the present ones stand for another: no single set has signed both.
        if proof.verify(&self.trusted()).is_err() {
            return LedgerError::OffChain { height };
        }
        tracing::error!(height, "the operators signed two histories");
        self.seen().equivocation = Some(proof.clone());
        let bytes = wire::encode(&*proof);
        let store = &self.shared.store;
        let kept = store.put_record(RecordKind::Setting, EQUIVOCATION, &bytes);
        match kept.await {
            Ok(()) => LedgerError::Equivocation { proof },
            Err(error) => error.into(),
        }
    }

    /// Reports a header by operators who have handed over, where it contradicts one of theirs that was seen. It stops
    /// nobody: whoever finds a retired key could end the market with it otherwise.
    async fn convict_retired(&self, certified: &CertifiedHeader) -> Result<(), LedgerError> {
        let proof = {
            let seen = self.seen();
            let known = seen.headers.at(certified.header.height);
            let proof = known.map(|first| EquivocationProof {
                first: first.clone(),
                second: certified.clone(),
            });
            let past = &seen.trust.past;
            proof.filter(|proof| past.iter().any(|set| proof.verify(set).is_ok()))
        };
        let Some(proof) = proof.map(Box::new) else {
            return Ok(());
        };
        tracing::error!(
            height = proof.first.header.height,
            "a key that the operators have handed over from signed a second block"
        );
        let bytes = wire::encode(&*proof);
        let store = &self.shared.store;
        store
            .put_record(RecordKind::Setting, RETIRED, &bytes)
            .await?;
        Err(LedgerError::RetiredKey { proof })
    }

    pub(super) fn refuse_after_equivocation(&self) -> Result<(), LedgerError> {
        match self.seen().equivocation.clone() {
            Some(proof) => Err(LedgerError::Equivocation { proof }),
            None => Ok(()),
        }
    }
}
