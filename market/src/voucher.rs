//! Owns the voucher: a cumulative promise to pay from one channel, signed off the ledger.
//!
//! Never decides whether a voucher is worth accepting; the lease machine does.

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::ids::ChannelId;
use crate::wire::Payload;

/// A payer's statement of the total that a channel owes its payee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voucher {
    /// The channel that pays.
    pub channel: ChannelId,
    /// Rises by at least one with every voucher of the channel; the first is 1.
    pub sequence: u64,
    /// All that was promised so far, from the channel's opening; never falls.
    pub cumulative: Amount,
    /// BLAKE3 of the meter reading that both sides saw when it was signed.
    pub meter_hash: [u8; 32],
}

impl Payload for Voucher {
    const NAMESPACE: &'static str = "nightshift/voucher/1";
    const MAX_BYTES: usize = 96;
}
