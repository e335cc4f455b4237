//! Owns the tape: the newest settled trades of a market, and what follows from them.
//!
//! Never takes a trade from anywhere but the ledger, and never depends on the order in which trades were recorded:
//! whatever is dropped because the tape is full would be dropped in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, Range};

use market::gpu::GpuClass;
use market::{AccountId, Amount, ChannelId, PricePerHour, Timestamp, wire};

use crate::candle::{Candle, Interval};
use crate::class_index::{ClassIndex, NoPrice, class_index};
use crate::trade::{Trade, TradePlace, Volume};

/// What the digest of a tape covers first.
const DIGEST_DOMAIN: &[u8] = b"nightshift/tape/1\0";

/// 1/10^4 in one.
const BASIS_POINTS: i128 = 10_000;

/// How much a tape keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapeCapacity {
    /// The most trades of one class.
    pub per_class: usize,
    /// The most trades of all classes together, some 200 bytes each.
    pub total: usize,
}

impl Default for TapeCapacity {
    /// The newest hundred thousand trades of each class, and a quarter of a million of all together: 50 MB.
    fn default() -> Self {
        Self {
            per_class: 100_000,
            total: 250_000,
        }
    }
}

/// The settled trades of a market, newest kept: a bounded window that the ledger can rebuild.
///
/// It holds the newest [`TapeCapacity::total`] among the newest [`TapeCapacity::per_class`] of each class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tape {
    capacity: TapeCapacity,
    classes: BTreeMap<GpuClass, BTreeSet<Trade>>,
    length: usize,
}

impl Tape {
    /// Makes an empty tape.
    pub fn new(capacity: TapeCapacity) -> Self {
        Self {
            capacity,
            ..Self::default()
        }
    }

    /// Records a settled channel; one that paid nothing is no trade. Recording twice changes nothing.
    pub fn record(&mut self, trade: Trade) {
        if !trade.counts() {
            return;
        }
        let class = self.classes.entry(trade.class).or_default();
        if !class.insert(trade) {
            return;
        }
        if class.len() > self.capacity.per_class {
            class.pop_first();
        } else {
            self.length = self.length.saturating_add(1);
        }
        if self.length > self.capacity.total {
            self.drop_oldest();
        }
        if self
            .classes
            .get(&trade.class)
            .is_some_and(BTreeSet::is_empty)
        {
            self.classes.remove(&trade.class);
        }
    }

    fn drop_oldest(&mut self) {
        let firsts = self.classes.iter();
        let oldest = firsts.filter_map(|(class, trades)| Some((trades.first()?, *class)));
        let Some((_, class)) = oldest.min() else {
            return;
        };
        if let Some(trades) = self.classes.get_mut(&class) {
            trades.pop_first();
            self.length = self.length.saturating_sub(1);
            if trades.is_empty() {
                self.classes.remove(&class);
            }
        }
    }

    /// Returns how many trades it holds.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Tells whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Returns the classes that traded, slowest first.
    pub fn classes(&self) -> impl Iterator<Item = GpuClass> {
        self.classes.keys().copied()
    }

    /// Returns every trade, class by class, oldest first within a class.
    pub fn iter(&self) -> impl Iterator<Item = &Trade> {
        self.classes.values().flatten()
    }

    /// Returns the newest trade of a class.
    pub fn last(&self, class: GpuClass) -> Option<&Trade> {
        self.classes.get(&class)?.last()
    }

    /// Returns the newest `count` trades, of one class or of all, newest first.
    pub fn newest(&self, class: Option<GpuClass>, count: usize) -> Vec<&Trade> {
        let classes = self.classes.iter();
        let wanted = classes.filter(|(each, _)| class.is_none_or(|class| class == **each));
        let newest = wanted.flat_map(|(_, trades)| trades.iter().rev().take(count));
        let mut newest: Vec<&Trade> = newest.collect();
        newest.sort_unstable_by(|left, right| right.cmp(left));
        newest.truncate(count);
        newest
    }

