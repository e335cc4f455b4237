//! Owns the newest headers that a node has verified, and finds contradictions among them.
//!
//! Never verifies a certificate: only headers that the trusted set has passed come in.

use std::collections::BTreeMap;

use market::ledger::{CertifiedHeader, EquivocationProof};

/// Headers kept; older ones are forgotten.
const KEPT_HEADERS: usize = 512;

/// What a verified header contradicts.
#[derive(Debug)]
pub(super) enum Conflict {
    /// Another header of the same height: the operators signed two histories.
    Equivocation(Box<EquivocationProof>),
    /// It does not link to the neighbouring header that is known.
    OffChain {
        /// Its height.
        height: u64,
    },
}

/// The newest verified headers by height.
#[derive(Debug, Default)]
pub(super) struct Headers {
    known: BTreeMap<u64, CertifiedHeader>,
}

impl Headers {
    /// Takes a verified header. One that contradicts what is known is refused, and changes nothing.
    pub(super) fn insert(&mut self, certified: &CertifiedHeader) -> Result<(), Conflict> {
        let header = &certified.header;
        let height = header.height;
        if let Some(known) = self.known.get(&height) {
            if known.header.id() == header.id() {
                return Ok(());
            }
            return Err(Conflict::Equivocation(Box::new(EquivocationProof {
                first: known.clone(),
                second: certified.clone(),
            })));
        }
        let before = height
            .checked_sub(1)
            .and_then(|below| self.known.get(&below));
        let after = height
            .checked_add(1)
            .and_then(|above| self.known.get(&above));
        let follows = before.is_none_or(|known| known.header.id() == header.prev_id);
        let precedes = after.is_none_or(|known| known.header.prev_id == header.id());
        if !(follows && precedes) {
            return Err(Conflict::OffChain { height });
        }
        self.known.insert(height, certified.clone());
        while self.known.len() > KEPT_HEADERS {
            self.known.pop_first();
        }
        Ok(())
    }

    /// Returns the header at a height, where it is known.
    pub(super) fn at(&self, height: u64) -> Option<&CertifiedHeader> {
        self.known.get(&height)
    }

    /// Returns the newest header.
    pub(super) fn newest(&self) -> Option<&CertifiedHeader> {
        self.known.last_key_value().map(|(_, newest)| newest)
    }
}
