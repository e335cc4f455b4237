//! Owns the fields by which trades are filtered and sorted.
//!
//! Never computes: a field is what the row says, in the field's smallest unit.

use market_node::api::TradeRow;

use super::field::Field;
use super::units::{COUNT, CREDITS, GPU_TIME, PRICE, TIER};
use super::value::{Kind, Value};

/// The fields of a trade.
#[rustfmt::skip]
pub(crate) static TRADE_FIELDS: [Field<TradeRow>; 10] = [
    Field::new(("class", &[]), Kind::Class, "class that was sold", |row| Value::Class(row.class)),
    Field::new(("tier", &[]), Kind::Number(&TIER), "memory tier of the class", |row| Value::Number(row.class.tier().gib().into())),
    Field::new(("price", &[]), Kind::Number(&PRICE), "price of one GPU for an hour", |row| Value::Number(row.price.0.nanocredits().into())),
    Field::new(("gpus", &["count"]), Kind::Number(&COUNT), "GPUs that were sold", |row| Value::Number(row.gpus.into())),
    Field::new(("time", &[]), Kind::Number(&GPU_TIME), "GPU time that was paid for", |row| Value::Number(row.gpu_ms.into())),
    Field::new(("paid", &[]), Kind::Number(&CREDITS), "what was paid", |row| Value::Number(row.paid.nanocredits().into())),
    Field::new(("payer", &["buyer"]), Kind::Id, "the account that paid", |row| Value::Id(row.payer.to_string())),
    Field::new(("payee", &["seller"]), Kind::Id, "the account that was paid", |row| Value::Id(row.payee.to_string())),
    Field::new(("block", &["height"]), Kind::Number(&COUNT), "the block that settled it", |row| Value::Number(row.height.into())),
    Field::new(("channel", &[]), Kind::Id, "the channel", |row| Value::Id(row.channel.to_string())),
];
