//! Which rows of the list are explained, and by whom.

use market::OrderId;
use market_node::api::ProviderState;

use super::*;
use crate::fixture::{self, own_orders};

#[test]
fn the_row_of_the_ask_that_is_sold_says_why_it_is_not_filled_and_no_other_does() {
    let selling = fixture::provider(ProviderState::Waiting, "next in line");
    let selling = selling.provider.unwrap();
    let mut row = own_orders::orders().orders.remove(0);
    row.why = String::new();
    let mut other = row.clone();
    other.order = OrderId::from_bytes([9; 32]);
    explain_ask(&mut row, &selling);
    explain_ask(&mut other, &selling);
    assert_eq!((row.why.as_str(), other.why.as_str()), ("next in line", ""));
}

#[test]
fn the_row_of_a_bid_says_which_run_it_is_of_and_why_nobody_sells() {
    let mut row = own_orders::orders().orders.remove(0);
    let mut bid = fixture::bid();
    explain_bid(&mut row, &bid);
    assert_eq!(
        row.why,
        "run 2e2e2e2e2e2e2e2e: 40 offers: 31 too little memory, 9 above your price"
    );
    assert_eq!(row.state, OrderState::Standing);
    bid.state = BidState::Filling;
    bid.misfits = None;
    explain_bid(&mut row, &bid);
    assert_eq!(
        (row.why.as_str(), row.state),
        ("run 2e2e2e2e2e2e2e2e", OrderState::Filling)
    );
}
