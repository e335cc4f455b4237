//! Owns reading every block of a soak again from the operator's log, and the sums after each.
//!
//! Never trusts what the operator said while it ran.

use std::path::Path;

use market_node::home::Home;
use market_node::ledger::replay::{self, ReplayError};
use market_node::log::LogConfig;
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
    let config = LogConfig::of_home(&home, membership.chain).expect("it keeps a log");
    let mut sums = Blocks {
        blocks: 0,
        transactions: 0,
        not_conserved: 0,
        live_channels: 0,
    };
    let replayed = replay::replay(config, &membership.genesis, |verified| {
        let audit = verified.state.audit();
        sums.blocks += 1;
        sums.transactions += verified.block.transactions.len();
        sums.not_conserved += u64::from(!audit.supply_conserved);
        sums.live_channels = audit.live_channels;
        Ok::<(), ReplayError>(())
    });
    replayed.expect("every block of the log verifies");
    sums
}
