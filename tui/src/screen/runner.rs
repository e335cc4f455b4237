//! Owns the terminal while the screen is up: draws, reads keys, does what the screen asks.
//!
//! Never decides what is shown; `update` and `view` do. Leaves the terminal as it found it, also on a panic.

use std::convert::Infallible;
use std::future;
use std::pin::Pin;
use std::time::Duration;

use anyhow::Context as _;
use market_node::api::{ApiClient, ClientError};
use market_node::home::Home;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::asking::Asking;
use super::model::{Effect, Farewell, Host, Key, Model, Msg, Page, Trade};
use super::update::update;
use super::view::view;

/// The longest that the key reader blocks before it looks whether the screen is over.
const KEY_WAIT: Duration = Duration::from_millis(100);

/// The most messages that wait for the screen; senders wait when it is full.
const MAILBOX: usize = 64;

/// The terminal, given back on drop.
struct Screen(DefaultTerminal);

impl Screen {
    /// Takes the terminal; a panic gives it back before it is told.
    fn open() -> anyhow::Result<Self> {
        ratatui::try_init()
            .map(Self)
            .context("taking over the terminal")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Shows the screen until the person leaves. Where no node runs in `home`, `start` starts one in this
/// process, which trades as `trade` says; it is returned when the terminal is given back, so that the caller ends it in
/// order or keeps it.
pub(crate) async fn run<Node, Starting>(
    home: Home,
    trade: Trade,
    start: impl FnOnce(Home) -> Starting,
) -> anyhow::Result<Option<(Node, Farewell)>>
where
    Starting: Future<Output = anyhow::Result<Node>>,
{
    let mut starting = match ApiClient::connect(&home).await {
        Ok(_) => None,
        Err(ClientError::NotRunning { .. }) => Some(Box::pin(start(home.clone()))),
        Err(error) => return Err(error.into()),
    };
    let mut model = Model::new(if starting.is_some() {
        Host::Here
    } else {
        Host::Elsewhere
    });
    model.trade = trade;
    let mut screen = Screen::open()?;
    let (outbox, mut inbox) = mpsc::channel(MAILBOX);
    let asking = Asking::begin(home, outbox.clone());
    let keys = outbox.clone();
    std::thread::spawn(move || read_keys(&keys));
    let mut terminate = signal(SignalKind::terminate()).context("listening for the end signal")?;
    let mut node = None;
    loop {
        screen
            .0
            .draw(|frame| view(&model, frame))
            .context("drawing")?;
        let msg = tokio::select! {
            msg = inbox.recv() => msg.unwrap_or(Msg::Terminate),
            _ = terminate.recv() => Msg::Terminate,
            started = ready(&mut starting) => {
                starting = None;
                match started {
                    Ok(running) => { node = Some(running); Msg::Redraw }
                    Err(error) => Msg::NotStarted(format!("{error:#}")),
                }
            }
        };
        for effect in update(&mut model, msg) {
            match effect {
                Effect::Pause => asking.pause(),
                Effect::Resume => asking.resume(),
                Effect::Watch(subject) => asking.watch(subject),
                Effect::Quit => return Ok(node.map(|node| (node, Farewell::Stop))),
                Effect::Keep => return Ok(node.map(|node| (node, Farewell::Keep))),
            }
        }
    }
}

/// Waits for a start in progress; for ever where there is none.
async fn ready<Starting: Future>(starting: &mut Option<Pin<Box<Starting>>>) -> Starting::Output {
    match starting {
        Some(starting) => starting.await,
        None => future::pending().await,
    }
}

/// Reads keys on its own thread, because reading blocks, until the screen or the terminal is gone.
fn read_keys(outbox: &mpsc::Sender<Msg>) {
    let read = || -> std::io::Result<Infallible> {
        loop {
            if outbox.is_closed() {
                return Err(std::io::ErrorKind::BrokenPipe.into());
            }
            if !event::poll(KEY_WAIT)? {
                continue;
            }
            let msg = match event::read()? {
                Event::Key(key) if key.kind == KeyEventKind::Press => Msg::Key(meaning(key)),
                Event::Resize(..) => Msg::Redraw,
                _ => continue,
            };
            let gone = |_| std::io::ErrorKind::BrokenPipe;
            outbox.blocking_send(msg).map_err(gone)?;
        }
    };
    let Err(error) = read();
    tracing::debug!(%error, "the key reader ends");
    let _ = outbox.blocking_send(Msg::Terminate); // Without keys nobody could leave.
}

/// Says what a key means.
pub(super) fn meaning(key: KeyEvent) -> Key {
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Key::Interrupt,
        KeyCode::Char('p' | 'P') => Key::Pause,
        KeyCode::Char('q' | 'Q') => Key::Quit,
        KeyCode::Char('k' | 'K') => Key::Keep,
        KeyCode::Char('?') => Key::Help,
        KeyCode::Char('j' | 'J') | KeyCode::Down => Key::Down,
        KeyCode::Char('i' | 'I') => Key::Interval,
        KeyCode::Up => Key::Up,
        KeyCode::Tab => Key::NextPage,
        KeyCode::BackTab => Key::PreviousPage,
        KeyCode::Char(digit @ '1'..='9') => page(digit).map_or(Key::Other, Key::Page),
        _ => Key::Other,
    }
}

/// Returns the screen that a digit names.
fn page(digit: char) -> Option<Page> {
    let number = usize::try_from(digit.to_digit(10)?).ok()?;
    Page::ALL.get(number.checked_sub(1)?).copied()
}
