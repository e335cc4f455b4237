//! Owns shaping what the book and the tape say into rows.
//!
//! Never decides what an index, a rate or a spread is; `matching` does.

use market::gpu::GpuClass;
use market::{PricePerHour, Timestamp};
use matching::limit_book::PriceLevel;
use matching::{
    ClassIndex, ClassPrice, ClassSummary, INDEX_PAYERS, Instrument, NoPrice, PriceSource, Tape,
    Trade, Volume, cross_rates_ppm,
};

use super::super::views::{
    ClassRow, IndexView, LevelRow, RatePrice, RatesView, TradeRow, VolumeView,
};
use super::Standing;

/// Shapes a class at a glance, as of `now`.
pub(super) fn class_row(
    tape: &Tape,
    (class, summary): (GpuClass, ClassSummary),
    now: Timestamp,
) -> ClassRow {
    ClassRow {
        class,
        best_bid: summary.best_bid,
        best_ask: summary.best_ask,
        mid: summary.mid(),
        spread: summary.spread(),
        last: last(tape, class),
        change_24h_bps: tape.change_24h_bps(class, now),
        index: index_view(tape.index(class, now)),
        volume_24h: volume_view(tape.volume_24h(class, now)),
        asks: summary.asks,
        bids: summary.bids,
        gpus: summary.gpus,
    }
}

fn last(tape: &Tape, class: GpuClass) -> Option<PricePerHour> {
    tape.last(class).map(|trade| trade.price)
}

fn index_view(index: Result<ClassIndex, NoPrice>) -> IndexView {
    let (price, payers) = match index {
        Ok(index) => (Some(index.price), index.payers),
        Err(NoPrice::TooFewPayers { payers }) => (None, payers),
    };
    IndexView {
        price,
        payers,
        payers_needed: INDEX_PAYERS,
    }
}

fn volume_view(volume: Volume) -> VolumeView {
    VolumeView {
        paid: volume.paid,
        gpu_ms: volume.gpu_ms,
        trades: volume.trades,
    }
}

/// Shapes the levels of one side, which come best first.
pub(super) fn level_rows(levels: impl Iterator<Item = PriceLevel>) -> Vec<LevelRow> {
    let mut cumulative_gpus = 0_u32;
    let row = |level: PriceLevel| {
        let gpus = u32::try_from(level.quantity).unwrap_or(u32::MAX);
        cumulative_gpus = cumulative_gpus.saturating_add(gpus);
        LevelRow {
            price: level.price,
            gpus,
            orders: level.orders,
            cumulative_gpus,
        }
    };
    levels.map(row).collect()
}

/// Sums up the GPUs of orders that meet.
pub(super) fn meeting_gpus(instrument: &Instrument) -> u32 {
    let meetings = instrument.meetings().iter();
    meetings.fold(0, |sum: u32, met| sum.saturating_add(met.gpus))
}

/// Shapes one settled channel.
pub(super) fn trade_row(trade: &Trade) -> TradeRow {
    TradeRow {
        channel: trade.channel,
        class: trade.class,
        price: trade.price,
        gpus: trade.gpus,
        paid: trade.paid,
        gpu_ms: trade.gpu_ms(),
        payer: trade.payer,
        payee: trade.payee,
        height: trade.place.height,
        settled_at: trade.settled_at,
    }
}

/// Shapes the cross rates of all classes that have a price as of `now`.
pub(super) fn rates(tape: &Tape, standing: Standing, now: Timestamp) -> RatesView {
    let priced = standing.into_iter().filter_map(|(class, summary)| {
        let index = tape.index(class, now).ok().map(|index| index.price);
        let best = ClassPrice::best([
            (PriceSource::Index, index),
            (PriceSource::Mid, summary.mid()),
            (PriceSource::Last, last(tape, class)),
        ]);
        best.map(|best| (class, best))
    });
    let (classes, best): (Vec<GpuClass>, Vec<ClassPrice>) = priced.unzip();
    let prices: Vec<PricePerHour> = best.iter().map(|best| best.price).collect();
    let shape = |best: ClassPrice| RatePrice {
        price: best.price,
        source: best.source,
    };
    RatesView {
        classes,
        prices: best.into_iter().map(shape).collect(),
        rates_ppm: cross_rates_ppm(&prices),
    }
}
