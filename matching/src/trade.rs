//! Owns the trade: one settled channel, as market data counts it, and how much was traded.
//!
//! Never makes a trade of anything but a channel that the ledger closed, and never proves one: what a channel's proof
//! cannot say, which is when it settled, is the word of whoever told it.

use std::fmt;

use market::gpu::GpuClass;
use market::ledger::{Block, ChannelRecord, ChannelState};
use market::{AccountId, Amount, ChannelId, PricePerHour, Timestamp};
use serde::{Deserialize, Serialize};

/// GPU-milliseconds in a GPU-hour.
const MS_PER_HOUR: u128 = 3_600_000;

/// Where a trade stands in the ledger: orders all trades as they settled.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct TradePlace {
    /// Height of the block that settled it.
    pub height: u64,
    /// Its place among all of the block's receipts, from 0.
    pub index: u32,
}

impl fmt::Display for TradePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.height, self.index)
    }
}

/// One settled channel.
///
/// Trades order by time, then by place; what follows tells apart only trades that contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Trade {
    /// The time of the block that settled it.
    pub settled_at: Timestamp,
    /// Where it stands in the ledger.
    pub place: TradePlace,
    /// The channel.
    pub channel: ChannelId,
    /// The class that was sold.
    pub class: GpuClass,
    /// The price that was agreed.
    pub price: PricePerHour,
    /// How many GPUs.
    pub gpus: u16,
    /// What the channel paid, the fee included.
    pub paid: Amount,
    /// The account that paid.
    pub payer: AccountId,
    /// The account that was paid.
    pub payee: AccountId,
}

/// The first thing in which a trade is not what the ledger says of its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misstated {
    /// The record is of another channel.
    #[error("it is proved for another channel, {0}")]
    Channel(ChannelId),
    /// The channel is not closed.
    #[error("the channel has not settled")]
    NotClosed,
    /// What was paid.
    #[error("the channel paid {0}")]
    Paid(Amount),
    /// The class.
    #[error("the channel sold {0}")]
    Class(GpuClass),
    /// The price.
    #[error("the channel's price is {0}")]
    Price(PricePerHour),
    /// The number of GPUs.
    #[error("the channel's GPUs are {0} in number")]
    Gpus(u16),
    /// Who paid.
    #[error("the channel's payer is {0}")]
    Payer(AccountId),
    /// Who was paid.
    #[error("the channel's payee is {0}")]
    Payee(AccountId),
}

impl Trade {
    /// Returns the trade that a channel's final record is; `None` where the channel is not closed or paid nothing, or
    /// where it cost nothing.
    pub fn of(channel: &ChannelRecord, place: TradePlace, settled_at: Timestamp) -> Option<Self> {
        let trade = Self {
            settled_at,
            place,
            channel: channel.id,
            class: channel.class,
            price: channel.price_per_hour,
            gpus: channel.gpus,
            paid: channel.claimed,
            payer: channel.payer.account,
            payee: channel.payee.account,
        };
        (channel.state == ChannelState::Closed && trade.counts()).then_some(trade)
    }

    /// Returns the trades that a block settled, in its order.
    pub fn in_block(block: &Block) -> impl Iterator<Item = Self> + '_ {
        let header = &block.header;
        (0..).zip(&block.receipts).filter_map(|(index, receipt)| {
            let place = TradePlace {
                height: header.height,
                index,
            };
            Self::of(receipt.settled()?, place, header.time)
        })
    }

    /// Tells whether it is a trade at all: something was paid, at a price.
    pub fn counts(&self) -> bool {
        self.paid != Amount::ZERO && self.price.0 != Amount::ZERO
    }

    /// Checks the trade against the record of its channel, for example a proved one. Time and place are not in a
    /// record, and are not checked.
    ///
    /// # Errors
    /// The first thing that differs, with what the record says.
    pub fn check(&self, record: &ChannelRecord) -> Result<(), Misstated> {
        let facts = [
            (self.channel == record.id, Misstated::Channel(record.id)),
            (record.state == ChannelState::Closed, Misstated::NotClosed),
            (self.paid == record.claimed, Misstated::Paid(record.claimed)),
            (self.class == record.class, Misstated::Class(record.class)),
            (
                self.price == record.price_per_hour,
                Misstated::Price(record.price_per_hour),
            ),
            (self.gpus == record.gpus, Misstated::Gpus(record.gpus)),
            (
                self.payer == record.payer.account,
                Misstated::Payer(record.payer.account),
            ),
            (
                self.payee == record.payee.account,
                Misstated::Payee(record.payee.account),
            ),
        ];
        match facts.into_iter().find(|(agrees, _)| !agrees) {
            Some((_, misstated)) => Err(misstated),
            None => Ok(()),
        }
    }

    /// Returns what was paid for, in GPU-milliseconds: `paid * 3_600_000 / price`, rounded down;
    /// 0 for a price of 0. Saturates.
    pub fn gpu_ms(&self) -> u64 {
        let paid = u128::from(self.paid.nanocredits()).saturating_mul(MS_PER_HOUR);
        let price = u128::from(self.price.0.nanocredits());
        u64::try_from(paid.checked_div(price).unwrap_or(0)).unwrap_or(u64::MAX)
    }
}

/// How much was traded. Sums saturate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Volume {
    /// What was paid.
    pub paid: Amount,
    /// GPU time that was paid for, in milliseconds.
    pub gpu_ms: u64,
    /// Channels that settled.
    pub trades: u32,
}

impl Volume {
    /// Adds a trade.
    pub(crate) fn add(&mut self, trade: &Trade) {
        let most = Amount::from_nanocredits(u64::MAX);
        self.paid = self.paid.checked_add(trade.paid).unwrap_or(most);
        self.gpu_ms = self.gpu_ms.saturating_add(trade.gpu_ms());
        self.trades = self.trades.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;
