//! The network of the simulator: what is sent arrives late, out of order, twice or never, as a seed says.
//!
//! Never looks into what it carries.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::lease::Message;

/// A client, by its place in the simulation.
pub(super) type ClientId = usize;

/// Who receives something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Operator,
    Client(ClientId),
}

/// What travels.
#[derive(Debug, Clone)]
pub(super) enum Packet {
    /// To the operator: put this into a block.
    Submit(ClientId, SignedTransaction),
    /// To the operator: is this transaction final?
    Find(ClientId, TxId),
    /// To the operator: where does this channel stand?
    Look(ClientId, ChannelId),
    /// From the operator: it is final.
    Final(Box<FinalityProof>),
    /// From the operator: the ledger refuses it.
    Refused(TxId, Rejected),
    /// From the operator: as of this height it is in no block.
    NotFound(TxId, u64),
    /// From the operator: the channel's leaf.
    Channel(Box<StateProof>),
    /// To a payee: an opening that the payer has signed.
    Offer(Box<Terms>, SignedTransaction),
    /// Between the two leases of a channel.
    Lease(ChannelId, Box<Message>),
}

/// How badly things go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    Storm,
    Calm,
}

#[derive(Default)]
pub(super) struct Network {
    /// By the time of arrival, and in the order of sending where that is the same.
    flying: BTreeMap<(u64, u64), (Place, Packet)>,
    sent: u64,
}

impl Network {
    pub(super) fn send(
        &mut self,
        now_ms: u64,
        (weather, rng): (Weather, &mut ChaCha8Rng),
        to: Place,
        packet: Packet,
    ) {
        let (copies, slowest_ms) = match weather {
            Weather::Calm => (1, 300),
            Weather::Storm => match rng.random_range(0..20) {
                0..3 => (0, 0),
                3..5 => (2, 30_000),
                _ => (1, 2_500),
            },
        };
        for _ in 0..copies {
            let at_ms = now_ms + rng.random_range(10..=slowest_ms);
            self.sent += 1;
            self.flying.insert((at_ms, self.sent), (to, packet.clone()));
        }
    }

    /// Returns what arrives next, by `now_ms`.
    pub(super) fn arrive(&mut self, now_ms: u64) -> Option<(Place, Packet)> {
        let first = self.flying.first_entry()?;
        (first.key().0 <= now_ms).then(|| first.remove())
    }
}
