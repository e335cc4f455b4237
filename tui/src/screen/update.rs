//! Owns what each message changes and what it asks for.
//!
//! Never does any of it.

use market_node::api::{LeaseView, ProviderState, ProviderView, StatusView};

use super::market::{MarketNews, Step, Subject};
use super::model::{Effect, Host, Key, Model, Msg, Node, Overlay, Page};
use crate::plot::Series;

/// Takes a message in and returns what is to be done.
pub(crate) fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Status(status) => show(model, status),
        Msg::Lost(why) => lost(model, why),
        Msg::NotStarted(why) => model.node = Node::Failed(why),
        Msg::Acted(provider) => acted(model, *provider),
        Msg::Refused(why) => model.notice = Some(why),
        Msg::Market(news) => return told(model, *news),
        Msg::Key(key) => return pressed(model, key),
        Msg::Redraw => {}
        Msg::Terminate => return vec![Effect::Quit],
    }
    Vec::new()
}

/// A node that does not answer yet, because it starts here or could not start, says so itself.
fn lost(model: &mut Model, why: String) {
    match (&model.node, model.host) {
        (Node::Starting, Host::Here) | (Node::Failed(_), _) => {}
        _ => model.node = Node::Lost(why),
    }
}

fn show(model: &mut Model, status: Box<StatusView>) {
    let lease = status
        .provider
        .as_ref()
        .and_then(|provider| provider.lease.as_ref());
    match lease {
        Some(lease) => note_loss(model, lease),
        None => {
            model.losses = Series::default();
            model.last_loss = None;
        }
    }
    model.node = Node::Live(status);
}

/// Adds the lease's loss to the curve, once a step; another lease begins another curve.
fn note_loss(model: &mut Model, lease: &LeaseView) {
    let seen = Some((lease.agreement, lease.progress));
    if model.last_loss == seen {
        return;
    }
    if model
        .last_loss
        .is_some_and(|(agreement, _)| agreement != lease.agreement)
    {
        model.losses = Series::default();
    }
    if let Some(loss) = lease.loss {
        model.losses.push(loss);
        model.last_loss = seen;
    }
}

fn acted(model: &mut Model, provider: ProviderView) {
    let paused = provider.state == ProviderState::Paused;
    model.notice = Some(if paused { "Paused." } else { "Selling again." }.to_owned());
    if let Node::Live(status) = &mut model.node {
        status.provider = Some(provider);
    }
}

fn pressed(model: &mut Model, key: Key) -> Vec<Effect> {
    model.notice = None;
    let overlay = std::mem::replace(&mut model.overlay, Overlay::None);
    match (overlay, key) {
        (_, Key::Interrupt) | (Overlay::ConfirmQuit, Key::Quit) => vec![Effect::Quit],
        (Overlay::ConfirmQuit, Key::Keep) => vec![Effect::Keep],
        (Overlay::Help | Overlay::ConfirmQuit, _) => Vec::new(),
        (Overlay::None, key) => pressed_on_page(model, key),
    }
}

fn pressed_on_page(model: &mut Model, key: Key) -> Vec<Effect> {
    match key {
        Key::Help => model.overlay = Overlay::Help,
        Key::Quit => return quit(model),
        Key::Pause => return pause_or_resume(model),
        Key::Page(page) => return turn_to(model, page),
        Key::NextPage => return turn_to(model, model.page.next()),
        Key::PreviousPage => return turn_to(model, model.page.previous()),
        key if model.page == Page::Market => return pressed_on_market(model, key),
        _ => {}
    }
    Vec::new()
}

fn pressed_on_market(model: &mut Model, key: Key) -> Vec<Effect> {
    let before = model.market.subject();
    match key {
        Key::Up | Key::Keep => model.market.step(Step::Up),
        Key::Down => model.market.step(Step::Down),
        Key::Interval => model.market.turn_interval(),
        _ => {}
    }
    watch_another(model, before)
}

/// Shows another screen. The market is asked for while its screen is shown, and no longer.
fn turn_to(model: &mut Model, page: Page) -> Vec<Effect> {
    let before = std::mem::replace(&mut model.page, page);
    match (before, page) {
        (Page::Home, Page::Market) => vec![Effect::Watch(Some(model.market.subject()))],
        (Page::Market, Page::Home) => vec![Effect::Watch(None)],
        _ => Vec::new(),
    }
}

/// Takes news of the market in; where they change what is chosen, that is asked for.
fn told(model: &mut Model, news: MarketNews) -> Vec<Effect> {
    let before = model.market.subject();
    let own = model.own_classes();
    model.market.take(news, &own);
    watch_another(model, before)
}

/// Asks for what is chosen now, where that is not what was chosen before.
fn watch_another(model: &Model, before: Subject) -> Vec<Effect> {
    let subject = model.market.subject();
    match model.page {
        Page::Market if subject != before => vec![Effect::Watch(Some(subject))],
        Page::Home | Page::Market => Vec::new(),
    }
}

fn quit(model: &mut Model) -> Vec<Effect> {
    if model.host == Host::Here && model.is_busy() {
        model.overlay = Overlay::ConfirmQuit;
        return Vec::new();
    }
    vec![Effect::Quit]
}

fn pause_or_resume(model: &mut Model) -> Vec<Effect> {
    let (notice, effects) = match model.provider().map(|provider| provider.state) {
        Some(ProviderState::Paused) => ("Resuming.", vec![Effect::Resume]),
        Some(_) => ("Pausing.", vec![Effect::Pause]),
        None if model.status().is_some() => {
            ("This node does not sell: nothing to pause.", Vec::new())
        }
        None => ("No node answers: nothing to pause.", Vec::new()),
    };
    model.notice = Some(notice.to_owned());
    effects
}
