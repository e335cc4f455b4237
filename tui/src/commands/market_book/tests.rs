//! Tests of what `market book` shows, and of what it says about the rest.

use clap::Parser as _;
use insta::assert_snapshot;
use market_node::api::{BookRow, BookView};

use super::{Args, text};
use crate::fixture;
use crate::listing::Listing;
use crate::output::Form;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn args(words: &[&str]) -> Result<Args, String> {
    let line = Line::try_parse_from(std::iter::once(&"book").chain(words));
    line.map(|line| line.args)
        .map_err(|error| error.to_string())
}

fn listing(book: BookView, words: &[&str]) -> Listing<BookRow> {
    // JSON, because a terminal's limit depends on where the test runs.
    args(words).unwrap().choice.of(book.asks, Form::Json)
}

/// A book of forty offers: prices rise, memory falls, the last three tell no bandwidth.
fn forty() -> BookView {
    let row = |index: u8| BookRow {
        price: fixture::price(&format!("0.{:02}", 10 + index)),
        usable_mib: 20_000 - 400 * u64::from(index),
        gpus: u16::from(1 + index % 3),
        gb_per_s: (index < 37).then_some(300 + u16::from(index)),
        ..fixture::book().asks.remove(0)
    };
    BookView {
        asks: (0..40).map(row).collect(),
        ..fixture::book()
    }
}

#[test]
fn what_fits_is_listed_and_counted() {
    let listing = listing(forty(), &["vram>=12 price<0.3", "gpus=3", "-o", "-vram"]);
    assert_snapshot!(text(&listing));
}

#[test]
fn what_each_term_leaves_out_is_explained_most_first() {
    let words = [
        "vram>=12 price<0.3 gpus=3",
        "--explain",
        "--limit",
        "2",
        "-o",
        "price-",
    ];
    assert_snapshot!(text(&listing(forty(), &words)));
}

#[test]
fn a_filter_that_nothing_fits_says_why() {
    assert_snapshot!(text(&listing(forty(), &["price<0.3 vram>=80"])));
}

#[test]
fn a_limit_says_what_it_hides() {
    let text = text(&listing(forty(), &["--limit", "10"]));
    assert_eq!(text.lines().count(), 12, "{text}");
    assert!(
        text.ends_with("Shown 10 of 40 offers; --limit 40 shows all.\n"),
        "{text}"
    );
}

#[test]
fn one_offer_that_fits_is_one() {
    let text = text(&listing(forty(), &["price=0.10"]));
    assert!(
        text.ends_with("Shown 1 of 1 offer that fits; 40 in the book.\n"),
        "{text}"
    );
}

#[test]
fn a_term_that_is_not_understood_is_a_usage_error_that_points_at_it() {
    let error = args(&["vram>=12 prize<0.4"]).unwrap_err();
    assert!(error.contains("in the term `prize<0.4`"), "{error}");
    assert!(error.contains("did you mean price?"), "{error}");
    let error = args(&["-o", "-prise"]).unwrap_err();
    assert!(error.contains("in the order `-prise`"), "{error}");
}
