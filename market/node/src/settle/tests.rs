//! What a refusal means for a claim or a close.

use market::ledger::{ChannelRecord, ChannelState, Operation, Rejected};
use market::voucher::Voucher;
use market::{Amount, ChannelId, Signed, Timestamp};

use super::{Settlement, conclude};
use crate::ledger::testing::{genesis, key, nano, terms};

fn channel(state: ChannelState) -> ChannelRecord {
    let terms = terms(&key(1), &key(2));
    let chain = genesis().chain_id();
    ChannelRecord {
        id: terms.channel_id(&chain),
        agreement: terms.id(&chain),
        payer: terms.payer,
        payee: terms.payee,
        deposit: terms.deposit,
        claimed: nano(7),
        balance: Amount::ZERO,
        sequence: 3,
        class: terms.class,
        price_per_hour: terms.rates.price_per_hour,
        gpus: 1,
        fee_bps: 100,
        expires_at: Timestamp::from_millis(9),
        free_claim_at_ms: 0,
        state,
    }
}

fn id() -> ChannelId {
    channel(ChannelState::Open).id
}

fn coop_close() -> Operation {
    Operation::CoopClose {
        channel: id(),
        voucher: None,
    }
}

fn payer_close() -> Operation {
    Operation::PayerClose {
        channel: id(),
        sequence: 1,
        cumulative: nano(7),
    }
}

fn claim() -> Operation {
    let voucher = Voucher {
        channel: id(),
        sequence: 1,
        cumulative: nano(7),
        meter_hash: [0; 32],
    };
    let voucher = Signed::sign(&voucher, &key(1), &genesis().chain_id());
    Operation::Claim { voucher }
}

fn wrong_state(state: ChannelState) -> Rejected {
    Rejected::ChannelState {
        channel: id(),
        state,
    }
}

const CLOSING: ChannelState = ChannelState::Closing { deadline_ms: 5 };

#[test]
fn a_refusal_by_a_closed_channel_is_its_end_with_what_it_paid() {
    let closed = channel(ChannelState::Closed);
    for operation in [coop_close(), payer_close(), claim()] {
        let refusal = wrong_state(ChannelState::Closed);
        let settlement = conclude(&operation, &refusal, Some(&closed)).unwrap();
        assert_eq!(settlement.paid_at_close(), Some(nano(7)), "{operation:?}");
    }
}

#[test]
fn a_close_that_came_too_late_is_signed_anew() {
    let too_late = Rejected::TooLate {
        valid_until: 4,
        height: 5,
    };
    let open = channel(ChannelState::Open);
    for operation in [coop_close(), payer_close(), claim()] {
        let settlement = conclude(&operation, &too_late, Some(&open));
        assert!(settlement.is_none(), "{operation:?}");
    }
}

#[test]
fn a_payees_close_waits_for_a_window_that_has_just_ended() {
    let closing = channel(CLOSING);
    let settlement = conclude(&coop_close(), &wrong_state(CLOSING), Some(&closing));
    assert!(settlement.is_none());
}

#[test]
fn a_payers_close_is_not_repeated_while_the_window_is_open() {
    let closing = channel(CLOSING);
    let settlement = conclude(&payer_close(), &wrong_state(CLOSING), Some(&closing));
    assert!(matches!(settlement, Some(Settlement::Refused(_))));
}

#[test]
fn a_claim_of_nothing_is_not_repeated() {
    let refusal = Rejected::NothingDue {
        cumulative: nano(7),
        claimed: nano(7),
    };
    let open = channel(ChannelState::Open);
    let settlement = conclude(&claim(), &refusal, Some(&open));
    assert!(matches!(settlement, Some(Settlement::Refused(_))));
}

#[test]
fn nothing_is_repeated_for_a_channel_that_does_not_exist() {
    let refusal = Rejected::NoChannel { channel: id() };
    for operation in [coop_close(), payer_close(), claim()] {
        let settlement = conclude(&operation, &refusal, None);
        assert!(
            matches!(settlement, Some(Settlement::Refused(_))),
            "{operation:?}"
        );
    }
}
