//! Owns when the payee claims while the lease goes on.
//!
//! Never claims one voucher twice, and never beside the close, which claims by itself.

use super::output::Output;
use super::state::Lease;
use crate::amount::Amount;
use crate::time::Timestamp;

impl Lease {
    /// Claims the newest voucher where it promises more than was claimed.
    pub(super) fn claim(&mut self, now: Timestamp) {
        self.last_claim = now;
        if let Some(voucher) = self.voucher.clone()
            && self.promised > self.claimed
            && !self.close_sent
        {
            self.claimed = self.promised;
            self.outputs.push_back(Output::Claim(voucher));
        }
    }

    /// The ledger has refused a claim. What was promised since is claimed at once, and otherwise the next voucher
    /// as soon as it comes. An older claim that a newer one has overtaken is no news.
    pub(super) fn claim_was_refused(&mut self, cumulative: Amount, now: Timestamp) {
        if cumulative < self.claimed || self.close_sent {
            return;
        }
        if self.promised > self.claimed {
            self.claim(now);
        } else {
            self.claim_refused = true;
        }
    }
}
