//! Pages of trades: what cannot be the answer to the question is none.

use market::gpu::GpuClass;
use market::{AccountId, Amount, ChannelId, PricePerHour, Timestamp};
use matching::TradePlace;

use super::*;

fn place(height: u64, index: u32) -> TradePlace {
    TradePlace { height, index }
}

fn trade(height: u64, index: u32) -> Trade {
    let class: GpuClass = "16T-12G".parse().unwrap();
    Trade {
        settled_at: Timestamp::from_millis(height * 1_000),
        place: place(height, index),
        channel: ChannelId::from_bytes([1; 32]),
        class,
        price: PricePerHour(Amount::from_nanocredits(60)),
        gpus: 1,
        paid: Amount::from_nanocredits(1),
        payer: AccountId::from_bytes([2; 32]),
        payee: AccountId::from_bytes([3; 32]),
    }
}

const ALL: TradesQuery = TradesQuery {
    after: None,
    limit: 2,
};

fn is_answer(query: TradesQuery, height: u64, trades: &[Trade]) -> bool {
    let trades = trades.to_vec();
    answers(&TradesPage { height, trades }, query)
}

#[test]
fn trades_in_their_order_are_an_answer() {
    assert!(is_answer(ALL, 0, &[]));
    assert!(is_answer(ALL, 3, &[trade(3, 0), trade(3, 1)]));
    let next = TradesQuery {
        after: Some(place(3, 1)),
        ..ALL
    };
    assert!(is_answer(next, 9, &[trade(3, 2), trade(4, 0)]));
}

#[test]
fn what_was_not_asked_for_is_no_answer() {
    let early = Trade {
        settled_at: Timestamp::from_millis(1),
        ..trade(4, 0)
    };
    let nothing = Trade {
        paid: Amount::ZERO,
        ..trade(3, 0)
    };
    let wrong: [(&str, &[Trade]); 6] = [
        (
            "more than asked for",
            &[trade(3, 0), trade(3, 1), trade(3, 2)],
        ),
        ("out of order", &[trade(3, 1), trade(3, 0)]),
        ("the same place twice", &[trade(3, 1), trade(3, 1)]),
        ("time goes back", &[trade(3, 0), early]),
        ("paid nothing", &[nothing]),
        ("above the head", &[trade(10, 0)]),
    ];
    for (what, trades) in wrong {
        assert!(!is_answer(ALL, 9, trades), "{what}");
    }
    let next = TradesQuery {
        after: Some(place(3, 1)),
        ..ALL
    };
    assert!(!is_answer(next, 9, &[trade(3, 1)]), "the cursor itself");
}
