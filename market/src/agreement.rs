//! Owns the agreement: the whole bargain that payer and payee sign, and the meter that runs under it.
//!
//! Never moves money; the ledger opens a channel from these terms and the lease machine follows them.

use serde::{Deserialize, Serialize};

use crate::amount::{Amount, PricePerHour};
use crate::gpu::GpuClass;
use crate::ids::{AccountId, AgreementId, ChainId, ChannelId, JobId, NodeId, OrderId};
use crate::time::Timestamp;
use crate::wire::{self, Payload};

/// One side of an agreement: whose money, and which machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The account that pays or is paid.
    pub account: AccountId,
    /// The machine that acts for it.
    pub node: NodeId,
}

/// How time turns into money under an agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    /// Price of one GPU for an hour of running.
    pub price_per_hour: PricePerHour,
    /// GPUs of one host, at least 1.
    pub gpus: u16,
    /// Share of the price while inputs come in and in pauses, in 1/10^4; 0 to 10,000.
    pub hold_bps: u16,
    /// Length of a tick in milliseconds; 100 to 60,000.
    pub tick_ms: u32,
    /// The most ticks a voucher may prepay; 1 to 30.
    pub prepaid_ticks: u16,
    /// The most ticks the payer pays beyond the last delivered artefact (D).
    pub delivery_ticks: u16,
}

/// What payer and payee agree on. Its id is part of the channel's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Who pays.
    pub payer: Party,
    /// Who is paid.
    pub payee: Party,
    /// The ask that was taken.
    pub ask: OrderId,
    /// The job that will run.
    pub job: JobId,
    /// The class that was sold.
    pub class: GpuClass,
    /// How time turns into money.
    pub rates: Rates,
    /// What is locked in the channel; the most that this agreement can ever cost, fees aside.
    pub deposit: Amount,
    /// Unique for each agreement of the payer, so that of several attempts only one can open.
    pub payer_nonce: u64,
    /// When the channel expires, in protocol time.
    pub expires_at: Timestamp,
}

impl Payload for Terms {
    const NAMESPACE: &'static str = "nightshift/terms/1";
    const MAX_BYTES: usize = 512;
}

/// Why terms are outside what the market allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// The payer and payee are one account.
    #[error("payer and payee are the same account")]
    SelfDeal,
    /// A field is outside its range.
    #[error("{field} is {value}, outside {range}")]
    Range {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// What is allowed.
        range: &'static str,
    },
    /// The deposit does not cover the first tick.
    #[error("a deposit of {deposit} does not cover the first tick, {tick}")]
    Deposit {
        /// The deposit.
        deposit: Amount,
        /// What one tick costs.
        tick: Amount,
    },
}

impl Terms {
    /// Returns the id of this agreement on `chain`.
    pub fn id(&self, chain: &ChainId) -> AgreementId {
        AgreementId::from_bytes(wire::content_id(self, chain))
    }

    /// Returns the id of the channel that these terms open:
    /// BLAKE3(`chan/v1` || chain || payer || payee || agreement || payer nonce).
    pub fn channel_id(&self, chain: &ChainId) -> ChannelId {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"chan/v1");
        hasher.update(chain.as_bytes());
        hasher.update(self.payer.account.as_bytes());
        hasher.update(self.payee.account.as_bytes());
        hasher.update(self.id(chain).as_bytes());
        hasher.update(&self.payer_nonce.to_le_bytes());
        ChannelId::from_bytes(*hasher.finalize().as_bytes())
    }

    /// Checks every range that the fields state.
    pub fn validate(&self) -> Result<(), TermsError> {
        if self.payer.account == self.payee.account {
            return Err(TermsError::SelfDeal);
        }
        let rates = &self.rates;
        let ranges: [(
            &'static str,
            u64,
            std::ops::RangeInclusive<u64>,
            &'static str,
        ); 5] = [
            ("gpus", rates.gpus.into(), 1..=1_024, "1 to 1024"),
            ("hold_bps", rates.hold_bps.into(), 0..=10_000, "0 to 10000"),
            (
                "tick_ms",
                rates.tick_ms.into(),
                100..=60_000,
                "100 to 60000",
            ),
            (
                "prepaid_ticks",
                rates.prepaid_ticks.into(),
                1..=30,
                "1 to 30",
            ),
            (
                "delivery_ticks",
                rates.delivery_ticks.into(),
                1..=10_000,
                "1 to 10000",
            ),
        ];
        for (field, value, allowed, range) in ranges {
            if !allowed.contains(&value) {
                return Err(TermsError::Range {
                    field,
                    value,
                    range,
                });
            }
        }
        let deposit = self.deposit;
        match rates.first_tick() {
            Some(tick) if tick <= deposit => Ok(()),
            tick => Err(TermsError::Deposit {
                deposit,
                tick: tick.unwrap_or(crate::amount::SUPPLY_CAP),
            }),
        }
    }
}

/// How long an agreement ran at each rate, in milliseconds, from its opening. Never falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Meter {
    /// At the full rate: running, and bringing outputs back.
    pub running_ms: u64,
    /// At the hold rate: bringing inputs in, and pauses.
    pub hold_ms: u64,
}

impl Meter {
    /// Returns BLAKE3 of the reading, which vouchers carry.
    pub fn hash(&self) -> [u8; 32] {
        *blake3::hash(&wire::encode(self)).as_bytes()
    }
}

impl Rates {
    /// Returns what `meter` costs:
    /// `ceil(price_per_hour * gpus * (running_ms * 10^4 + hold_ms * hold_bps) / (3_600_000 * 10^4))`,
    /// computed once over the whole time and never as a sum of rounded ticks. `None` above `u64`.
    pub fn due(&self, meter: Meter) -> Option<Amount> {
        let weighted_ms = u128::from(meter.running_ms)
            .checked_mul(10_000)?
            .checked_add(u128::from(meter.hold_ms).checked_mul(u128::from(self.hold_bps))?)?;
        let rate =
            u128::from(self.price_per_hour.0.nanocredits()).checked_mul(u128::from(self.gpus))?;
        let due = rate.checked_mul(weighted_ms)?.div_ceil(3_600_000 * 10_000);
        u64::try_from(due).ok().map(Amount::from_nanocredits)
    }

    /// Returns for how many milliseconds more at the full rate `amount` in all covers what `meter` costs;
    /// the inverse of [`Rates::due`], `u64::MAX` where time is free.
    pub fn covered_ms(&self, meter: Meter, amount: Amount) -> u64 {
        let price = u128::from(self.price_per_hour.0.nanocredits());
        let rate = price.saturating_mul(u128::from(self.gpus));
        let scaled = u128::from(amount.nanocredits()).saturating_mul(3_600_000 * 10_000);
        let Some(affordable) = scaled.checked_div(rate) else {
            return u64::MAX;
        };
        let running = u128::from(meter.running_ms).saturating_mul(10_000);
        let held = u128::from(meter.hold_ms).saturating_mul(u128::from(self.hold_bps));
        let used = running.saturating_add(held);
        u64::try_from(affordable.saturating_sub(used) / 10_000).unwrap_or(u64::MAX)
    }

    /// Returns what the channel pays at opening: one tick at the full rate.
    pub fn first_tick(&self) -> Option<Amount> {
        self.due(Meter {
            running_ms: self.tick_ms.into(),
            hold_ms: 0,
        })
    }
}

#[cfg(test)]
mod tests;
