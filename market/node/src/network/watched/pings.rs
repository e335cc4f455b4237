//! Owns whether pings are whole and their answers right: a ping is any 32 bytes, and its answer is the same.
//!
//! Never pings and never answers; libp2p does.

use crate::network::offences::Offence;

/// The bytes of a ping.
const PING_BYTES: usize = 32;

/// The pings of the other side on a stream.
#[derive(Debug, Default)]
pub(super) struct Pings {
    /// How many bytes of one have arrived.
    arrived: usize,
}

impl Pings {
    /// Counts bytes.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        self.arrived = (self.arrived + bytes.len()) % PING_BYTES;
    }

    /// Tells whether a ping has begun and not ended.
    pub(super) fn is_amid_one(&self) -> bool {
        self.arrived > 0
    }
}

/// The answers to the pings of this side on a stream.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The ping that waits for its answer.
    ping: [u8; PING_BYTES],
    sent: usize,
    answered: usize,
}

impl Answers {
    /// Notes bytes that are to come back.
    pub(super) fn expect(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.sent == PING_BYTES {
                (self.sent, self.answered) = (0, 0);
            }
            self.ping[self.sent] = *byte;
            self.sent += 1;
        }
    }

    /// Compares bytes that came back.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(), Offence> {
        let answered = self.answered + bytes.len();
        let due = self.ping[..self.sent].get(self.answered..answered);
        if due != Some(bytes) {
            return Err(Offence::Undecodable);
        }
        self.answered = answered;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
