//! Tests of the market screen: what it shows, and what it asks for.

use insta::assert_snapshot;
use market::{PricePerHour, Timestamp};
use market_node::api::{CandlesView, ClassesView, DepthView, StatusView};
use matching::Interval;

use super::super::market::{MarketNews, Subject};
use super::super::model::{Effect, Host, Key, Model, Msg, Overlay, Page};
use super::super::update::update;
use super::{drawn, live, press, waiting};
use crate::fixture;
use crate::fixture::market_data::{self, both_sides, waves};

/// A node that answers a second after its market data.
fn status() -> StatusView {
    let time = market_data::classes().time.unwrap();
    StatusView {
        protocol_time: Some(Timestamp::from_millis(time.as_millis() + 1_000)),
        ..waiting()
    }
}

fn tell(model: &mut Model, news: MarketNews) -> Vec<Effect> {
    update(model, Msg::Market(Box::new(news)))
}

fn with_classes(classes: ClassesView) -> Model {
    let mut model = live(status());
    press(&mut model, Key::Page(Page::Market));
    let classes = Some(classes);
    tell(
        &mut model,
        MarketNews {
            classes,
            ..MarketNews::default()
        },
    );
    model
}

fn full(depth: DepthView, candles: CandlesView) -> Model {
    let mut model = with_classes(market_data::classes());
    let news = MarketNews {
        depth: Some(depth),
        candles: Some(candles),
        ..MarketNews::default()
    };
    tell(&mut model, news);
    model
}

fn usual() -> Model {
    full(both_sides(), waves(Interval::Hour, 60))
}

#[test]
fn a_market_at_the_usual_size() {
    assert_snapshot!(drawn(&usual(), 80, 24));
}

#[test]
fn a_market_on_a_wide_window() {
    assert_snapshot!(drawn(&usual(), 120, 40));
}

#[test]
fn a_market_where_only_asks_stand_and_nothing_was_traded() {
    let asks = market_data::depth(&[], &[("0.21", 1), ("0.25", 3)]);
    let model = full(asks, waves(Interval::Hour, 0));
    assert_snapshot!(drawn(&model, 80, 24));
}

#[test]
fn a_market_without_any_class() {
    let empty = |height| ClassesView {
        height,
        classes: Vec::new(),
        ..market_data::classes()
    };
    assert_snapshot!(drawn(&with_classes(empty(Some(1230))), 80, 24));
    let screen = drawn(&with_classes(empty(None)), 120, 40);
    assert!(screen.contains("no operator has answered yet"), "{screen}");
}

#[test]
fn a_market_before_any_operator_answered() {
    let mut model = usual();
    let classes = ClassesView {
        height: None,
        ..market_data::classes()
    };
    let news = MarketNews {
        classes: Some(classes),
        ..MarketNews::default()
    };
    tell(&mut model, news);
    let screen = drawn(&model, 80, 24);
    assert!(
        screen.contains("No operator has answered yet: what was traded is not known."),
        "{screen}"
    );
}

#[test]
fn a_market_whose_node_is_lost_stays_with_its_time() {
    let mut model = usual();
    let why = || "no node runs in /home/me; start one with `nightshift up`".to_owned();
    update(&mut model, Msg::Lost(why()));
    tell(
        &mut model,
        MarketNews {
            lost: Some(why()),
            ..MarketNews::default()
        },
    );
    assert_snapshot!(drawn(&model, 80, 24));
}

#[test]
fn a_market_before_the_first_answer() {
    let mut model = Model::new(Host::Here);
    press(&mut model, Key::NextPage);
    let screen = drawn(&model, 80, 24);
    assert!(
        screen.contains("Starting: The node starts in this window."),
        "{screen}"
    );
    let mut model = live(status());
    press(&mut model, Key::NextPage);
    assert!(drawn(&model, 80, 24).contains("Asking the node."));
    let news = MarketNews {
        lost: Some("it is \u{1b}[2J too old".to_owned()),
        ..MarketNews::default()
    };
    tell(&mut model, news);
    let screen = drawn(&model, 80, 24);
    assert!(
        screen.contains("does not tell about the market: it is"),
        "{screen}"
    );
    assert!(!screen.contains('\u{1b}'));
}

#[test]
fn old_figures_are_called_old() {
    let mut model = usual();
    let time = market_data::classes().time.unwrap();
    let later = StatusView {
        protocol_time: Some(Timestamp::from_millis(time.as_millis() + 130_000)),
        height: Some(1_250),
        ..waiting()
    };
    update(&mut model, Msg::Status(Box::new(later)));
    let screen = drawn(&model, 120, 40);
    assert!(screen.contains("UTC, 2m 10s ago"), "{screen}");
    assert!(screen.contains("block 1230, 20 blocks behind"), "{screen}");
}

