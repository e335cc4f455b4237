//! Owns how long a payee works on the ledger's word that the channel is open, and when it asks for the next.
//!
//! Never asks: the shell fetches proofs and checks them.

use super::state::{Lease, Link, Role, WaitsFor};
use crate::time::Timestamp;

impl Lease {
    /// The channel was open at `at`, says the ledger.
    pub(super) fn proved(&mut self, at: Timestamp, now: Timestamp) {
        self.proved_at = Some(at);
        if now.saturating_since(at) <= self.timing.proof_valid {
            self.proof_came_at = Some(now);
        }
        self.start_if_ready(now);
        self.resume_if_covered(now);
    }

    /// When work stops for want of a proof that the channel is still open.
    pub(super) fn proof_ends(&self) -> Option<Timestamp> {
        let came_at = self.proof_came_at.filter(|_| self.started)?;
        Some(came_at.saturating_add(self.timing.proof_valid))
    }

    /// Returns until when the payee works without another proof of the ledger that the channel is open: on the
    /// payer's side as the payee last said. `None` before the work begins.
    pub fn proved_until(&self) -> Option<Timestamp> {
        match self.role {
            Role::Payee => self.proof_ends(),
            Role::Payer => self.payee_proved_until,
        }
    }

    pub(super) fn has_fresh_proof(&self, now: Timestamp) -> bool {
        self.proof_ends().is_none_or(|ends| now < ends)
    }

    /// When the next proof is asked for.
    pub(super) fn prove_at(&self) -> Option<Timestamp> {
        let last = self.proof_came_at.max(self.proof_asked_at)?;
        let at = last.saturating_add(self.timing.prove_every);
        (self.started && self.is_metered()).then_some(at)
    }

    pub(super) fn pause_reason(&self) -> WaitsFor {
        if !self.has_fresh_proof(self.metered_at) {
            WaitsFor::Proof
        } else if self.link == Link::Lost {
            WaitsFor::OtherSide
        } else {
            WaitsFor::Voucher
        }
    }
}
