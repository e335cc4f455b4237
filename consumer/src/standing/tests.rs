//! Tests of the places of bids in the book.

use market::Timestamp;

use super::*;

#[test]
fn bids_take_every_slot_but_the_sellers_and_then_none() {
    let mut taken: Vec<Slot> = Vec::new();
    while let Some(standing) = begin(&taken) {
        assert!(!taken.contains(&standing.slot));
        taken.push(standing.slot);
    }
    assert_eq!(taken.len(), 63);
    assert!(taken.iter().all(|slot| slot.number() > 0));
    let freed = taken.remove(20);
    assert_eq!(begin(&taken).map(|standing| standing.slot), Some(freed));
}

fn begin(taken: &[Slot]) -> Option<Standing> {
    let machine = Machine::new(Timestamp::from_millis(9));
    Standing::begin(machine, |slot| taken.contains(&slot))
}
