//! Tests of what is checked of an offer, with offers that lie.

use market::gpu::GpuClass;
use market::keys::SecretKey;
use market::order::{Ask, AskFigures, Attributes, Bid, Evidence, Order, Sequence, Slot};
use market::{AccountId, Amount, BlobHash, Signed, Timestamp};
use market_node::book::BookError;

use super::*;

fn chain() -> ChainId {
    ChainId::from_bytes([1; 32])
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

fn price(nanocredits: u64) -> PricePerHour {
    PricePerHour(Amount::from_nanocredits(nanocredits))
}

fn class() -> GpuClass {
    "1T-8G".parse().unwrap()
}

fn ask(nanocredits: u64) -> OrderBody {
    OrderBody::Ask(Ask {
        account: AccountId::from_bytes([7; 32]),
        class: class(),
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
    })
}

fn bid() -> OrderBody {
    OrderBody::Bid(Bid {
        account: AccountId::from_bytes([7; 32]),
        class: class(),
        max_price: price(9),
        gpus: 1,
        duration_s: 60,
        usable_mib: 0,
        attributes: Attributes::TRAIN,
        sandbox_level: 1,
        budget: Amount::from_nanocredits(5),
        balance_height: 0,
    })
}

fn offer(body: OrderBody, maker: u8, chain: &ChainId) -> BidOffer {
    let order = Order {
        slot: Slot::new(0).unwrap(),
        sequence: Sequence::from_u64(1_000),
        expires_at: Timestamp::from_millis(2_000),
        body,
    };
    BidOffer {
        bid: OrderId::from_bytes([4; 32]),
        ask: Signed::sign(&order, &key(maker), chain),
    }
}

fn declined(offer: &BidOffer) -> String {
    let checked = check(offer, key(2).node(), price(10), &chain());
    checked.unwrap_err().to_string()
}

#[test]
fn an_ask_that_its_sender_signed_at_the_bids_price_is_handed_to_the_book() {
    let offer = offer(ask(10), 2, &chain());
    let offered = check(&offer, key(2).node(), price(10), &chain()).unwrap();
    assert_eq!(*offered.ask.as_bytes(), offer.ask.id(&chain()));
}

#[test]
fn asks_of_others_of_other_markets_too_dear_or_none_at_all_are_declined() {
    let told = [
        (offer(ask(10), 3, &chain()), "signed by another node"),
        (
            offer(ask(10), 2, &ChainId::from_bytes([9; 32])),
            "not signed for this market",
        ),
        (offer(ask(11), 2, &chain()), "above your price"),
        (offer(bid(), 2, &chain()), "no ask"),
        (offer(OrderBody::Empty, 2, &chain()), "no ask"),
    ];
    for (offer, words) in told {
        let said = declined(&offer);
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn what_the_book_has_already_is_as_good_and_what_it_refuses_is_declined() {
    assert_eq!(taken(Ok(())), Ok(()));
    assert_eq!(taken(Err(PostError::Refused(Refused::Superseded))), Ok(()));
    let node = key(2).node();
    let refused = taken(Err(PostError::Refused(Refused::NotCertified { node })));
    assert!(matches!(refused, Err(Decline::Misfit(_))));
    assert_eq!(taken(Err(BookError::NoTime.into())), Err(Decline::Busy));
    assert!(matches!(judged(None), Err(Decline::Misfit(_))));
    let misfit = judged(Some(Err(Misfit::Memory)));
    assert_eq!(misfit, Err(Decline::Misfit("too little memory".to_owned())));
}
