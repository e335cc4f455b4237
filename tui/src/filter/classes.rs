//! Owns the fields by which classes are filtered and sorted.
//!
//! Never computes: a field is what the row says, in the field's smallest unit.

use market::PricePerHour;
use market_node::api::ClassRow;

use super::field::Field;
use super::units::{COUNT, CREDITS, GPU_TIME, PERCENT, PRICE, TIER};
use super::value::{Kind, Value};

fn price(price: Option<PricePerHour>) -> Value {
    Value::number(price.map(|price| price.0.nanocredits()))
}

/// The fields of a class.
#[rustfmt::skip]
pub(crate) static CLASS_FIELDS: [Field<ClassRow>; 15] = [
    Field::new(("class", &[]), Kind::Class, "class", |row| Value::Class(row.class)),
    Field::new(("tier", &[]), Kind::Number(&TIER), "memory tier of the class", |row| Value::Number(row.class.tier().gib().into())),
    Field::new(("bid", &[]), Kind::Number(&PRICE), "highest price bid", |row| price(row.best_bid)),
    Field::new(("ask", &["price"]), Kind::Number(&PRICE), "lowest price asked", |row| price(row.best_ask)),
    Field::new(("mid", &[]), Kind::Number(&PRICE), "half-way between bid and ask", |row| price(row.mid)),
    Field::new(("spread", &[]), Kind::Number(&PRICE), "ask less bid", |row| price(row.spread)),
    Field::new(("last", &[]), Kind::Number(&PRICE), "price of the newest trade", |row| price(row.last)),
    Field::new(("change", &["24h"]), Kind::Number(&PERCENT), "last price against that of 24 hours ago", |row| Value::number(row.change_24h_bps)),
    Field::new(("paid", &["volume"]), Kind::Number(&CREDITS), "what was paid in the last 24 hours", |row| Value::Number(row.volume_24h.paid.nanocredits().into())),
    Field::new(("time", &[]), Kind::Number(&GPU_TIME), "GPU time paid for in the last 24 hours", |row| Value::Number(row.volume_24h.gpu_ms.into())),
    Field::new(("bids", &[]), Kind::Number(&COUNT), "bids that stand", |row| Value::Number(row.bids.into())),
    Field::new(("asks", &[]), Kind::Number(&COUNT), "asks that stand", |row| Value::Number(row.asks.into())),
    Field::new(("gpus", &[]), Kind::Number(&COUNT), "GPUs for sale", |row| Value::Number(row.gpus.into())),
    Field::new(("index", &[]), Kind::Number(&PRICE), "class index", |row| price(row.index.price)),
    Field::new(("payers", &[]), Kind::Number(&COUNT), "payers in the last hour", |row| Value::Number(row.index.payers.into())),
];
