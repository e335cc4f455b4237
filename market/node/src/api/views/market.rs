//! Owns the JSON of market data: classes at a glance, depth, candles, trades and cross rates.
//!
//! Never computes anything. What stands comes from the book, what was traded from settled channels alone.

use market::gpu::GpuClass;
use market::{AccountId, Amount, ChannelId, PricePerHour, Timestamp};
use matching::{Candle, Interval, PriceSource};
use serde::{Deserialize, Serialize};

/// `GET /v1/market/classes`: every class with an order or a trade, slowest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassesView {
    /// Protocol time of the view.
    pub time: Option<Timestamp>,
    /// The newest block whose settled channels are counted; `None` where no operator has answered yet.
    pub height: Option<u64>,
    /// One row a class.
    pub classes: Vec<ClassRow>,
}

/// A class at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassRow {
    /// The class.
    pub class: GpuClass,
    /// The highest price bid.
    pub best_bid: Option<PricePerHour>,
    /// The lowest price asked.
    pub best_ask: Option<PricePerHour>,
    /// Half-way between best bid and best ask, rounded down; `None` where one side is empty.
    pub mid: Option<PricePerHour>,
    /// Best ask less best bid; `None` where one side is empty or the indicative book is crossed.
    pub spread: Option<PricePerHour>,
    /// The price of the newest trade.
    pub last: Option<PricePerHour>,
    /// The last price against the last one of 24 hours ago, in 1/10^4; `None` where either is missing.
    pub change_24h_bps: Option<i64>,
    /// The class index.
    pub index: IndexView,
    /// What was traded in the last 24 hours.
    pub volume_24h: VolumeView,
    /// Asks that stand.
    pub asks: u32,
    /// Bids that stand.
    pub bids: u32,
    /// GPUs that are asked for sale.
    pub gpus: u32,
}

/// The class index, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexView {
    /// The price; `None` where the rules give none.
    pub price: Option<PricePerHour>,
    /// Payers with a settled channel in the last hour.
    pub payers: u32,
    /// Payers that the rules ask for.
    pub payers_needed: u32,
}

/// How much was traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VolumeView {
    /// What was paid.
    pub paid: Amount,
    /// GPU time that was paid for, in milliseconds.
    pub gpu_ms: u64,
    /// Channels that settled.
    pub trades: u32,
}

/// `GET /v1/market/depth?class=C`: the price levels of a class, best first on both sides, without the orders that meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepthView {
    /// The class.
    pub class: GpuClass,
    /// Protocol time of the view.
    pub time: Option<Timestamp>,
    /// GPUs of orders that meet: they are about to trade, and stand in neither side.
    pub meeting_gpus: u32,
    /// Offers to buy, dearest first.
    pub bids: Vec<LevelRow>,
    /// Offers to sell, cheapest first.
    pub asks: Vec<LevelRow>,
}

/// All orders of one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelRow {
    /// The price of one GPU for an hour.
    pub price: PricePerHour,
    /// GPUs at this price.
    pub gpus: u32,
    /// Orders at this price.
    pub orders: u32,
    /// GPUs at this price and at every better one of its side.
    pub cumulative_gpus: u32,
}

/// `GET /v1/market/history?class=C&interval=1h&count=N`: the newest candles of a class, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandlesView {
    /// The class.
    pub class: GpuClass,
    /// What one candle spans.
    pub interval: Interval,
    /// Candles; spans without a trade have none.
    pub candles: Vec<Candle>,
}

/// `GET /v1/market/trades?class=C&count=N`: the newest settled channels, newest first; of all classes without `class`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradesView {
    /// One row a channel that settled and paid something.
    pub trades: Vec<TradeRow>,
}

/// One settled channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradeRow {
    /// The channel.
    pub channel: ChannelId,
    /// The class that was sold.
    pub class: GpuClass,
    /// The price that was agreed.
    pub price: PricePerHour,
    /// How many GPUs.
    pub gpus: u16,
    /// What was paid, the fee included.
    pub paid: Amount,
    /// GPU time that was paid for, in milliseconds.
    pub gpu_ms: u64,
    /// Who paid.
    pub payer: AccountId,
    /// Who was paid.
    pub payee: AccountId,
    /// The block that settled it.
    pub height: u64,
    /// The time of that block.
    pub settled_at: Timestamp,
}

/// `GET /v1/market/rates`: what one hour of a class is worth in hours of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RatesView {
    /// The classes with a price, slowest first.
    pub classes: Vec<GpuClass>,
    /// The price of each, in the same order, and where it comes from.
    pub prices: Vec<RatePrice>,
    /// Row by row: hours of the column's class for one hour of the row's class, in 1/10^6, rounded down.
    pub rates_ppm: Vec<Vec<u64>>,
}

/// A price that cross rates are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RatePrice {
    /// The price.
    pub price: PricePerHour,
    /// Where it comes from: the best that there is.
    pub source: PriceSource,
}

/// `POST /v1/market/rebuild`: market data thrown away and made again from the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebuildView {
    /// The newest block that was read.
    pub height: u64,
    /// Trades that the rebuilt data holds.
    pub trades: u64,
    /// BLAKE3 of the data as it was before, in hex.
    pub digest_before: String,
    /// BLAKE3 of the rebuilt data, in hex; equal to the one before unless that was wrong.
    pub digest: String,
}
