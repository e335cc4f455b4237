//! Tests of what an agreement has cost by the time it is found.

use market::ledger::ChannelState;
use market::{Amount, Timestamp};

use super::Opened;

fn found(state: ChannelState, claimed: u64) -> Opened {
    Opened {
        at: Timestamp::from_millis(1),
        state,
        claimed: Amount::from_nanocredits(claimed),
    }
}

#[test]
fn a_closed_channel_has_cost_what_was_claimed_and_a_live_one_what_was_promised() {
    let promised = Amount::from_nanocredits(7);
    let closed = found(ChannelState::Closed, 3);
    assert!(!closed.is_open());
    assert_eq!(closed.paid(promised), Amount::from_nanocredits(3));
    let unpaid = found(ChannelState::Closed, 0);
    assert_eq!(unpaid.paid(promised), Amount::ZERO);
    let open = found(ChannelState::Open, 3);
    assert!(open.is_open());
    assert_eq!(open.paid(promised), promised);
}
