//! Owns the audit: every sum of the state, counted leaf by leaf.
//!
//! Never trusts a running total.

use serde::{Deserialize, Serialize};

use super::leaf::{Leaf, Supply};
use super::state::State;
use crate::amount::Amount;

/// Where all money is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// Height of the block that this is the state after.
    pub height: u64,
    /// Accounts with money.
    pub accounts: u64,
    /// Sum of what accounts can spend.
    pub available: Amount,
    /// Channels that are not closed.
    pub live_channels: u64,
    /// Sum of what channels hold.
    pub channels: Amount,
    /// Fees that were collected.
    pub fee_pool: Amount,
    /// Money on its way in or out.
    pub treasury: Amount,
    /// All that was ever issued.
    pub issued: Amount,
    /// All that was ever redeemed.
    pub redeemed: Amount,
    /// All that was ever destroyed.
    pub burned: Amount,
    /// Whether `available + channels + fee_pool + treasury = issued - redeemed - burned`.
    pub supply_conserved: bool,
}

/// Widens, so that no number of balances overflows their sum.
fn wide(amount: Amount) -> u128 {
    u128::from(amount.nanocredits())
}

/// Returns a sum as an amount; a sum that does not fit shows as the largest amount.
fn amount(sum: u128) -> Amount {
    Amount::from_nanocredits(u64::try_from(sum).unwrap_or(u64::MAX))
}

impl State {
    /// Adds up every leaf. Walks the whole state.
    pub fn audit(&self) -> Audit {
        let (mut accounts, mut live_channels) = (0u64, 0u64);
        let (mut available, mut channels) = (0u128, 0u128);
        for leaf in self.leaves() {
            match leaf {
                Leaf::Account(account) => {
                    accounts = accounts.saturating_add(1);
                    available = available.saturating_add(wide(account.available));
                }
                Leaf::Channel(channel) => {
                    let live = u64::from(channel.state != super::ChannelState::Closed);
                    live_channels = live_channels.saturating_add(live);
                    channels = channels.saturating_add(wide(channel.balance));
                }
                _ => {}
            }
        }
        let supply: Supply = self.supply();
        let held = [wide(supply.fee_pool), wide(supply.treasury), channels]
            .into_iter()
            .fold(available, u128::saturating_add);
        let outside = wide(supply.redeemed).saturating_add(wide(supply.burned));
        Audit {
            height: self.tip().height,
            accounts,
            available: amount(available),
            live_channels,
            channels: amount(channels),
            fee_pool: supply.fee_pool,
            treasury: supply.treasury,
            issued: supply.issued,
            redeemed: supply.redeemed,
            burned: supply.burned,
            supply_conserved: held.saturating_add(outside) == wide(supply.issued),
        }
    }
}
