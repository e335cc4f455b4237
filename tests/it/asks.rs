//! Owns the tests of an ask as its owner meets it: shown, changed while the node runs, cancelled, offered again.
//!
//! Never buys anything.

use std::fs;

use serde_json::Value;

use crate::market::Market;
use crate::node::Node;
use crate::program;

/// Waits until `reader` sees one offer at exactly this price.
fn wait_for_price(reader: &Node, price: &str) {
    reader.retry(&format!("an offer at {price}"), || {
        let book = reader.json(&["market", "book"]);
        match book["asks"][0]["price"] == price {
            true => Ok(()),
            false => Err(book.to_string()),
        }
    });
}

#[test]
fn an_ask_changes_while_the_node_runs_is_cancelled_and_offered_again() {
    if !program::has_adapter() {
        return;
    }
    let market = Market::start();
    let seller = &market.provider;
    let shown = seller.json(&["ask"]);
    assert_eq!(shown["ask"]["price"], "0.25", "{shown}");
    assert_eq!(shown["ask"]["why"], "your fixed price");
    let changed = ["ask", "--price", "0.3", "--floor", "0.1", "--save"];
    let changed = seller.json(&changed);
    assert_eq!(changed["ask"]["price"], "0.3", "{changed}");
    assert_ne!(changed["ask"]["order"], shown["ask"]["order"]);
    wait_for_price(&market.consumer, "0.3");
    let file = market.folder.path().join("provider/config.toml");
    let file = fs::read_to_string(file).expect("the settings are there");
    assert!(file.contains("floor = \"0.1\""), "{file}");
    let orders = seller.json(&["orders"]);
    let row = &orders["orders"][0];
    assert_eq!(
        (&row["side"], &row["price"]),
        (&"ask".into(), &"0.3".into())
    );
    assert_eq!(row["order"], changed["ask"]["order"]);
    assert!(
        row["why"].as_str().is_some_and(|why| !why.is_empty()),
        "{row}"
    );
    let refused = seller.run(&["ask", "--price", "0"]);
    assert!(
        refused.stderr.contains("nothing was changed"),
        "{refused:?}"
    );
    let nobody = market.consumer.run(&["ask"]);
    assert!(nobody.stderr.contains("--provide"), "{nobody:?}");
    cancel(&market, row);
}

/// Cancels the ask of this row, and offers again.
fn cancel(market: &Market, row: &Value) {
    let seller = &market.provider;
    let digits = row["order"].as_str().expect("an id is text");
    let told = seller.run(&["cancel-order", &digits[..8]]).succeeded();
    assert!(
        told.contains("only this run of the node remembers it"),
        "{told}"
    );
    market.wait_for_offers(&market.consumer, 0);
    assert_eq!(seller.json(&["orders"])["orders"], Value::Array(Vec::new()));
    let again = seller.run(&["cancel-order", &digits[..8]]);
    assert!(again.stderr.contains("no order of this node"), "{again:?}");
    seller.run(&["ask", "--price", "0.2"]).succeeded();
    wait_for_price(&market.consumer, "0.2");
}
