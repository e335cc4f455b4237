//! Owns the channel as the ledger records it: one agreement's escrow.
//!
//! Never moves money itself; `apply` and `draft` do, and keep `balance` what the transfers say.

use serde::{Deserialize, Serialize};

use crate::agreement::{Party, Terms};
use crate::amount::{Amount, PricePerHour};
use crate::gpu::GpuClass;
use crate::ids::{AgreementId, ChainId, ChannelId};
use crate::time::Timestamp;

/// Where a channel is in its life. Closed is the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelState {
    /// Pays vouchers.
    Open,
    /// Still pays vouchers, until the deadline.
    Closing {
        /// When the window ends, in milliseconds on the uptime clock.
        deadline_ms: u64,
    },
    /// Holds nothing and never will again.
    Closed,
}

/// One agreement's escrow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelRecord {
    /// Derived from the terms; never reused.
    pub id: ChannelId,
    /// The agreement that it pays for, which is the hash of its terms.
    pub agreement: AgreementId,
    /// Who pays; the node's key is the only one that signs vouchers.
    pub payer: Party,
    /// Who is paid; the account or the node may close.
    pub payee: Party,
    /// What was locked.
    pub deposit: Amount,
    /// What was paid out so far, the fee included; never falls.
    pub claimed: Amount,
    /// What the channel holds: `deposit - claimed` until it closes, then zero.
    pub balance: Amount,
    /// The highest sequence among the vouchers that were paid; never falls.
    pub sequence: u64,
    /// The class that was sold.
    pub class: GpuClass,
    /// The price that was agreed.
    pub price_per_hour: PricePerHour,
    /// How many GPUs.
    pub gpus: u16,
    /// Share of what is paid out that is a fee, in 1/10^4.
    pub fee_bps: u16,
    /// When the challenge window opens by itself, in protocol time.
    pub expires_at: Timestamp,
    /// From when a claim costs nothing, in milliseconds on the uptime clock.
    pub free_claim_at_ms: u64,
    /// Where it is in its life.
    pub state: ChannelState,
}

impl ChannelRecord {
    /// Makes the record of a channel that was just opened and holds nothing yet.
    pub(super) fn new(terms: &Terms, chain: &ChainId, fee_bps: u16) -> Self {
        Self {
            id: terms.channel_id(chain),
            agreement: terms.id(chain),
            payer: terms.payer,
            payee: terms.payee,
            deposit: terms.deposit,
            claimed: Amount::ZERO,
            balance: Amount::ZERO,
            sequence: 0,
            class: terms.class,
            price_per_hour: terms.rates.price_per_hour,
            gpus: terms.rates.gpus,
            fee_bps,
            expires_at: terms.expires_at,
            free_claim_at_ms: 0,
            state: ChannelState::Open,
        }
    }

    /// Tells whether a voucher can still be paid at `uptime_ms`: open, or strictly before the deadline.
    pub fn pays_at(&self, uptime_ms: u64) -> bool {
        match self.state {
            ChannelState::Open => true,
            ChannelState::Closing { deadline_ms } => uptime_ms < deadline_ms,
            ChannelState::Closed => false,
        }
    }

    /// Returns the fee on raising what was claimed to `cumulative`:
    /// `floor(cumulative * bps / 10^4) - floor(claimed * bps / 10^4)`. `None` when it would fall.
    pub(super) fn fee_until(&self, cumulative: Amount) -> Option<Amount> {
        cumulative
            .basis_points(self.fee_bps)?
            .checked_sub(self.claimed.basis_points(self.fee_bps)?)
    }

    /// Returns the GPU-seconds that were paid for, `claimed * 3600 / price_per_hour`, rounded down;
    /// `None` for a price of zero.
    pub fn gpu_seconds(&self) -> Option<u64> {
        let price = u128::from(self.price_per_hour.0.nanocredits());
        let product = u128::from(self.claimed.nanocredits()) * 3_600;
        u64::try_from(product.checked_div(price)?).ok()
    }

    /// Tells whether the record is one that the ledger can ever hold: what was claimed is within the
    /// deposit, and the balance is the rest, or zero once closed.
    pub(super) fn is_sound(&self) -> bool {
        match self.state {
            ChannelState::Open | ChannelState::Closing { .. } => {
                self.deposit.checked_sub(self.claimed) == Some(self.balance)
            }
            ChannelState::Closed => self.claimed <= self.deposit && self.balance == Amount::ZERO,
        }
    }
}
