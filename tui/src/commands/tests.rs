//! Tests of what the reading commands print.

mod past;

use clap_complete::Shell;
use insta::assert_snapshot;
use market::Amount;
use market::receipt::Outcome;
use market_node::api::{
    AskChange, BidDetail, BidState, BidView, BudgetView, JobView, NumberedEvent, ProviderState,
    QuoteView, RunEvent, RunId, RunView, StatusView,
};
use market_node::config::Strategy;

use super::quote::Detail;
use super::{
    ask, cancel_order, completions, describe, logs, man, market_book, operator_status, orders, ps,
    quote, status, wallet_balance, wallet_history, wallet_send,
};
use crate::fixture::{self, own_orders};
use crate::listing::whole;

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
fn money_that_cannot_be_asked_for_now_is_shown_with_its_age() {
    let mut view = fixture::consumer();
    let text = status::plain(&view);
    assert!(!text.contains("ago"), "{text}");
    for (age_s, said) in [(40, "as of 40 s ago"), (130, "as of 2m 10s ago")] {
        view.balance.as_mut().unwrap().stale_s = Some(age_s);
        let text = status::plain(&view);
        assert!(text.contains(said), "{text}");
        let text = wallet_balance::text(view.balance.as_ref().unwrap());
        assert!(text.contains(said), "{text}");
    }
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
    let jobs = vec![
        fixture::job(),
        fixture::settled(Outcome::Completed),
        fixture::settled(Outcome::OutOfBudget),
    ];
    assert_snapshot!(ps::text(&ps::merged(jobs, Vec::new())));
}

#[test]
fn status_names_the_bids_that_wait_and_why_nobody_sells() {
    let view = StatusView {
        bids: vec![fixture::bid()],
        ..fixture::consumer()
    };
    assert_snapshot!(status::text(&view));
}

#[test]
fn bids_are_listed_among_the_jobs_with_what_they_wait_for() {
    let unsold = BidView {
        state: BidState::Unsold,
        note: Some("nobody sold for at most 0.25 cr/h while the bid stood".to_owned()),
        since: market::Timestamp::from_millis(0),
        ..fixture::bid()
    };
    let bids = vec![fixture::bid(), unsold];
    assert_snapshot!(ps::text(&ps::merged(vec![fixture::job()], bids)));
}

#[test]
fn a_run_that_bids_is_described_with_why_nobody_sells() {
    let detail = BidDetail {
        bid: fixture::bid(),
        budget: BudgetView {
            max_price: Some("0.25".parse().unwrap()),
            ..BudgetView::default()
        },
        spec: fixture::detail().spec,
        sandbox_level: 2,
        events: (0, 3),
    };
    assert_snapshot!(describe::bid_text(&detail));
}

#[test]
fn a_run_that_bids_and_one_that_bought_are_told_apart_in_json() {
    let runs = ps::merged(vec![fixture::job()], vec![fixture::bid()]);
    let text = serde_json::to_string(&runs).unwrap();
    let read: Vec<RunView> = serde_json::from_str(&text).unwrap();
    assert_eq!(read, runs);
}

#[test]
fn the_book_is_listed() {
    assert_snapshot!(market_book::text(&whole(fixture::book().asks)));
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
        fitting: 0,
        expected: None,
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
    let text = wallet_history::text(&fixture::history(), wallet_history::Args::default());
    assert!(!text.contains('\x1b'));
    assert_snapshot!(text);
}

#[test]
fn a_page_of_history_names_the_next_one_where_there_is_one() {
    let mut view = fixture::history();
    let short = wallet_history::Args {
        limit: "6".parse().unwrap(),
        before: Some("1230:4".parse().unwrap()),
    };
    let text = wallet_history::text(&view, short);
    let next = "\nNext page: nightshift wallet history --limit 6 --before 7:2\n";
    assert!(text.ends_with(next), "{text}");
    view.next = None;
    let text = wallet_history::text(&view, short);
    assert!(!text.contains("Next page"), "{text}");
    view.entries.clear();
    let text = wallet_history::text(&view, short);
    assert!(text.ends_with("before 1230:4.\n"), "{text}");
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
    let mut history = fixture::history();
    history.entries.clear();
    for text in [
        ps::text(&[]),
        wallet_history::text(&history, wallet_history::Args::default()),
        market_book::text(&whole(book.asks)),
    ] {
        assert!(text.starts_with("No"), "{text}");
    }
}

#[test]
fn a_status_in_a_file_has_a_line_a_row() {
    let mut view = fixture::consumer();
    view.jobs = vec![fixture::job(), fixture::refunding()];
    view.notes = vec!["this system may go to sleep".to_owned()];
    assert_snapshot!(status::plain(&view));
}

#[test]
fn a_run_that_moved_is_described_with_its_attempts_and_files() {
    assert_snapshot!(describe::text(&fixture::detail()));
}

