//! Owns what the tests of the book are made of.
//!
//! Never used outside tests.

use market::gpu::GpuClass;
use market::keys::SecretKey;
use market::order::{Ask, AskFigures, Attributes, Evidence, Slot};
use market::{AccountId, Amount, BlobHash, PricePerHour, Timestamp};
use matching::{Book, Capacity, Posting};

pub(super) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub(super) fn at(after_start_ms: u64) -> Timestamp {
    Timestamp::from_millis(START.as_millis() + after_start_ms)
}

pub(super) fn key(seed: u16) -> SecretKey {
    let mut bytes = [3; 32];
    bytes[..2].copy_from_slice(&seed.to_le_bytes());
    SecretKey::from_seed(bytes)
}

pub(super) fn slot(number: u8) -> Slot {
    Slot::new(number).unwrap()
}

/// More slots than a bulletin has messages.
pub(super) fn wide_slots() -> u8 {
    40
}

pub(super) fn open_book() -> Book {
    Book::new(Posting::Open, Capacity::default())
}

pub(super) fn class() -> GpuClass {
    "1T-8G".parse().unwrap()
}

/// A card of 1 TFLOP/s with 8 GiB at a credit an hour, with all figures known.
pub(super) fn ask() -> Ask {
    Ask {
        account: AccountId::from_bytes([77; 32]),
        class: class(),
        price: PricePerHour(Amount::from_nanocredits(1_000_000_000)),
        gpus: 1,
        max_duration_s: 3_600,
        figures: AskFigures {
            gemm_mflops: 1_000_000,
            usable_mib: 8 * 1_024,
            f16_mflops: Some(2_000_000),
            gb_per_s: Some(100),
        },
        upload_mb_per_s: Some(1_000),
        network_mbit_per_s: Some(50),
        attributes: Attributes::TRAIN | Attributes::INFER,
        sandbox_level: 1,
        evidence: Evidence::Report(BlobHash::from_bytes([3; 32])),
        hold_bps: 2_500,
        tick_ms: 10_000,
    }
}
