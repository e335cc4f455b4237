//! Reputation: what receipts do to it, and what one payer cannot.

use proptest::prelude::*;

use super::*;

fn deal(payer: u8, fee: u64, outcome: Outcome) -> Deal {
    Deal {
        payer: AccountId::from_bytes([payer; 32]),
        fee: Amount::from_nanocredits(fee),
        outcome,
    }
}

#[test]
fn nothing_known_is_neither_good_nor_bad() {
    let unknown = Reputation::default();
    assert_eq!(unknown.bps(), 9_000);
    assert_eq!(Reputation::of([]), unknown);
    assert_eq!(Reputation::of([deal(1, 0, Outcome::Lost)]), unknown);
    assert_eq!(unknown.cost_factor_bps(), 11_000);
}

#[test]
fn delivering_to_many_makes_a_name_and_losing_jobs_costs_it() {
    let all = |outcome| Reputation::of((0..100).map(|payer| deal(payer, 50, outcome)));
    assert_eq!(all(Outcome::Completed).bps(), 9_952);
    assert_eq!(all(Outcome::Failed), all(Outcome::Completed));
    assert_eq!(all(Outcome::Yielded).bps(), 5_190);
    assert_eq!(all(Outcome::Lost).bps(), 428);
    assert_eq!(all(Outcome::Lost).cost_factor_bps(), 19_572);
}

#[test]
fn one_deal_moves_it_by_a_sixth_at_most() {
    assert_eq!(
        Reputation::of([deal(1, 7, Outcome::Completed)]).bps(),
        9_166
    );
    assert_eq!(Reputation::of([deal(1, 7, Outcome::Lost)]).bps(), 7_500);
}

fn any_deal() -> impl Strategy<Value = Deal> {
    let outcome = prop::sample::select(vec![Outcome::Completed, Outcome::Yielded, Outcome::Lost]);
    (0_u8..60, 0_u64..1_000_000, outcome)
        .prop_map(|(payer, fee, outcome)| deal(payer, fee, outcome))
}

proptest! {
    #[test]
    fn the_order_of_receipts_does_not_matter(
        (one, other) in prop::collection::vec(any_deal(), 0..40)
            .prop_flat_map(|deals| (Just(deals.clone()), Just(deals).prop_shuffle())),
    ) {
        prop_assert_eq!(Reputation::of(one), Reputation::of(other));
    }

    #[test]
    fn a_payer_however_much_it_pays_is_one_voice_of_twenty(
        mut deals in prop::collection::vec(any_deal(), 30..80),
        fee in 1_u64..u64::MAX / 2,
        outcome in prop::sample::select(vec![Outcome::Completed, Outcome::Lost]),
    ) {
        // Twenty others who pay, so that a twentieth can be kept.
        deals.extend((0..20).map(|payer| deal(payer, 1 + u64::from(payer), Outcome::Yielded)));
        let before = Reputation::of(deals.iter().copied());
        deals.push(deal(200, fee, outcome));
        let after = Reputation::of(deals);
        // Its own twentieth, and that the cap of the others rises by as much.
        prop_assert!(after.bps().abs_diff(before.bps()) <= 1_000, "{before:?} {after:?}");
    }

    #[test]
    fn a_deal_kept_never_costs_and_a_deal_lost_never_helps_the_voice_it_is_of(
        fees in prop::collection::vec(1_u64..1_000, 1..20),
        lost in 0_usize..20,
    ) {
        let with = |kept: usize| Reputation::of(fees.iter().enumerate().map(|(place, fee)| {
            deal(1, *fee, if place < kept { Outcome::Completed } else { Outcome::Lost })
        }));
        let lost = lost.min(fees.len());
        prop_assert!(with(fees.len() - lost) <= with(fees.len()));
    }
}
