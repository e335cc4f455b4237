//! Owns what each message changes and what it asks for.
//!
//! Never does any of it.

use market_node::api::{LeaseView, ProviderState, ProviderView, StatusView};

use super::model::{Effect, Host, Key, Model, Msg, Node, Overlay};
use crate::plot::Series;

/// Takes a message in and returns what is to be done.
pub(crate) fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Status(status) => show(model, status),
        Msg::Lost(why) => lost(model, why),
        Msg::NotStarted(why) => model.node = Node::Failed(why),
        Msg::Acted(provider) => acted(model, *provider),
        Msg::Refused(why) => model.notice = Some(why),
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
        (Overlay::Help | Overlay::ConfirmQuit, _) | (Overlay::None, Key::Other | Key::Keep) => {
            Vec::new()
        }
        (Overlay::None, Key::Help) => {
            model.overlay = Overlay::Help;
            Vec::new()
        }
        (Overlay::None, Key::Quit) => quit(model),
        (Overlay::None, Key::Pause) => pause_or_resume(model),
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
