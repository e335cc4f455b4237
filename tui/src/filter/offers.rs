//! Owns the fields by which standing offers are filtered and sorted. One line more here is one field more.
//!
//! Never computes: a field is what the row says, in the field's smallest unit.

use market_node::api::BookRow;

use super::field::Field;
use super::units::{BANDWIDTH, COUNT, DURATION, MEMORY, NETWORK, PRICE, RATE, TIER, UPLOAD, Units};
use super::value::{Kind, Value};

/// Bytes of a MiB.
const MIB: i128 = 1 << 20;

/// Reads a field from an offer.
type Get = fn(&BookRow) -> Value;

const fn number(
    (name, aliases): (&'static str, &'static [&'static str]),
    units: &'static Units,
    meaning: &'static str,
    get: Get,
) -> Field<BookRow> {
    field((name, aliases), Kind::Number(units), meaning, get)
}

const fn field(
    (name, aliases): (&'static str, &'static [&'static str]),
    kind: Kind,
    meaning: &'static str,
    get: Get,
) -> Field<BookRow> {
    Field {
        name,
        aliases,
        kind,
        meaning,
        get,
    }
}

/// The fields of an offer in the book.
#[rustfmt::skip]
pub(crate) static OFFER_FIELDS: [Field<BookRow>; 18] = [
    number(("price", &[]), &PRICE, "price of one GPU for an hour", |row| Value::Number(row.price.0.nanocredits().into())),
    field(("class", &[]), Kind::Class, "class", |row| Value::Class(row.class)),
    number(("tier", &[]), &TIER, "memory tier of the class", |row| Value::Number(row.class.tier().gib().into())),
    number(("vram", &["memory"]), &MEMORY, "usable memory of one GPU", |row| Value::Number(i128::from(row.usable_mib) * MIB)),
    number(("gpus", &["count"]), &COUNT, "GPUs in the offer", |row| Value::Number(row.gpus.into())),
    number(("duration", &["longest"]), &DURATION, "longest lease", |row| Value::Number(row.max_duration_s.into())),
    number(("tflops", &["rate", "gemm"]), &RATE, "sustained fp32 matrix product", |row| Value::Number(row.gemm_mflops.into())),
    number(("f16", &[]), &RATE, "sustained f16 matrix product", |row| Value::number(row.f16_mflops)),
    number(("bandwidth", &[]), &BANDWIDTH, "memory bandwidth", |row| Value::number(row.gb_per_s)),
    number(("upload", &[]), &UPLOAD, "upload from host to GPU", |row| Value::number(row.upload_mb_per_s)),
    number(("network", &["net"]), &NETWORK, "upload to the network", |row| Value::number(row.network_mbit_per_s)),
    field(("attributes", &["attribute", "can"]), Kind::Attributes, "what the offer can do", |row| Value::Attributes(row.attributes)),
    number(("sandbox", &[]), &COUNT, "level of the sandbox's self-test", |row| Value::Number(row.sandbox_level.into())),
    field(("proven", &[]), Kind::Flag, "backed by a certificate", |row| Value::Flag(row.proven)),
    number(("lapses", &[]), &DURATION, "time until it lapses", |row| Value::Number(row.expires_in_s.into())),
    field(("node", &["seller"]), Kind::Id, "the selling machine", |row| Value::Id(row.node.to_string())),
    field(("account", &[]), Kind::Id, "the account that is paid", |row| Value::Id(row.account.to_string())),
    field(("order", &[]), Kind::Id, "the order", |row| Value::Id(row.order.to_string())),
];
