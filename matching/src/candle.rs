//! Owns what past trades say: candles, the last price, volume. All of it follows from settled channels.
//!
//! Never takes a trade from anywhere but the ledger, and never depends on the order in which trades
//! were recorded.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use market::gpu::GpuClass;
use market::{Amount, ChannelId, PricePerHour, Timestamp};
use serde::{Deserialize, Serialize};

/// One settled channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// The channel.
    pub channel: ChannelId,
    /// The class that was sold.
    pub class: GpuClass,
    /// The price that was agreed.
    pub price: PricePerHour,
    /// What the channel paid.
    pub paid: Amount,
    /// The time of the block that settled it.
    pub settled_at: Timestamp,
}

impl Trade {
    /// Returns what was paid for, in GPU-milliseconds: `paid * 3_600_000 / price`, rounded down;
    /// 0 for a price of 0. Saturates.
    pub fn gpu_ms(&self) -> u64 {
        let paid = u128::from(self.paid.nanocredits()) * 3_600_000;
        let price = u128::from(self.price.0.nanocredits());
        u64::try_from(paid.checked_div(price).unwrap_or(0)).unwrap_or(u64::MAX)
    }
}

/// How much time a candle spans; candles start at whole multiples of it since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interval {
    /// One minute.
    #[serde(rename = "1m")]
    Minute,
    /// One hour.
    #[serde(rename = "1h")]
    Hour,
    /// One day.
    #[serde(rename = "1d")]
    Day,
}

impl Interval {
    /// Returns the span.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        })
    }

    fn start_of(self, at: Timestamp) -> Timestamp {
        let span = self.duration().as_secs() * 1_000;
        Timestamp::from_millis(at.as_millis() / span * span)
    }
}

/// The trades of one class in one span of time; spans without trades have no candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candle {
    /// Where the span begins.
    pub start: Timestamp,
    /// The first price.
    pub open: PricePerHour,
    /// The highest price.
    pub high: PricePerHour,
    /// The lowest price.
    pub low: PricePerHour,
    /// The last price.
    pub close: PricePerHour,
    /// What was traded.
    pub volume: Volume,
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
    fn add(&mut self, trade: &Trade) {
        let most = Amount::from_nanocredits(u64::MAX);
        self.paid = self.paid.checked_add(trade.paid).unwrap_or(most);
        self.gpu_ms = self.gpu_ms.saturating_add(trade.gpu_ms());
        self.trades = self.trades.saturating_add(1);
    }
}

/// The trades of one class, oldest first; equal times are told apart by channel.
type ClassTape = BTreeMap<(Timestamp, ChannelId), Trade>;

/// The settled trades of a market, newest kept: a bounded window that the ledger can rebuild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tape {
    trades_per_class: usize,
    classes: BTreeMap<GpuClass, ClassTape>,
}

impl Default for Tape {
    /// Keeps the newest hundred thousand trades of each class.
    fn default() -> Self {
        Self::new(100_000)
    }
}

impl Tape {
    /// Makes an empty tape that keeps the newest `trades_per_class` trades of each class.
    pub fn new(trades_per_class: usize) -> Self {
        Self {
            trades_per_class,
            classes: BTreeMap::new(),
        }
    }

    /// Records a settled channel; one that paid nothing is no trade. Recording twice changes nothing.
    pub fn record(&mut self, trade: Trade) {
        if trade.paid == Amount::ZERO || trade.price.0 == Amount::ZERO {
            return;
        }
        let tape = self.classes.entry(trade.class).or_default();
        tape.insert((trade.settled_at, trade.channel), trade);
        if tape.len() > self.trades_per_class {
            tape.pop_first();
        }
    }

    /// Returns the classes that ever traded, slowest first.
    pub fn classes(&self) -> impl Iterator<Item = GpuClass> {
        self.classes.keys().copied()
    }

    /// Returns the newest trade of a class.
    pub fn last(&self, class: GpuClass) -> Option<&Trade> {
        let (_, trade) = self.classes.get(&class)?.last_key_value()?;
        Some(trade)
    }

    /// Returns the trades of a class within `times`, oldest first.
    pub fn trades(
        &self,
        class: GpuClass,
        times: Range<Timestamp>,
    ) -> impl DoubleEndedIterator<Item = &Trade> {
        const FIRST: ChannelId = ChannelId::from_bytes([0; 32]);
        let end = times.end.max(times.start);
        let tape = self.classes.get(&class).into_iter();
        let keys = (times.start, FIRST)..(end, FIRST);
        tape.flat_map(move |tape| tape.range(keys.clone()).map(|(_, trade)| trade))
    }

    /// Returns the candles of a class from the trades within `times`, oldest first.
    pub fn candles(
        &self,
        class: GpuClass,
        interval: Interval,
        times: Range<Timestamp>,
    ) -> Vec<Candle> {
        let mut candles: Vec<Candle> = Vec::new();
        for trade in self.trades(class, times) {
            let start = interval.start_of(trade.settled_at);
            match candles.last_mut() {
                Some(candle) if candle.start == start => candle.extend(trade),
                _ => candles.push(Candle::open(start, trade)),
            }
        }
        candles
    }

    /// Returns what was traded in the 24 hours that end with `now`.
    pub fn volume_24h(&self, class: GpuClass, now: Timestamp) -> Volume {
        let day = Interval::Day.duration().as_secs() * 1_000;
        let after = now.as_millis().saturating_add(1);
        let times =
            Timestamp::from_millis(after.saturating_sub(day))..Timestamp::from_millis(after);
        let mut volume = Volume::default();
        for trade in self.trades(class, times) {
            volume.add(trade);
        }
        volume
    }
}

impl Candle {
    fn open(start: Timestamp, first: &Trade) -> Self {
        let mut volume = Volume::default();
        volume.add(first);
        Self {
            start,
            open: first.price,
            high: first.price,
            low: first.price,
            close: first.price,
            volume,
        }
    }

    fn extend(&mut self, next: &Trade) {
        self.high = self.high.max(next.price);
        self.low = self.low.min(next.price);
        self.close = next.price;
        self.volume.add(next);
    }
}

#[cfg(test)]
mod tests;