    /// Returns the trades of a class within `times`, oldest first.
    pub fn trades(
        &self,
        class: GpuClass,
        times: Range<Timestamp>,
    ) -> impl DoubleEndedIterator<Item = &Trade> {
        let end = times.end.max(times.start);
        let keys = (
            Bound::Included(before_all(class, times.start)),
            Bound::Excluded(before_all(class, end)),
        );
        let trades = self.classes.get(&class).into_iter();
        trades.flat_map(move |trades| trades.range(keys))
    }

    /// Returns the candles of a class from the trades within `times`, oldest first.
    pub fn candles(
        &self,
        class: GpuClass,
        interval: Interval,
        times: Range<Timestamp>,
    ) -> Vec<Candle> {
        Candle::of(interval, self.trades(class, times))
    }

    /// Returns the newest `count` candles of a class, oldest first. The oldest is whole as far as the tape reaches.
    pub fn newest_candles(&self, class: GpuClass, interval: Interval, count: usize) -> Vec<Candle> {
        let Some(trades) = self.classes.get(&class) else {
            return Vec::new();
        };
        let (mut start, mut found) = (None, 0_usize);
        for trade in trades.iter().rev() {
            let begins = interval.start_of(trade.settled_at);
            if start != Some(begins) {
                if found == count {
                    break;
                }
                found = found.saturating_add(1);
                start = Some(begins);
            }
        }
        let Some(start) = start.filter(|_| count > 0) else {
            return Vec::new();
        };
        Candle::of(interval, trades.range(before_all(class, start)..))
    }

    /// Returns what was traded in the 24 hours that end with `now`.
    pub fn volume_24h(&self, class: GpuClass, now: Timestamp) -> Volume {
        let mut volume = Volume::default();
        for trade in self.trades(class, up_to(now, Interval::Day)) {
            volume.add(trade);
        }
        volume
    }

    /// Returns the last price up to `now` against the last one of 24 hours before, `(last - before) / before` in
    /// 1/10^4, rounded towards zero; `None` where either is missing. Saturates.
    pub fn change_24h_bps(&self, class: GpuClass, now: Timestamp) -> Option<i64> {
        let day = up_to(now, Interval::Day);
        let start = Timestamp::from_millis(0);
        let last = self.trades(class, start..day.end).next_back()?;
        let before = self.trades(class, start..day.start).next_back()?;
        let price = |trade: &Trade| i128::from(trade.price.0.nanocredits());
        let (last, before) = (price(last), price(before));
        let change = last.saturating_sub(before).saturating_mul(BASIS_POINTS);
        let change = change.checked_div(before)?;
        // A fall is at most the whole: only a rise can be too much.
        Some(i64::try_from(change).unwrap_or(i64::MAX))
    }

    /// Returns the class index as of `now`, from the trades of the hour that ends with it; see [`ClassIndex`].
    ///
    /// # Errors
    /// The rules give no price, and why.
    pub fn index(&self, class: GpuClass, now: Timestamp) -> Result<ClassIndex, NoPrice> {
        class_index(self.trades(class, up_to(now, Interval::Hour)))
    }

    /// Returns BLAKE3 of `nightshift/tape/1`, a zero byte and the wire form of every trade in the order of
    /// [`Tape::iter`]: equal for two tapes that hold the same trades, in whatever order they were recorded.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(DIGEST_DOMAIN);
        for trade in self.iter() {
            hasher.update(&wire::encode(trade));
        }
        *hasher.finalize().as_bytes()
    }
}

/// Returns the span of `length` that ends with `now`: up to and with it, without its other end.
fn up_to(now: Timestamp, length: Interval) -> Range<Timestamp> {
    let after = now.as_millis().saturating_add(1);
    let start = after.saturating_sub(length.millis());
    Timestamp::from_millis(start)..Timestamp::from_millis(after)
}

/// Returns what orders before every trade of a class at `time` or later, and after every earlier one.
fn before_all(class: GpuClass, time: Timestamp) -> Trade {
    const NOBODY: AccountId = AccountId::from_bytes([0; 32]);
    Trade {
        settled_at: time,
        place: TradePlace::default(),
        channel: ChannelId::from_bytes([0; 32]),
        class,
        price: PricePerHour(Amount::ZERO),
        gpus: 0,
        paid: Amount::ZERO,
        payer: NOBODY,
        payee: NOBODY,
    }
}

#[cfg(test)]
mod tests;
