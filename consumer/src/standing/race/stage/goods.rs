//! Owns what the race is about: what is asked, what is bid, the terms between them; and the numbers that luck draws.
//!
//! Never holds a state but that of the generator.

use std::time::Duration;

use market::agreement::{Party, Rates, Terms};
use market::keys::SecretKey;
use market::order::{Ask, AskFigures, Attributes, Evidence};
use market::{AccountId, Amount, BlobHash, JobId, PricePerHour, Timestamp};
use matching::{Need, Offer};

/// What the bids pay, and what providers ask before they lower their price, in nanocredits.
pub(super) const BID: u64 = 360_000_000;
pub(super) const DEAR: u64 = 720_000_000;

/// A generator of numbers for one seed (splitmix64, S. Vigna, public domain).
pub(in super::super) struct Random(u64);

impl Random {
    pub(in super::super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Tells whether something happens that happens one time in `often`.
    pub(super) fn one_in(&mut self, often: u64) -> bool {
        self.below(often) == 0
    }
}

pub(super) fn price(nanocredits: u64) -> PricePerHour {
    PricePerHour(Amount::from_nanocredits(nanocredits))
}

pub(super) fn need(buyer: &SecretKey) -> Need {
    let mut need = Need::new(buyer.account(), 3_600);
    need.max_price = Some(price(BID));
    need
}

pub(super) fn ask(account: AccountId, nanocredits: u64) -> Ask {
    Ask {
        account,
        class: "1T-8G".parse().unwrap(),
        price: price(nanocredits),
        gpus: 1,
        max_duration_s: 3_600,
        figures: AskFigures {
            gemm_mflops: 1_000_000,
            usable_mib: 8 * 1_024,
            f16_mflops: None,
            gb_per_s: None,
        },
        upload_mb_per_s: None,
        network_mbit_per_s: None,
        attributes: Attributes::TRAIN,
        sandbox_level: 1,
        evidence: Evidence::Report(BlobHash::from_bytes([3; 32])),
        hold_bps: 2_500,
        tick_ms: 10_000,
    }
}

pub(super) fn terms((buyer, nonce): (&SecretKey, u64), offer: &Offer, now: Timestamp) -> Terms {
    let ask = &offer.ask;
    Terms {
        payer: Party {
            account: buyer.account(),
            node: buyer.node(),
        },
        payee: Party {
            account: ask.account,
            node: offer.register.node,
        },
        ask: offer.order,
        job: JobId::from_bytes([4; 32]),
        class: ask.class,
        rates: Rates {
            price_per_hour: ask.price,
            gpus: 1,
            hold_bps: ask.hold_bps,
            tick_ms: ask.tick_ms,
            prepaid_ticks: 1,
            delivery_ticks: 30,
        },
        deposit: Amount::from_nanocredits(BID),
        payer_nonce: nonce,
        expires_at: now.saturating_add(Duration::from_secs(7 * 24 * 3_600)),
    }
}
