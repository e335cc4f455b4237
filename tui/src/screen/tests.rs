//! Tests of what the screen shows and of what keys do.

use insta::assert_snapshot;
use market::AgreementId;
use market_node::api::{ProviderState, StatusView};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::big;
use super::model::{Effect, Host, Key, Model, Msg, Overlay, Page, Trade};
use super::runner::meaning;
use super::update::update;
use super::view::view;
use crate::fixture;

mod market_screen;

fn drawn(model: &Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view(model, frame)).unwrap();
    terminal.backend().to_string()
}

fn live(status: StatusView) -> Model {
    let mut model = Model::new(Host::Elsewhere);
    update(&mut model, Msg::Status(Box::new(status)));
    model
}

fn press(model: &mut Model, key: Key) -> Vec<Effect> {
    update(model, Msg::Key(key))
}

fn waiting() -> StatusView {
    let why = "not filled: 3 cheaper offers in 8T-12G; at 0.2 cr/h you would be next";
    fixture::provider(ProviderState::Waiting, why)
}

fn earning() -> Model {
    let mut model = live(fixture::earning(1, 5.5));
    for step in 2..=60 {
        let status = fixture::earning(step, 1.0 + 4.5 / step as f32);
        update(&mut model, Msg::Status(Box::new(status)));
    }
    model
}

#[test]
fn waiting_at_the_usual_size() {
    assert_snapshot!(drawn(&live(waiting()), 80, 24));
}

#[test]
fn earning_at_the_usual_size() {
    assert_snapshot!(drawn(&earning(), 80, 24));
}

#[test]
fn earning_while_also_buying_on_a_wide_window() {
    let mut model = earning();
    let mut status = fixture::earning(61, 1.07);
    status.jobs = vec![fixture::job()];
    update(&mut model, Msg::Status(Box::new(status)));
    assert_snapshot!(drawn(&model, 120, 40));
}

#[test]
fn paused() {
    let mut model = live(fixture::provider(
        ProviderState::Paused,
        "you paused selling",
    ));
    update(
        &mut model,
        Msg::Refused("the node could not do it".to_owned()),
    );
    assert_snapshot!(drawn(&model, 80, 24));
}

#[test]
fn offline_because_no_node_answers() {
    let mut model = live(waiting());
    update(
        &mut model,
        Msg::Lost("no node runs in /home/me; start one with `nightshift up`".to_owned()),
    );
    assert_snapshot!(drawn(&model, 80, 24));
}

#[test]
fn offline_because_jobs_cannot_be_confined() {
    let mut status = fixture::provider(
        ProviderState::Offline,
        "nothing is offered: jobs cannot be confined",
    );
    let sandbox = &mut status.provider.as_mut().unwrap().sandbox;
    sandbox.ready = false;
    sandbox.problem = Some("the kernel has no Landlock".to_owned());
    status.operator_reachable = false;
    assert_snapshot!(drawn(&live(status), 80, 24));
}

#[test]
fn watching_without_anything_to_do() {
    assert_snapshot!(drawn(&live(fixture::consumer()), 80, 24));
}

#[test]
fn a_balance_that_cannot_be_asked_for_now_is_shown_with_its_age() {
    let mut status = fixture::consumer();
    status.operator_reachable = false;
    status.balance.as_mut().unwrap().stale_s = Some(40);
    let screen = drawn(&live(status), 80, 24);
    assert!(screen.contains("as of         40 s ago"), "{screen}");
}

#[test]
fn buying_on_a_wide_window() {
    let mut status = fixture::consumer();
    status.jobs = vec![fixture::job(), fixture::job()];
    assert_snapshot!(drawn(&live(status), 120, 40));
}

#[test]
fn bids_that_wait_are_listed_under_what_runs() {
    let status = StatusView {
        bids: vec![fixture::bid()],
        ..fixture::consumer()
    };
    assert_snapshot!(drawn(&live(status), 100, 24));
}

#[test]
fn starting_a_node_in_this_window() {
    assert_snapshot!(drawn(&Model::new(Host::Here), 80, 24));
}

#[test]
fn starting_a_node_that_sells_tells_what_a_job_can_do() {
    let mut model = Model::new(Host::Here);
    model.trade = Trade::Sells;
    assert_snapshot!(drawn(&model, 70, 20));
}

#[test]
fn too_small_a_window_says_so() {
    assert_snapshot!(drawn(&earning(), 40, 12));
}

#[test]
fn no_size_of_window_breaks_the_drawing() {
    let mut model = earning();
    model.overlay = Overlay::ConfirmQuit;
    for (width, height) in [
        (1, 1),
        (2, 1),
        (69, 20),
        (70, 19),
        (70, 20),
        (71, 21),
        (300, 100),
    ] {
        drawn(&model, width, height);
    }
}

#[test]
fn the_list_of_keys_lies_over_the_screen_until_a_key() {
    let mut model = live(waiting());
    press(&mut model, Key::Help);
    assert_snapshot!(drawn(&model, 80, 24));
    assert!(press(&mut model, Key::Pause).is_empty());
    assert_eq!(model.overlay, Overlay::None);
}

#[test]
fn p_pauses_and_p_again_resumes() {
    let mut model = live(waiting());
    assert_eq!(press(&mut model, Key::Pause), [Effect::Pause]);
    let paused = fixture::provider(ProviderState::Paused, "you paused selling")
        .provider
        .unwrap();
    update(&mut model, Msg::Acted(Box::new(paused)));
    assert_eq!(model.state_word(), "Paused");
    assert_eq!(press(&mut model, Key::Pause), [Effect::Resume]);
}

