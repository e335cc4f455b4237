//! Trades: what a settled channel counts as, and what its proof is held against.

use market::agreement::Party;

use super::*;
use crate::fixture::{account, node, trade};

/// The record that a trade is of.
fn record(trade: &Trade) -> ChannelRecord {
    let party = |account| Party {
        account,
        node: node(9),
    };
    ChannelRecord {
        id: trade.channel,
        agreement: market::AgreementId::from_bytes([1; 32]),
        payer: party(trade.payer),
        payee: party(trade.payee),
        deposit: Amount::from_nanocredits(1_000),
        claimed: trade.paid,
        balance: Amount::ZERO,
        sequence: 3,
        class: trade.class,
        price_per_hour: trade.price,
        gpus: trade.gpus,
        fee_bps: 100,
        expires_at: trade.settled_at,
        free_claim_at_ms: 0,
        state: ChannelState::Closed,
    }
}

#[test]
fn a_closed_channel_that_paid_is_a_trade_and_fits_its_record() {
    let expected = trade(1, 70, 600);
    let record = record(&expected);
    let made = Trade::of(&record, expected.place, expected.settled_at);
    assert_eq!(made, Some(expected));
    assert_eq!(expected.check(&record), Ok(()));
}

#[test]
fn a_place_reads_as_block_and_index() {
    let place = TradePlace {
        height: 12,
        index: 3,
    };
    assert_eq!(place.to_string(), "12:3");
}

#[test]
fn what_is_open_or_paid_nothing_is_no_trade() {
    let expected = trade(1, 70, 600);
    let with = |change: fn(&mut ChannelRecord)| {
        let mut record = record(&expected);
        change(&mut record);
        Trade::of(&record, expected.place, expected.settled_at)
    };
    assert_eq!(with(|record| record.state = ChannelState::Open), None);
    let closing = ChannelState::Closing { deadline_ms: 1 };
    assert_eq!(
        with(|record| record.state = ChannelState::Closing { deadline_ms: 1 }),
        None,
        "{closing:?}"
    );
    assert_eq!(with(|record| record.claimed = Amount::ZERO), None);
    assert_eq!(
        with(|record| record.price_per_hour = PricePerHour::default()),
        None
    );
}

#[test]
fn whatever_a_trade_misstates_is_named() {
    let right = trade(1, 70, 600);
    let record = record(&right);
    let said = |change: fn(&mut Trade)| {
        let mut wrong = right;
        change(&mut wrong);
        wrong.check(&record).unwrap_err()
    };
    assert_eq!(
        said(|trade| trade.channel = ChannelId::from_bytes([0; 32])),
        Misstated::Channel(right.channel)
    );
    assert_eq!(
        said(|trade| trade.paid = Amount::from_nanocredits(11)),
        Misstated::Paid(right.paid)
    );
    let other = "23T-12G".parse().unwrap();
    assert_ne!(right.class, other);
    assert_eq!(
        said(|trade| trade.class = "23T-12G".parse().unwrap()),
        Misstated::Class(right.class)
    );
    assert_eq!(
        said(|trade| trade.price = PricePerHour::default()),
        Misstated::Price(right.price)
    );
    assert_eq!(said(|trade| trade.gpus = 8), Misstated::Gpus(1));
    assert_eq!(
        said(|trade| trade.payer = account(99)),
        Misstated::Payer(right.payer)
    );
    assert_eq!(
        said(|trade| trade.payee = account(99)),
        Misstated::Payee(right.payee)
    );
    let open = ChannelRecord {
        state: ChannelState::Open,
        ..record.clone()
    };
    assert_eq!(right.check(&open), Err(Misstated::NotClosed));
}

#[test]
fn gpu_time_is_what_was_paid_by_the_price() {
    let minute = trade(1, 0, 600);
    assert_eq!(minute.gpu_ms(), 60_000);
    let most = Trade {
        paid: Amount::from_nanocredits(u64::MAX),
        price: PricePerHour(Amount::from_nanocredits(1)),
        ..minute
    };
    assert_eq!(most.gpu_ms(), u64::MAX);
    let free = Trade {
        price: PricePerHour::default(),
        ..minute
    };
    assert_eq!(free.gpu_ms(), 0);
}
