//! Owns what the tests of this crate are made of: keys, asks, beacons, checked messages.
//!
//! Never used outside tests.

use market::gpu::GpuClass;
use market::keys::SecretKey;
use market::order::{
    Ask, AskFigures, Attributes, Beacon, BookMessage, Evidence, Order, OrderBody, Sequence, Slot,
};
use market::wire::{Payload, Signed};
use market::{
    AccountId, Amount, BlobHash, ChainId, ChannelId, HeaderId, NodeId, PricePerHour, Timestamp,
};

use crate::book::{Book, Capacity, Posting};
use crate::checked::{Checked, Message};
use crate::trade::{Trade, TradePlace};

/// When the tests begin, in milliseconds.
pub(crate) const START_MS: u64 = 1_800_000_000_000;

pub(crate) const HEADER: HeaderId = HeaderId::from_bytes([5; 32]);

pub(crate) fn at(after_start_ms: u64) -> Timestamp {
    Timestamp::from_millis(START_MS + after_start_ms)
}

pub(crate) fn chain() -> ChainId {
    ChainId::from_bytes([1; 32])
}

pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::from_seed([number; 32])
}

pub(crate) fn node(number: u8) -> NodeId {
    key(number).node()
}

pub(crate) fn class(text: &str) -> GpuClass {
    text.parse().unwrap()
}

pub(crate) fn price(nanocredits: u64) -> PricePerHour {
    PricePerHour(Amount::from_nanocredits(nanocredits))
}

/// A card of 1 TFLOP/s with 8 GiB at a credit an hour.
pub(crate) fn ask() -> Ask {
    Ask {
        account: AccountId::from_bytes([77; 32]),
        class: class("1T-8G"),
        price: price(1_000_000_000),
        gpus: 1,
        max_duration_s: 3_600,
        figures: AskFigures {
            gemm_mflops: 1_000_000,
            usable_mib: 8 * 1_024,
            f16_mflops: None,
            gb_per_s: Some(100),
        },
        upload_mb_per_s: None,
        network_mbit_per_s: None,
        attributes: Attributes::TRAIN | Attributes::INFER,
        sandbox_level: 1,
        evidence: Evidence::Report(BlobHash::from_bytes([3; 32])),
        hold_bps: 2_500,
        tick_ms: 10_000,
    }
}

/// An order in slot 0 that was posted `after_start_ms` after the start and stands for an hour.
pub(crate) fn order(after_start_ms: u64, body: OrderBody) -> Order {
    Order {
        slot: Slot::new(0).unwrap(),
        sequence: Sequence::from_u64(START_MS + after_start_ms),
        expires_at: at(after_start_ms + 3_600_000),
        body,
    }
}

pub(crate) fn beacon(after_start_ms: u64, live_slots: u64) -> Beacon {
    Beacon {
        sequence: Sequence::from_u64(START_MS + after_start_ms),
        live_slots,
        interval_s: 60,
    }
}

pub(crate) fn checked<T: Payload>(value: &T, maker: u8) -> Checked<T> {
    Checked::new(Signed::sign(value, &key(maker), &chain()), &chain()).unwrap()
}

pub(crate) fn posted(order: &Order, maker: u8) -> Message {
    Message::Order(checked(order, maker))
}

pub(crate) fn heard(beacon: &Beacon, maker: u8) -> Message {
    Message::Beacon(checked(beacon, maker))
}

pub(crate) fn recheck(message: BookMessage) -> Message {
    crate::checked::check(message, &chain()).unwrap()
}

pub(crate) fn open_book() -> Book {
    Book::new(Posting::Open, Capacity::default())
}

/// An open book with one ask a maker, posted at the start by makers 1, 2, 3 and so on.
pub(crate) fn book_of(asks: impl IntoIterator<Item = Ask>) -> Book {
    let mut book = open_book();
    for (maker, ask) in (1..).zip(asks) {
        let order = order(0, OrderBody::Ask(ask));
        book.apply(posted(&order, maker), at(0)).unwrap();
    }
    book
}

pub(crate) fn account(number: u8) -> AccountId {
    AccountId::from_bytes([number; 32])
}

/// A trade of a GPU-minute in the class `16T-12G`, by two accounts of its own, settled in block `at_ms`.
pub(crate) fn trade(number: u8, at_ms: u64, price_nanocredits: u64) -> Trade {
    Trade {
        settled_at: Timestamp::from_millis(at_ms),
        place: TradePlace {
            height: at_ms,
            index: number.into(),
        },
        channel: ChannelId::from_bytes([number; 32]),
        class: class("16T-12G"),
        price: price(price_nanocredits),
        gpus: 1,
        paid: Amount::from_nanocredits(price_nanocredits / 60),
        payer: account(number),
        payee: account(number.wrapping_add(128)),
    }
}
