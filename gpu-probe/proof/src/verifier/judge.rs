//! Owns the check of opened tiles against what was committed to and what must have been computed.
//!
//! Never looks at a value before every tile is known to be the one drawn and committed to.

use super::Rejection;
use crate::chain::{Root, round_operands};
use crate::draw::{Place, entries};
use crate::message::{Challenge, Opening};
use crate::sample::Position;
use crate::tile::position;

/// What the prover is bound by, and what was drawn after that.
pub(super) struct Committed<'a> {
    pub(super) challenge: &'a Challenge,
    pub(super) roots: &'a [Root],
    pub(super) sigma: &'a [u8; 32],
    pub(super) places: &'a [Place],
}

impl Committed<'_> {
    /// Checks that the openings are the tiles drawn in their order, each under its round's root, each with the bits
    /// that its round's operands give in the entries drawn.
    pub(super) fn judge(&self, openings: &[Opening]) -> Result<(), Rejection> {
        self.check_places(openings)?;
        openings.iter().try_for_each(|it| self.check_root(it))?;
        openings.iter().try_for_each(|it| self.check_entries(it))
    }

    fn check_places(&self, openings: &[Opening]) -> Result<(), Rejection> {
        let (expected, actual) = (self.places.len(), openings.len());
        if actual != expected {
            return Err(Rejection::OpeningCount { expected, actual });
        }
        let mut pairs = self.places.iter().zip(openings).enumerate();
        match pairs.find(|(_, (expected, opening))| opening.place != **expected) {
            None => Ok(()),
            Some((index, (expected, opening))) => Err(Rejection::WrongPlace {
                index,
                expected: *expected,
                actual: opening.place,
            }),
        }
    }

    fn check_root(&self, opening: &Opening) -> Result<(), Rejection> {
        let place = opening.place;
        let above = Root::above(
            self.challenge.workload,
            place,
            &opening.tile.leaf(),
            &opening.path,
        );
        if above == Some(self.roots[place.round as usize]) {
            Ok(())
        } else {
            Err(Rejection::NotCommitted { place })
        }
    }

    fn check_entries(&self, opening: &Opening) -> Result<(), Rejection> {
        let Opening { place, tile, .. } = opening;
        let shape = self.challenge.workload.shape();
        let operands = round_operands(self.challenge, (place.round, self.roots));
        let drawn = entries(self.sigma, *place);
        let positions: Vec<Position> = drawn
            .iter()
            .map(|entry| position(shape, place.tile, *entry))
            .collect();
        let expected = operands.entries_bits(shape, &positions);
        for ((entry, at), expected_bits) in drawn.iter().zip(positions).zip(expected) {
            let actual_bits = tile.words()[*entry as usize];
            if actual_bits != expected_bits {
                return Err(Rejection::WrongEntry {
                    place: *place,
                    at,
                    expected_bits,
                    actual_bits,
                });
            }
        }
        Ok(())
    }
}
