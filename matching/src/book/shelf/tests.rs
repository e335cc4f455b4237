//! Shelves compared with a sorted list, and the bounds of their runs with all of their rows.

use proptest::prelude::*;

use super::*;
use crate::fixture::{ask, class, node, price};

fn row(maker: u8, slot: u8, nanocredits: u64) -> Row {
    let register = Register {
        node: node(maker),
        slot: market::order::Slot::new(slot).unwrap(),
    };
    let known = Known {
        stands_until: Timestamp::from_millis(1_000 + u64::from(slot)),
        proven_until: Timestamp::from_millis(nanocredits % 7),
        reputation: Reputation::default(),
    };
    let mut offered = ask();
    offered.price = price(nanocredits);
    offered.gpus = 1 + u16::from(slot) % 5;
    offered.figures.usable_mib = 8_192 + u32::from(maker);
    Row::new(register, &offered, known)
}

fn check(shelf: &Shelf) {
    for run in shelf.runs() {
        assert!(!run.rows().is_empty() && run.rows().len() <= RUN);
        for row in run.rows() {
            let (mut worst, mut best) = (*run.worst(), *run.best());
            worst.worsen(row);
            best.better(row);
            assert_eq!(
                (&worst, &best),
                (run.worst(), run.best()),
                "a row beyond its bounds"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rows_lie_in_order_and_within_the_bounds_of_their_runs(
        steps in prop::collection::vec((any::<bool>(), 1_u8..20, 0_u8..64, 1_u64..9), 1..1_500),
    ) {
        let mut shelves = Shelves::default();
        let mut list: Vec<Row> = Vec::new();
        let class = class("1T-8G");
        for (takes, maker, slot, nanocredits) in steps {
            let new = row(maker, slot, nanocredits);
            match takes && list.contains(&new) {
                true => {
                    shelves.remove(class, &new);
                    list.retain(|it| *it != new);
                }
                false if list.contains(&new) => {}
                false => {
                    shelves.insert(class, new);
                    list.push(new);
                }
            }
        }
        list.sort_by_key(Row::key);
        let shelf = shelves.class(class);
        prop_assert!(list.iter().eq(shelf.into_iter().flat_map(Shelf::rows)));
        shelf.into_iter().for_each(check);
        let account = Head::from(&ask().account);
        prop_assert_eq!(shelves.sells(account), !list.is_empty());
        for row in &list {
            shelves.remove(class, row);
        }
        prop_assert!(!shelves.sells(account) && shelves.class(class).is_none());
    }
}
