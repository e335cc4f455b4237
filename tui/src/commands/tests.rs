//! Tests of what the reading commands print.

use insta::assert_snapshot;
use market::receipt::Outcome;
use market_node::api::{ProviderState, QuoteView};

use super::quote::Detail;
use super::{
    market_book, operator_status, ps, quote, status, wallet_balance, wallet_history, wallet_send,
};
use crate::fixture;

#[test]
fn status_of_a_provider_with_a_lease() {
    assert_snapshot!(status::text(&fixture::earning(20, 4.0)));
}

#[test]
fn status_of_a_consumer_without_an_operator() {
    let mut view = fixture::consumer();
    view.operator_reachable = false;
    view.height = None;
    view.balance = None;
    view.jobs = vec![fixture::job()];
    assert_snapshot!(status::text(&view));
}

#[test]
fn status_says_why_nothing_is_earned_and_what_is_missing() {
    let mut view = fixture::provider(ProviderState::Offline, "jobs cannot be confined");
    let sandbox = &mut view.provider.as_mut().unwrap().sandbox;
    sandbox.ready = false;
    sandbox.problem = Some("the kernel has no Landlock; use Linux 6.12 or newer".to_owned());
    let text = status::text(&view);
    assert!(
        text.contains("Offline at 0.25 cr/h: jobs cannot be confined"),
        "{text}"
    );
    assert!(text.contains("the kernel has no Landlock"), "{text}");
}

#[test]
fn jobs_are_listed_with_what_they_cost() {
    let jobs = [
        fixture::job(),
        fixture::settled(Outcome::Completed),
        fixture::settled(Outcome::OutOfBudget),
    ];
    assert_snapshot!(ps::text(&jobs));
}

#[test]
fn the_book_is_listed() {
    assert_snapshot!(market_book::text(&fixture::book()));
}

#[test]
fn a_quote_marks_the_chosen_offer_and_explains_the_others() {
    let detail = Detail {
        limit: 10,
        explain: true,
    };
    assert_snapshot!(quote::text(&fixture::quote(), detail));
}

#[test]
fn a_short_quote_counts_what_it_leaves_out() {
    let detail = Detail {
        limit: 1,
        explain: false,
    };
    let text = quote::text(&fixture::quote(), detail);
    assert!(
        text.contains("Shown 1 of 2 offers that fit; 5 in the book."),
        "{text}"
    );
    assert!(!text.contains("above your price"), "{text}");
}

#[test]
fn a_quote_without_offers_always_says_why() {
    let view = QuoteView {
        offers: Vec::new(),
        ..fixture::quote()
    };
    let detail = Detail {
        limit: 10,
        explain: false,
    };
    assert_snapshot!(quote::text(&view, detail));
}

#[test]
fn the_balance_tells_what_is_locked() {
    assert_snapshot!(wallet_balance::text(&fixture::consumer().balance.unwrap()));
}

#[test]
fn notes_of_others_are_shown_and_not_obeyed() {
    let text = wallet_history::text(&fixture::history());
    assert!(!text.contains('\x1b'));
    assert_snapshot!(text);
}

#[test]
fn a_transfer_tells_its_block() {
    let text = wallet_send::text("sent 0.25 cr to a1", &fixture::transaction());
    assert!(
        text.starts_with("sent 0.25 cr to a1\nfinal in block 1230, transaction 7a7a"),
        "{text}"
    );
}

#[test]
fn the_operator_sees_that_money_adds_up() {
    assert_snapshot!(operator_status::text(&fixture::operator()));
}

#[test]
fn the_operator_is_told_when_money_does_not_add_up() {
    let mut view = fixture::operator();
    view.audit.conserved = false;
    assert!(operator_status::text(&view).contains("NO: the sums differ"));
}

#[test]
fn empty_lists_say_so() {
    let mut book = fixture::book();
    book.asks.clear();
    for text in [
        ps::text(&[]),
        wallet_history::text(&[]),
        market_book::text(&book),
    ] {
        assert!(text.starts_with("No"), "{text}");
    }
}
