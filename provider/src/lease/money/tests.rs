//! Which refusals of a claim the lease must hear of.

use market::ledger::{Operation, Rejected};
use market::voucher::Voucher;
use market::{Amount, ChainId, ChannelId, Signed, keys::SecretKey};

use super::refused_claim;

const CHAIN: ChainId = ChainId::from_bytes([4; 32]);
const CHANNEL: ChannelId = ChannelId::from_bytes([5; 32]);

fn claim(total: u64) -> Operation {
    let voucher = Voucher {
        channel: CHANNEL,
        sequence: 1,
        cumulative: Amount::from_nanocredits(total),
        meter_hash: [0; 32],
    };
    let voucher = Signed::sign(&voucher, &SecretKey::from_seed([6; 32]), &CHAIN);
    Operation::Claim { voucher }
}

#[test]
fn a_claim_that_is_refused_and_unpaid_is_told_with_its_total() {
    let too_soon = Rejected::ClaimTooSoon {
        free_at_ms: 9,
        fee: Amount::from_nanocredits(500),
    };
    let told = refused_claim(&claim(70), &too_soon, &CHAIN);
    assert_eq!(told, Some(Amount::from_nanocredits(70)));
}

#[test]
fn a_claim_that_is_paid_already_and_a_close_are_not() {
    let paid = Rejected::NothingDue {
        cumulative: Amount::from_nanocredits(70),
        claimed: Amount::from_nanocredits(70),
    };
    assert_eq!(refused_claim(&claim(70), &paid, &CHAIN), None);
    let close = Operation::CoopClose {
        channel: CHANNEL,
        voucher: None,
    };
    let unknown = Rejected::NoChannel { channel: CHANNEL };
    assert_eq!(refused_claim(&close, &unknown, &CHAIN), None);
}
