//! Owns the way of complaints from the streams to the event loop.
//!
//! Never waits: where the queue is full, an offence is still counted, only its sender gets off.

use std::sync::Arc;

use libp2p::PeerId;
use tokio::sync::mpsc;

use crate::network::offences::{Counts, Offence};

/// The most complaints that wait for the event loop.
const QUEUE_LENGTH: usize = 256;

/// What a stream saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::network) struct Complaint {
    pub(in crate::network) peer: PeerId,
    pub(in crate::network) offence: Offence,
}

/// The streams' end of the queue.
#[derive(Debug, Clone)]
pub(in crate::network) struct Complaints {
    queue: mpsc::Sender<Complaint>,
    counts: Arc<Counts>,
}

impl Complaints {
    pub(in crate::network) fn new(counts: Arc<Counts>) -> (Self, mpsc::Receiver<Complaint>) {
        let (queue, complaints) = mpsc::channel(QUEUE_LENGTH);
        (Self { queue, counts }, complaints)
    }

    pub(super) fn hand_in(&self, peer: PeerId, offence: Offence) {
        if self.queue.try_send(Complaint { peer, offence }).is_err() {
            self.counts.add(offence);
        }
    }
}