#[test]
fn a_run_before_its_first_attempt_is_described() {
    let mut detail = fixture::detail();
    detail.attempts.clear();
    detail.artefacts.clear();
    detail.checkpoint_step = None;
    detail.budget = BudgetView::default();
    let text = describe::text(&detail);
    for part in [
        "Attempts\nnone yet\n",
        "Delivered\nnothing yet\n",
        "another provider would begin again",
        "its time limit at the first price",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn without_all_the_last_ten_that_ended_are_listed_and_all_that_go_on() {
    let ended = |number: u8| JobView {
        run: RunId::from_bytes([number; 8]),
        ..fixture::settled(Outcome::Completed)
    };
    let mut jobs: Vec<JobView> = (0..12).map(ended).collect();
    jobs.push(fixture::refunding());
    jobs.push(fixture::job());
    let listed = ps::recent(jobs);
    assert_eq!(listed.len(), 12);
    assert_eq!(listed[9].run, RunId::from_bytes([9; 8]));
    assert!(listed[10].pending_refund.is_some());
    assert_eq!(listed[11].outcome, None);
}

#[test]
fn logs_tell_how_a_provider_was_lost_and_where_the_job_went_on() {
    let due_at = fixture::job().started_at;
    let amount = fixture::amount("0.2");
    let events = [
        RunEvent::Silent { since_ms: 15_000 },
        RunEvent::Back,
        RunEvent::Lost {
            reason: "every address refuses".to_owned(),
        },
        RunEvent::PendingRefund { amount, due_at },
        RunEvent::Moved {
            attempt: 2,
            from_step: 40,
        },
        RunEvent::Note {
            line: "waiting \x1b[2J for an offer".to_owned(),
        },
        RunEvent::Finished(Box::new(JobView {
            paid: Amount::ZERO,
            ..fixture::settled(Outcome::Completed)
        })),
    ];
    let mut reader = logs::Reader::new();
    let events = (0..).zip(events);
    let lines = events.map(|(n, event)| reader.read(&NumberedEvent { n, event }));
    let text = lines.collect::<Vec<String>>().join("\n");
    assert!(!text.contains('\x1b'));
    assert_snapshot!(text);
}

#[test]
fn every_shell_learns_the_commands() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish] {
        let script = completions::script(shell);
        assert!(script.contains("describe"), "{shell}");
    }
}

#[test]
fn the_manual_names_the_commands_and_the_exit_codes() {
    let page = man::page().unwrap();
    assert!(page.starts_with(".ie"), "{page}");
    for part in [".TH nightshift 1", "describe", "130", "no offer fits"] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn orders_are_listed_with_why_they_are_not_filled() {
    assert_snapshot!(orders::text(&own_orders::orders()));
    let mut none = own_orders::orders();
    none.orders.clear();
    assert!(orders::text(&none).starts_with("No order of this node stands"));
}

#[test]
fn a_cancelled_order_says_what_that_means() {
    let mut row = own_orders::orders().orders.remove(0);
    row.why = "none is posted \x1b until".to_owned();
    let text = cancel_order::text(&row);
    assert!(
        text.starts_with("Cancelled ask 0d0d0d0d: 8T-12G at 0.25 cr/h.\n"),
        "{text}"
    );
    assert!(!text.contains('\x1b'), "{text}");
    assert!("0D0d".parse::<cancel_order::OrderDigits>().is_ok());
    for wrong in ["0d0", "0d0x", ""] {
        assert!(
            wrong.parse::<cancel_order::OrderDigits>().is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn an_ask_tells_its_price_where_it_comes_from_and_why_it_is_not_filled() {
    let why = "not filled: 12 cheaper offers in 8T-12G; at 0.219 cr/h you would be next";
    let view = fixture::provider(ProviderState::Waiting, why);
    assert_snapshot!(ask::text(&view.provider.unwrap()));
}

#[test]
fn what_is_saved_are_settings_that_the_file_takes() {
    let change = AskChange {
        price: Some(fixture::price("0.2")),
        floor: Some(fixture::price("0")),
        strategy: Some(Strategy::FollowMid),
        undercut_step: Some(fixture::price("0.002")),
        watts: Some(220),
        tariff: Some(fixture::amount("0.31")),
        margin: Some(fixture::price("0.01")),
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    for (key, value) in ask::settings(&change) {
        market_node::config::set_in_file(&file, key, &value).unwrap();
    }
    let settings = market_node::config::Settings::layered(&file, []).unwrap();
    let sell = &settings.config().sell;
    assert_eq!((sell.strategy, sell.watts), (Strategy::FollowMid, 220));
    assert_eq!(
        (sell.price, sell.margin),
        (fixture::price("0.2"), fixture::price("0.01"))
    );
    assert_eq!(ask::settings(&AskChange::default()), []);
}
