//! Owns the fields by which standing offers are filtered and sorted. One line more here is one field more.
//!
//! Never computes: a field is what the row says, in the field's smallest unit.

use market_node::api::BookRow;

use super::field::Field;
use super::units::{BANDWIDTH, COUNT, DURATION, MEMORY, NETWORK, PRICE, RATE, TIER, UPLOAD};
use super::value::{Kind, Value};

/// Bytes of a MiB.
const MIB: i128 = 1 << 20;

/// The fields of an offer in the book.
#[rustfmt::skip]
pub(crate) static OFFER_FIELDS: [Field<BookRow>; 18] = [
    Field::new(("price", &[]), Kind::Number(&PRICE), "price of one GPU for an hour", |row| Value::Number(row.price.0.nanocredits().into())),
    Field::new(("class", &[]), Kind::Class, "class", |row| Value::Class(row.class)),
    Field::new(("tier", &[]), Kind::Number(&TIER), "memory tier of the class", |row| Value::Number(row.class.tier().gib().into())),
    Field::new(("vram", &["memory"]), Kind::Number(&MEMORY), "usable memory of one GPU", |row| Value::Number(i128::from(row.usable_mib) * MIB)),
    Field::new(("gpus", &["count"]), Kind::Number(&COUNT), "GPUs in the offer", |row| Value::Number(row.gpus.into())),
    Field::new(("duration", &["longest"]), Kind::Number(&DURATION), "longest lease", |row| Value::Number(row.max_duration_s.into())),
    Field::new(("tflops", &["rate", "gemm"]), Kind::Number(&RATE), "sustained fp32 matrix product", |row| Value::Number(row.gemm_mflops.into())),
    Field::new(("f16", &[]), Kind::Number(&RATE), "sustained f16 matrix product", |row| Value::number(row.f16_mflops)),
    Field::new(("bandwidth", &[]), Kind::Number(&BANDWIDTH), "memory bandwidth", |row| Value::number(row.gb_per_s)),
    Field::new(("upload", &[]), Kind::Number(&UPLOAD), "upload from host to GPU", |row| Value::number(row.upload_mb_per_s)),
    Field::new(("network", &["net"]), Kind::Number(&NETWORK), "upload to the network", |row| Value::number(row.network_mbit_per_s)),
    Field::new(("attributes", &["attribute", "can"]), Kind::Attributes, "what the offer can do", |row| Value::Attributes(row.attributes)),
    Field::new(("sandbox", &[]), Kind::Number(&COUNT), "level of the sandbox's self-test", |row| Value::Number(row.sandbox_level.into())),
    Field::new(("proven", &[]), Kind::Flag, "backed by a certificate", |row| Value::Flag(row.proven)),
    Field::new(("lapses", &[]), Kind::Number(&DURATION), "time until it lapses", |row| Value::Number(row.expires_in_s.into())),
    Field::new(("node", &["seller"]), Kind::Id, "the selling machine", |row| Value::Id(row.node.to_string())),
    Field::new(("account", &[]), Kind::Id, "the account that is paid", |row| Value::Id(row.account.to_string())),
    Field::new(("order", &[]), Kind::Id, "the order", |row| Value::Id(row.order.to_string())),
];
