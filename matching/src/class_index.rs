//! Owns the class index: what an hour of a class costs by the trades of the last hour, such that nobody who trades
//! with himself can move it far.
//!
//! Never uses a float, and never gives a price where too few have paid one.

use std::collections::{BTreeMap, BTreeSet};

use market::share_cap::share_cap;
use market::{AccountId, PricePerHour};

use crate::trade::Trade;

/// Distinct payers below which there is no price.
pub const INDEX_PAYERS: u32 = 5;

/// A pair weighs at most one part in this many of the total.
pub const PAIR_PARTS: usize = 10;

/// The most that one trade weighs, 2^40 GPU-milliseconds: 34 GPU-years. No sum over a tape overflows with it.
const MAX_TRADE_MS: u64 = 1 << 40;

/// Units of weight in a GPU-millisecond, so that what is cut from a pair is shared among its trades exactly.
const UNITS_PER_MS: u128 = 1 << 12;

/// The price of a class by its trades of the last hour.
///
/// **The price** is the volume-weighted median: the lowest price at which, with all lower ones, at least half of the
/// weight was traded. A trade weighs the GPU time that it paid for, in GPU-milliseconds, at most 2^40.
///
/// **The cap.** Trades are summed by pair: the two accounts, whichever of them paid, so that trading to and fro is
/// one pair. With `n` pairs of the weights `w`, each counts `min(w, c)`, where `c` is the largest cap for which no pair
/// has more than `1/min(10, n)` of what then counts:
///
/// ```text
/// c * min(10, n) <= min(w1, c) + ... + min(wn, c)
/// ```
///
/// A tenth of what was traded *before* capping would bound nothing: whoever trades a thousand times the others'
/// volume raises his own cap with it and still outweighs them a hundredfold. Hence the fixed point, which is what
/// cutting every pair to a tenth of the sum again and again comes to. There are weights that satisfy it only from
/// ten pairs on; with fewer, the least that the heaviest pair can weigh is `1/n`, which is when all weigh the same, and
/// that is what the formula gives then (`c` is the lightest pair). So five payers make five equal voices, and with
/// ten pairs nobody has more than one in ten. What is cut from a pair is cut from each of its trades in proportion.
///
/// **What an attack buys.** A pair with a share `s` of the weight at any price moves the median no further than to
/// where the others' own weight reaches `(1/2 - s) / (1 - s)` or `(1/2) / (1 - s)` of their sum: with a tenth, to
/// between their ninths four and five. More than that takes more accounts that trade with each other, each of which pays
/// the ledger's fees on all it trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassIndex {
    /// The price of one GPU for an hour.
    pub price: PricePerHour,
    /// Distinct payers whose trades weigh something.
    pub payers: u32,
}

/// Why a class has no index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPrice {
    /// Too few have paid.
    #[error("{payers} of {INDEX_PAYERS} payers in the last hour")]
    TooFewPayers {
        /// Distinct payers whose trades weigh something, below [`INDEX_PAYERS`].
        payers: u32,
    },
}

/// Two accounts that trade with each other, the lower one first.
type Pair = (AccountId, AccountId);

/// Weight at each price, cheapest first.
type Ladder = BTreeMap<PricePerHour, u128>;

/// Returns the index that these trades of one class make.
pub(crate) fn class_index<'a>(
    trades: impl Iterator<Item = &'a Trade>,
) -> Result<ClassIndex, NoPrice> {
    let mut payers = BTreeSet::new();
    let mut pairs: BTreeMap<Pair, Ladder> = BTreeMap::new();
    for trade in trades {
        let weight = weight(trade);
        if weight == 0 {
            continue;
        }
        payers.insert(trade.payer);
        add(pairs.entry(pair(trade)).or_default(), trade.price, weight);
    }
    let payers = u32::try_from(payers.len()).unwrap_or(u32::MAX);
    let too_few = NoPrice::TooFewPayers { payers };
    if payers < INDEX_PAYERS {
        return Err(too_few);
    }
    let cap = share_cap(pairs.values().map(sum).collect(), PAIR_PARTS);
    let mut capped = Ladder::new();
    for ladder in pairs.values() {
        add_capped(&mut capped, ladder, cap);
    }
    let price = median(&capped).ok_or(too_few)?;
    Ok(ClassIndex { price, payers })
}

fn weight(trade: &Trade) -> u128 {
    u128::from(trade.gpu_ms().min(MAX_TRADE_MS)).saturating_mul(UNITS_PER_MS)
}

fn pair(trade: &Trade) -> Pair {
    let (one, other) = (trade.payer, trade.payee);
    (one.min(other), one.max(other))
}

fn add(ladder: &mut Ladder, price: PricePerHour, weight: u128) {
    let step = ladder.entry(price).or_default();
    *step = step.saturating_add(weight);
}

fn sum(ladder: &Ladder) -> u128 {
    ladder
        .values()
        .fold(0, |sum, weight| sum.saturating_add(*weight))
}

/// Adds a pair's weights to `total`, cut in proportion so that they come to `cap` together where they are more.
fn add_capped(total: &mut Ladder, ladder: &Ladder, cap: u128) {
    let whole = sum(ladder);
    let (mut reached, mut given) = (0_u128, 0_u128);
    for (price, weight) in ladder {
        reached = reached.saturating_add(*weight);
        // What all steps up to this one come to is rounded, and not each step, so that nothing is lost.
        let due = match whole <= cap {
            true => reached,
            false => reached.saturating_mul(cap).checked_div(whole).unwrap_or(0),
        };
        add(total, *price, due.saturating_sub(given));
        given = due;
    }
}

/// Returns the lowest price up to which at least half of the weight lies; `None` without weight.
fn median(ladder: &Ladder) -> Option<PricePerHour> {
    let total = sum(ladder);
    let mut reached = 0_u128;
    let half = ladder.iter().find(|(_, weight)| {
        reached = reached.saturating_add(**weight);
        reached > 0 && reached.saturating_mul(2) >= total
    });
    half.map(|(price, _)| *price)
}

#[cfg(test)]
mod tests;
