//! What the commands print that show past trades and what follows from them.

use insta::assert_snapshot;
use market_node::api::ClassesView;

use crate::commands::{
    market_classes, market_depth, market_history, market_rates, market_rebuild, market_trades,
};
use crate::fixture::past;
use crate::listing::whole;

#[test]
fn classes_at_a_glance_say_why_one_has_no_index() {
    let ClassesView {
        classes, height, ..
    } = past::classes();
    assert_snapshot!(market_classes::text(&whole(classes), height));
}

#[test]
fn both_sides_of_a_class_are_listed_from_the_best_price() {
    assert_snapshot!(market_depth::text(&past::depth()));
}

#[test]
fn candles_are_listed_oldest_first() {
    assert_snapshot!(market_history::text(&past::candles()));
}

#[test]
fn trades_are_listed_with_who_paid_whom() {
    assert_snapshot!(market_trades::text(&whole(past::trades().trades)));
}

#[test]
fn rates_stand_in_rows_and_columns_under_the_prices_they_are_made_of() {
    assert_snapshot!(market_rates::text(&past::rates()));
}

#[test]
fn a_rebuild_says_whether_anything_was_wrong() {
    assert_snapshot!(market_rebuild::text(&past::rebuilt()));
    let mut wrong = past::rebuilt();
    wrong.digest_before = "cd".repeat(32);
    let text = market_rebuild::text(&wrong);
    assert!(
        text.contains("was wrong, and is gone; its digest was cdcd"),
        "{text}"
    );
}

#[test]
fn a_market_without_trades_says_so() {
    let mut depth = past::depth();
    depth.asks.clear();
    let mut candles = past::candles();
    candles.candles.clear();
    let mut rates = past::rates();
    rates.classes.clear();
    for (text, said) in [
        (
            market_classes::text(&whole(Vec::new()), None),
            "no operator has told this node",
        ),
        (
            market_depth::text(&depth),
            "Nobody offers in this node's copy",
        ),
        (
            market_history::text(&candles),
            "No channel of class 8T-12G has settled",
        ),
        (
            market_trades::text(&whole(Vec::new())),
            "no channel has settled yet",
        ),
        (market_rates::text(&rates), "No class has a price"),
    ] {
        assert!(text.contains(said), "{text}");
    }
}
