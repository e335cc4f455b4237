//! Owns the terminal while the screen is up: draws, reads keys, polls the node, does what the screen asks.
//!
//! Never decides what is shown; `update` and `view` do. Leaves the terminal as it found it, also on a panic.

use std::convert::Infallible;
use std::future;
use std::pin::Pin;
use std::time::Duration;

use anyhow::Context as _;
use market_node::api::{ApiClient, ClientError, ProviderView, StatusView};
use market_node::home::Home;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::model::{Effect, Farewell, Host, Key, Model, Msg};
use super::update::update;
use super::view::view;

/// Time between two polls of the node.
const POLL: Duration = Duration::from_secs(1);

/// The longest that the node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

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
/// process; it is returned when the terminal is given back, so that the caller ends it in order or keeps it.
pub(crate) async fn run<Node, Starting>(
    home: Home,
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
    let mut screen = Screen::open()?;
    let (outbox, mut inbox) = mpsc::channel(MAILBOX);
    let poller = tokio::spawn(poll(home.clone(), outbox.clone()));
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
            let path = match effect {
                Effect::Pause => "/v1/provider/pause",
                Effect::Resume => "/v1/provider/resume",
                Effect::Quit => {
                    poller.abort();
                    return Ok(node.map(|node| (node, Farewell::Stop)));
                }
                Effect::Keep => {
                    poller.abort();
                    return Ok(node.map(|node| (node, Farewell::Keep)));
                }
            };
            tokio::spawn(act(home.clone(), path, outbox.clone()));
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

/// Asks the node for its view again and again, until the screen is over.
async fn poll(home: Home, outbox: mpsc::Sender<Msg>) {
    let mut client = None;
    loop {
        let msg = match tokio::time::timeout(PATIENCE, status(&home, &mut client)).await {
            Ok(Ok(status)) => Msg::Status(Box::new(status)),
            Ok(Err(error)) => Msg::Lost(error.to_string()),
            Err(_) => Msg::Lost(format!(
                "the node did not answer within {} s",
                PATIENCE.as_secs()
            )),
        };
        if matches!(msg, Msg::Lost(_)) {
            client = None;
        }
        if outbox.send(msg).await.is_err() {
            return;
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn status(home: &Home, client: &mut Option<ApiClient>) -> Result<StatusView, ClientError> {
    if client.is_none() {
        *client = Some(ApiClient::connect(home).await?);
    }
    let client = client.as_ref().expect("the client was just made");
    client.get("/v1/status").await
}

/// Asks the node to pause or to resume and tells the screen how that went.
async fn act(home: Home, path: &'static str, outbox: mpsc::Sender<Msg>) {
    let asked = async {
        let client = ApiClient::connect(&home).await?;
        client
            .post::<_, ProviderView>(path, &serde_json::json!({}))
            .await
    };
    let msg = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(provider)) => Msg::Acted(Box::new(provider)),
        Ok(Err(error)) => Msg::Refused(error.to_string()),
        Err(_) => Msg::Refused("the node did not answer in time".to_owned()),
    };
    let _ = outbox.send(msg).await; // The screen may be over.
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
        _ => Key::Other,
    }
}