#[test]
fn long_prices_leave_less_important_columns_out() {
    let mut classes = market_data::classes();
    for row in &mut classes.classes {
        let exact = Some(fixture::price("123.000000001"));
        (row.best_bid, row.best_ask, row.mid, row.spread, row.last) =
            (exact, exact, exact, exact, exact);
    }
    let screen = drawn(&with_classes(classes), 80, 24);
    assert!(
        screen.contains("index") && !screen.contains("spread"),
        "{screen}"
    );
}

#[test]
fn more_classes_than_rows_scroll_with_the_choice() {
    let mut classes = market_data::classes();
    let one = classes.classes.pop().unwrap();
    let names = [
        "1T-4G", "1.4T-4G", "2T-4G", "2.8T-4G", "4T-4G", "5.6T-4G", "8T-4G", "11T-4G",
    ];
    classes.classes = names
        .iter()
        .map(|name| {
            let mut row = one.clone();
            row.class = name.parse().unwrap();
            row
        })
        .collect();
    let mut model = with_classes(classes);
    for _ in 0..9 {
        press(&mut model, Key::Down);
    }
    assert_eq!(model.market.chosen, Some("11T-4G".parse().unwrap()));
    let screen = drawn(&model, 80, 24);
    assert!(
        screen.contains(">  11T-4G") && screen.contains("class 8 of 8"),
        "{screen}"
    );
    assert!(!screen.contains(" 1T-4G"), "{screen}");
}

#[test]
fn the_market_is_asked_for_only_while_its_screen_is_shown() {
    let mut model = live(status());
    let unknown = Subject {
        class: None,
        interval: Interval::Hour,
    };
    let key = Key::Page(Page::Market);
    assert_eq!(press(&mut model, key), [Effect::Watch(Some(unknown))]);
    assert!(press(&mut model, key).is_empty());
    let news = MarketNews {
        classes: Some(market_data::classes()),
        ..MarketNews::default()
    };
    let own = Subject {
        class: Some("8T-12G".parse().unwrap()),
        ..unknown
    };
    assert_eq!(
        tell(&mut model, news.clone()),
        [Effect::Watch(Some(own))],
        "the class of this machine is chosen first"
    );
    assert!(tell(&mut model, news.clone()).is_empty());
    assert_eq!(press(&mut model, Key::NextPage), [Effect::Watch(None)]);
    assert_eq!(model.page, Page::Home);
    assert!(tell(&mut model, news).is_empty());
    assert!(press(&mut model, Key::Down).is_empty());
    assert_eq!(
        press(&mut model, Key::PreviousPage),
        [Effect::Watch(Some(own))]
    );
}

#[test]
fn choosing_asks_for_what_is_chosen_and_shows_nothing_else_under_its_name() {
    let mut model = usual();
    assert!(press(&mut model, Key::Down).is_empty(), "it is the last");
    let [Effect::Watch(Some(subject))] = press(&mut model, Key::Keep)[..] else {
        panic!("k goes up");
    };
    assert_eq!(subject.class, Some("4T-8G".parse().unwrap()));
    assert!(model.market.depth().is_none() && model.market.candles().is_none());
    assert!(drawn(&model, 80, 24).contains("Asking the node."));
    press(&mut model, Key::Down);
    assert!(model.market.depth().is_some());
}

#[test]
fn i_goes_round_the_intervals() {
    let mut model = usual();
    let mut seen = Vec::new();
    for _ in 0..3 {
        press(&mut model, Key::Interval);
        seen.push(model.market.interval);
    }
    assert_eq!(seen, [Interval::Day, Interval::Minute, Interval::Hour]);
}

#[test]
fn pausing_and_leaving_work_on_the_market_screen_too() {
    let mut model = usual();
    assert_eq!(press(&mut model, Key::Pause), [Effect::Pause]);
    press(&mut model, Key::Help);
    assert_eq!(model.overlay, Overlay::Help);
    assert_snapshot!(drawn(&model, 80, 24));
    press(&mut model, Key::Page(Page::Home));
    assert_eq!(model.page, Page::Market, "a key closes the list alone");
    assert_eq!(press(&mut model, Key::Quit), [Effect::Quit]);
}

#[test]
fn no_size_of_window_breaks_the_market() {
    let mut model = usual();
    let most = PricePerHour(market::Amount::from_nanocredits(u64::MAX));
    for row in &mut model.market.classes.as_mut().unwrap().classes {
        row.best_ask = Some(most);
        row.change_24h_bps = Some(i64::MIN);
    }
    for (width, height) in [(1, 1), (70, 20), (71, 21), (100, 20), (70, 60), (300, 100)] {
        drawn(&model, width, height);
    }
}
