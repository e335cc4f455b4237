//! Which rows of the list are explained, and by whom.

use market::OrderId;
use market_node::api::ProviderState;

use super::*;
use crate::fixture::{self, own_orders};

#[test]
fn the_row_of_the_ask_that_is_sold_says_why_it_is_not_filled_and_no_other_does() {
    let selling = fixture::provider(ProviderState::Waiting, "next in line").provider;
    let mut row = own_orders::orders().orders.remove(0);
    row.why = String::new();
    let mut other = row.clone();
    other.order = OrderId::from_bytes([9; 32]);
    explain(&mut row, selling.as_ref());
    explain(&mut other, selling.as_ref());
    assert_eq!((row.why.as_str(), other.why.as_str()), ("next in line", ""));
    row.why = String::new();
    explain(&mut row, None);
    assert_eq!(row.why, "");
}
