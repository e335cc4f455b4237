//! Owns the endpoints of market data: classes at a glance, depth, candles, trades, cross rates, and the rebuild.
//!
//! Never holds a rule: what stands comes from the book, what was traded from the node's market data, and what follows
//! from both from `matching`.

mod query;
mod rows;

use std::collections::BTreeMap;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use market::gpu::GpuClass;
use market::{HeaderId, Timestamp};
use matching::limit_book::Direction;
use matching::{ClassSummary, Instrument, Tape};

use super::server::{ApiError, ApiResult};
use super::views::{CandlesView, ClassesView, DepthView, RatesView, RebuildView, TradesView};
use crate::book::BookError;
use crate::market_data::MarketDataError;
use crate::node::Node;
use query::{CandlesWanted, ClassWanted, Read, TradesWanted};
pub use query::{ParseCountError, RowCount};

/// What stands in each class.
type Standing = BTreeMap<GpuClass, ClassSummary>;

/// Makes the endpoints.
pub(super) fn router() -> Router<Node> {
    Router::new()
        .route("/v1/market/classes", get(classes))
        .route("/v1/market/depth", get(depth))
        .route("/v1/market/history", get(history))
        .route("/v1/market/trades", get(trades))
        .route("/v1/market/rates", get(rates))
        .route("/v1/market/rebuild", post(rebuild))
}

async fn classes(State(node): State<Node>) -> ApiResult<ClassesView> {
    let standing = standing(&node).await?;
    let time = node.clock.now();
    let read = node.market_data.read(move |seen| {
        let now = moment(time);
        let classes = known_classes(seen.tape, standing).into_iter();
        let classes = classes.map(|class| rows::class_row(seen.tape, class, now));
        ClassesView {
            time,
            height: seen.height,
            classes: classes.collect(),
        }
    });
    read.await.map(Json).map_err(ApiError::failed)
}

async fn depth(State(node): State<Node>, query: Read<ClassWanted>) -> ApiResult<DepthView> {
    let class = query::of(query)?.class()?;
    let time = node.clock.now();
    let read = node.book.read(move |book, now| {
        // Who of one price goes first is drawn, which changes no level: no operator has to be asked for a header.
        let header = HeaderId::from_bytes([0; 32]);
        let instrument = Instrument::of(book, class, &header, now);
        DepthView {
            class,
            time,
            meeting_gpus: rows::meeting_gpus(&instrument),
            bids: rows::level_rows(instrument.levels(Direction::Buy)),
            asks: rows::level_rows(instrument.levels(Direction::Sell)),
        }
    });
    read.await.map(Json).map_err(ApiError::failed)
}

async fn history(State(node): State<Node>, query: Read<CandlesWanted>) -> ApiResult<CandlesView> {
    let (class, interval, count) = query::of(query)?.wanted()?;
    let candles = settled(&node, move |tape| {
        tape.newest_candles(class, interval, count.get())
    });
    Ok(Json(CandlesView {
        class,
        interval,
        candles: candles.await?,
    }))
}

async fn trades(State(node): State<Node>, query: Read<TradesWanted>) -> ApiResult<TradesView> {
    let (class, count) = query::of(query)?.wanted()?;
    let trades = settled(&node, move |tape| {
        let newest = tape.newest(class, count.get()).into_iter();
        newest.map(rows::trade_row).collect()
    });
    let trades = trades.await?;
    Ok(Json(TradesView { trades }))
}

async fn rates(State(node): State<Node>) -> ApiResult<RatesView> {
    let standing = standing(&node).await?;
    let now = moment(node.clock.now());
    let read = node.market_data.read(move |seen| {
        let classes = known_classes(seen.tape, standing);
        rows::rates(seen.tape, classes, now)
    });
    read.await.map(Json).map_err(ApiError::failed)
}

async fn rebuild(State(node): State<Node>) -> ApiResult<RebuildView> {
    let rebuilding = node.market_data.rebuild().await;
    let rebuilding = rebuilding.map_err(ApiError::failed)?;
    Ok(Json(RebuildView {
        height: rebuilding.height,
        trades: u64::try_from(rebuilding.trades).unwrap_or(u64::MAX),
        digest_before: hex::encode(rebuilding.digest_before),
        digest: hex::encode(rebuilding.digest),
    }))
}

/// Returns what stands in each class; nothing does where protocol time is not known.
async fn standing(node: &Node) -> Result<Standing, ApiError> {
    match node.book.classes().await {
        Ok(classes) => Ok(classes.into_iter().collect()),
        Err(BookError::NoTime) => Ok(Standing::new()),
        Err(error @ BookError::Stopped) => Err(ApiError::failed(error)),
    }
}

/// Reads trades that are all up to some block.
async fn settled<T: Send + 'static>(
    node: &Node,
    read: impl FnOnce(&Tape) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let read = node.market_data.read(|seen| seen.settled().map(read));
    let read: Result<T, MarketDataError> = read.await.map_err(ApiError::failed)?;
    read.map_err(ApiError::failed)
}

/// Returns every class with an order or a trade, with what stands in it.
fn known_classes(tape: &Tape, mut standing: Standing) -> Standing {
    for class in tape.classes() {
        standing.entry(class).or_default();
    }
    standing
}

/// Returns from when one looks back. Where protocol time is not known no block is, and so no trade.
fn moment(now: Option<Timestamp>) -> Timestamp {
    now.unwrap_or(Timestamp::from_millis(0))
}

#[cfg(test)]
mod tests;
