//! Owns reading every block of a soak again from the operator's log, and the sums after each.
//!
//! Never trusts what the operator said while it ran.

use std::path::Path;

use market::ledger::{Block, State, verify_block};
use market_node::home::Home;
use market_node::ledger::log::{LogConfig, LogError, LogRecovery, SEGMENT_BYTES};
use market_node::membership::Membership;
use serde::Serialize;

/// What the blocks say.
#[derive(Debug, Serialize)]
pub(super) struct Blocks {
    /// How many there are.
    pub(super) blocks: u64,
    /// What they hold.
    pub(super) transactions: usize,
    /// After how many the sums did not agree.
    pub(super) not_conserved: u64,
    /// Channels that are not closed after the last one.
    pub(super) live_channels: u64,
}

/// Verifies every block and adds up all money after each.
pub(super) fn replay(operator: &Path) -> Blocks {
    let home = Home::at(operator.to_owned()).expect("the operator's home is there");
    let membership = Membership::load(&home).expect("it has a genesis");
    let mut state = State::genesis(&membership.genesis).expect("it is a good one");
    let mut sums = Blocks {
        blocks: 0,
        transactions: 0,
        not_conserved: 0,
        live_channels: 0,
    };
    let config = LogConfig {
        directory: operator.join("ledger/blocks"),
        chain: membership.chain,
        segment_bytes: SEGMENT_BYTES,
    };
    let read = LogRecovery::read(config, |_position, bytes| {
        let block = Block::decode(bytes).expect("a block of the log decodes");
        let delta = verify_block(&state, &block).expect("a block of the log verifies");
        state.commit(delta).expect("it follows the one before");
        let audit = state.audit();
        sums.blocks += 1;
        sums.transactions += block.transactions.len();
        sums.not_conserved += u64::from(!audit.supply_conserved);
        sums.live_channels = audit.live_channels;
        Ok::<(), LogError>(())
    });
    read.expect("the log is whole");
    sums
}
