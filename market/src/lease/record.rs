//! Owns what a payer keeps of a running lease beside its vouchers, and making the lease anew from both after
//! a restart.
//!
//! Never trusts the disk further than its own signature: a voucher that is not this lease's is refused.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::input::Message;
use super::output::{Output, Record};
use super::state::{Artefact, Lease, Phase, Role};
use crate::agreement::{Meter, Terms};
use crate::ids::ChainId;
use crate::keys::SecretKey;
use crate::receipt::Outcome;
use crate::time::Timestamp;
use crate::voucher::Voucher;
use crate::wire::{Signed, WireError};

/// What a payer wanted of a lease when it was last noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// The work goes on.
    Work,
    /// The work has ended, or is to end.
    End,
    /// The payer closes alone.
    CloseAlone,
}

/// What a payer must find again after a restart, beside its newest voucher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PayerRecord {
    /// What was agreed.
    pub terms: Terms,
    /// When the channel was opened, in protocol time.
    pub opened_at: Timestamp,
    /// The payee's meter as it was last noted.
    pub meter: Meter,
    /// The meter at the last delivered output.
    pub delivered_meter: Meter,
    /// The outputs that were announced, in order.
    pub artefacts: Vec<Artefact>,
    /// Indices of those that have arrived.
    pub delivered: BTreeSet<u32>,
    /// How the job ended, where that is known.
    pub outcome: Option<Outcome>,
    /// What the payer wanted.
    pub purpose: Purpose,
}

impl PayerRecord {
    /// The most bytes of an encoded record.
    pub const MAX_BYTES: usize = 256 << 10;
}

/// Why a lease cannot be made anew from what is on disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResumeError {
    /// The voucher's signature or bytes are wrong.
    #[error("the newest voucher on disk does not verify: {0}")]
    Wire(#[from] WireError),
    /// The voucher belongs to something else.
    #[error("the newest voucher on disk is for another channel or signed by another key")]
    ForeignVoucher,
    /// The record does not fit together.
    #[error("the record names output {0}, which it does not list")]
    UnknownArtefact(u32),
}

impl Lease {
    /// Makes a payer's lease anew from what an earlier run kept: it asks the payee where it stands, fetches
    /// what has not arrived, and pays on from the newest voucher. What the earlier run had begun to end is
    /// ended.
    ///
    /// # Errors
    /// The voucher or the record is not of one lease; nothing may be signed then.
    pub fn resume(
        record: PayerRecord,
        voucher: Option<Signed<Voucher>>,
        chain: ChainId,
        key: SecretKey,
        now: Timestamp,
    ) -> Result<Self, ResumeError> {
        let listed = record.artefacts.len();
        let is_listed = |index: &&u32| usize::try_from(**index).is_ok_and(|index| index < listed);
        if let Some(stray) = record.delivered.iter().find(|index| !is_listed(index)) {
            return Err(ResumeError::UnknownArtefact(*stray));
        }
        let first_tick = record.terms.rates.first_tick();
        let mut lease = Self::new(Role::Payer, record.terms, chain, key, now);
        lease.promised = first_tick.unwrap_or(lease.terms.deposit);
        if let Some(signed) = voucher {
            let verified = signed.verify(&chain)?;
            let newest = verified.value;
            let is_ours = verified.signer == *lease.terms.payer.node.as_bytes()
                && newest.channel == lease.terms.channel_id(&chain);
            if !is_ours {
                return Err(ResumeError::ForeignVoucher);
            }
            lease.sequence = newest.sequence;
            lease.promised = lease.promised.max(newest.cumulative);
            lease.voucher = Some(signed);
        }
        lease.opened_at = record.opened_at.min(now);
        (lease.meter, lease.delivered_meter) = (record.meter, record.delivered_meter);
        (lease.artefacts, lease.delivered) = (record.artefacts, record.delivered);
        lease.outcome = record.outcome;
        lease.take_up(record.purpose, now);
        Ok(lease)
    }

    fn take_up(&mut self, purpose: Purpose, now: Timestamp) {
        self.phase = match purpose {
            Purpose::Work => Phase::Paused,
            Purpose::End | Purpose::CloseAlone => Phase::Closing,
        };
        self.heard(now);
        let missing = self
            .artefacts
            .iter()
            .filter(|artefact| !self.delivered.contains(&artefact.index));
        for artefact in missing.cloned().collect::<Vec<_>>() {
            self.outputs.push_back(Output::FetchArtefact(artefact));
        }
        match purpose {
            Purpose::Work => self.send(Message::Repeat),
            Purpose::End => {
                self.give_up_at = Some(now.saturating_add(self.timing.closing_patience));
                if self.outcome == Some(Outcome::Cancelled) {
                    self.send(Message::Cancel);
                }
                self.send(Message::Repeat);
            }
            Purpose::CloseAlone => {
                self.closes_alone = true;
                self.file_close();
            }
        }
    }

    /// Has everything kept that a restart needs beside the vouchers.
    pub(super) fn persist_record(&mut self) {
        let purpose = match (self.closes_alone, self.phase) {
            (true, _) => Purpose::CloseAlone,
            (false, Phase::Closing | Phase::Ended) => Purpose::End,
            (false, _) => Purpose::Work,
        };
        let record = PayerRecord {
            terms: self.terms.clone(),
            opened_at: self.opened_at,
            meter: self.meter,
            delivered_meter: self.delivered_meter,
            artefacts: self.artefacts.clone(),
            delivered: self.delivered.clone(),
            outcome: self.outcome,
            purpose,
        };
        let record = Record::Payer(Box::new(record));
        self.outputs.push_back(Output::Persist(record));
    }
}