#[test]
fn p_asks_for_nothing_where_nothing_is_sold_or_nobody_answers() {
    let mut buying = live(fixture::consumer());
    assert!(press(&mut buying, Key::Pause).is_empty());
    assert!(buying.notice.unwrap().contains("does not sell"));
    let mut starting = Model::new(Host::Here);
    assert!(press(&mut starting, Key::Pause).is_empty());
}

#[test]
fn q_leaves_at_once_when_the_node_goes_on_elsewhere() {
    assert_eq!(press(&mut earning(), Key::Quit), [Effect::Quit]);
}

#[test]
fn q_asks_before_it_stops_work_in_this_window() {
    let mut model = earning();
    model.host = Host::Here;
    assert!(press(&mut model, Key::Quit).is_empty());
    assert_snapshot!(drawn(&model, 80, 24));
    assert!(press(&mut model, Key::Other).is_empty());
    assert_eq!(model.overlay, Overlay::None);
    press(&mut model, Key::Quit);
    assert_eq!(press(&mut model, Key::Quit), [Effect::Quit]);
}

#[test]
fn the_system_and_ctrl_c_end_the_screen_without_a_question() {
    let mut model = earning();
    model.host = Host::Here;
    assert_eq!(update(&mut model, Msg::Terminate), [Effect::Quit]);
    assert_eq!(press(&mut model, Key::Interrupt), [Effect::Quit]);
}

#[test]
fn a_node_that_starts_here_is_not_called_offline() {
    let lost = || Msg::Lost("no node runs".to_owned());
    let mut model = Model::new(Host::Here);
    update(&mut model, lost());
    assert_eq!(model.state_word(), "Starting");
    update(
        &mut model,
        Msg::NotStarted("this home has joined no market".to_owned()),
    );
    assert_eq!(model.state_word(), "Offline");
    update(&mut model, lost());
    assert_eq!(model.why(), "this home has joined no market");
}

#[test]
fn another_lease_begins_another_curve() {
    let mut model = earning();
    let mut status = fixture::earning(1, 9.0);
    let lease = status.provider.as_mut().unwrap().lease.as_mut().unwrap();
    lease.agreement = AgreementId::from_bytes([1; 32]);
    update(&mut model, Msg::Status(Box::new(status)));
    assert_eq!(model.losses.sparkline(40).chars().count(), 1);
}

#[test]
fn a_step_that_is_polled_twice_counts_once() {
    let mut model = live(fixture::earning(1, 5.5));
    update(&mut model, Msg::Status(Box::new(fixture::earning(1, 5.5))));
    assert_eq!(model.losses.sparkline(40).chars().count(), 1);
    update(&mut model, Msg::Status(Box::new(fixture::earning(2, 5.0))));
    assert_eq!(model.losses.sparkline(40).chars().count(), 2);
}

#[test]
fn every_state_word_has_its_letters_and_fits() {
    for word in [
        "Earning", "Waiting", "Paused", "Offline", "Buying", "Watching", "Starting",
    ] {
        let has_glyph = |letter: char| big::glyph(letter.to_ascii_uppercase()).is_some();
        assert!(word.chars().all(has_glyph), "{word}");
        for row in big::word(word) {
            assert!(row.chars().count() <= 40, "{word}: {row}");
        }
    }
}

#[test]
fn keys_mean_what_the_help_says() {
    let key = |code| meaning(KeyEvent::new(code, KeyModifiers::NONE));
    assert_eq!(key(KeyCode::Char('p')), Key::Pause);
    assert_eq!(key(KeyCode::Char('q')), Key::Quit);
    assert_eq!(key(KeyCode::Char('?')), Key::Help);
    assert_eq!(key(KeyCode::Char('c')), Key::Other);
    assert_eq!(key(KeyCode::Char('1')), Key::Page(Page::Home));
    assert_eq!(key(KeyCode::Char('2')), Key::Page(Page::Market));
    assert_eq!(key(KeyCode::Char('3')), Key::Other);
    assert_eq!(key(KeyCode::Tab), Key::NextPage);
    assert_eq!(key(KeyCode::BackTab), Key::PreviousPage);
    assert_eq!(key(KeyCode::Up), Key::Up);
    for down in [KeyCode::Down, KeyCode::Char('j')] {
        assert_eq!(key(down), Key::Down);
    }
    assert_eq!(key(KeyCode::Char('i')), Key::Interval);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(meaning(interrupt), Key::Interrupt);
}

#[test]
fn k_keeps_the_node_where_q_asked_and_nowhere_else() {
    let mut model = earning();
    model.host = Host::Here;
    assert!(press(&mut model, Key::Keep).is_empty());
    press(&mut model, Key::Quit);
    assert_eq!(press(&mut model, Key::Keep), [Effect::Keep]);
    let mut watching = live(fixture::consumer());
    watching.host = Host::Here;
    assert_eq!(press(&mut watching, Key::Quit), [Effect::Quit]);
}

#[test]
fn a_refund_on_its_way_and_notes_stand_with_the_work() {
    let mut status = fixture::consumer();
    status.jobs = vec![fixture::refunding()];
    status.notes = vec!["this system may go to sleep".to_owned()];
    let model = live(status);
    assert_eq!(model.state_word(), "Watching");
    assert_snapshot!(drawn(&model, 80, 24));
}
