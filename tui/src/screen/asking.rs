//! Owns what the screen asks of the node, and how often; the answers become messages.
//!
//! Never waits for an answer without a limit, and asks for the market only while its screen is shown.

use std::time::Duration;

use market_node::api::{
    ApiClient, CandlesView, ClassesView, ClientError, DepthView, ProviderView, StatusView,
};
use market_node::home::Home;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::market::{MarketNews, Subject};
use super::model::Msg;

/// Time between two polls of the node's view.
const POLL: Duration = Duration::from_secs(1);

/// Time between two polls of the market, which changes more slowly.
const MARKET_POLL: Duration = Duration::from_secs(2);

/// The longest that the node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most candles asked for: a wide window has about half as many columns.
const CANDLES: u32 = 200;

/// Questions that are asked again and again until this is dropped.
#[derive(Debug)]
pub(super) struct Asking {
    home: Home,
    outbox: mpsc::Sender<Msg>,
    watched: watch::Sender<Option<Subject>>,
    polls: [JoinHandle<()>; 2],
}

impl Drop for Asking {
    fn drop(&mut self) {
        for poll in &self.polls {
            poll.abort();
        }
    }
}

impl Asking {
    /// Begins to ask the node of `home` for its view.
    pub(super) fn begin(home: Home, outbox: mpsc::Sender<Msg>) -> Self {
        let (watched, subject) = watch::channel(None);
        let status = poll(home.clone(), outbox.clone());
        let market = poll_market(home.clone(), subject, outbox.clone());
        Self {
            home,
            outbox,
            watched,
            polls: [tokio::spawn(status), tokio::spawn(market)],
        }
    }

    /// Asks for the market from now on, or no more.
    pub(super) fn watch(&self, subject: Option<Subject>) {
        self.watched.send_replace(subject);
    }

    /// Asks the node to stop selling at once.
    pub(super) fn pause(&self) {
        self.act("/v1/provider/pause");
    }

    /// Asks the node to sell again.
    pub(super) fn resume(&self) {
        self.act("/v1/provider/resume");
    }

    fn act(&self, path: &'static str) {
        tokio::spawn(act(self.home.clone(), path, self.outbox.clone()));
    }
}

/// Asks the node for its view again and again, until the screen is over.
async fn poll(home: Home, outbox: mpsc::Sender<Msg>) {
    let mut client = None;
    loop {
        let msg = match in_time(status(&home, &mut client)).await {
            Ok(status) => Msg::Status(Box::new(status)),
            Err(why) => {
                client = None;
                Msg::Lost(why)
            }
        };
        if outbox.send(msg).await.is_err() {
            return;
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn status(home: &Home, client: &mut Option<ApiClient>) -> Result<StatusView, ClientError> {
    connected(home, client).await?.get("/v1/status").await
}

/// Returns the client; makes one first where there is none.
async fn connected<'a>(
    home: &Home,
    client: &'a mut Option<ApiClient>,
) -> Result<&'a ApiClient, ClientError> {
    let made = match client.take() {
        Some(client) => client,
        None => ApiClient::connect(home).await?,
    };
    Ok(client.insert(made))
}

/// Waits for an answer for as long as a person would, and says why there is none.
async fn in_time<T>(answer: impl Future<Output = Result<T, ClientError>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!(
            "the node did not answer within {} s",
            PATIENCE.as_secs()
        )),
    }
}

/// Asks the node for the market again and again while something is watched; at once where that changes.
async fn poll_market(
    home: Home,
    mut watched: watch::Receiver<Option<Subject>>,
    outbox: mpsc::Sender<Msg>,
) {
    let mut client = None;
    loop {
        let subject = *watched.borrow_and_update();
        if let Some(subject) = subject {
            let mut news = MarketNews::default();
            let asked = in_time(market(&home, &mut client, subject, &mut news)).await;
            if let Err(why) = asked {
                client = None;
                news.lost = Some(why);
            }
            if outbox.send(Msg::Market(Box::new(news))).await.is_err() {
                return;
            }
        }
        let pause = async {
            match subject {
                Some(_) => tokio::time::sleep(MARKET_POLL).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = pause => {}
            changed = watched.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

/// Asks for the classes, and for depth and candles of the chosen one. What was told before a failure is kept.
async fn market(
    home: &Home,
    client: &mut Option<ApiClient>,
    subject: Subject,
    news: &mut MarketNews,
) -> Result<(), ClientError> {
    let client = connected(home, client).await?;
    news.classes = Some(client.get::<ClassesView>("/v1/market/classes").await?);
    if let Some(class) = subject.class {
        let depth = format!("/v1/market/depth?class={class}");
        news.depth = Some(client.get::<DepthView>(&depth).await?);
        let interval = subject.interval;
        let history =
            format!("/v1/market/history?class={class}&interval={interval}&count={CANDLES}");
        news.candles = Some(client.get::<CandlesView>(&history).await?);
    }
    Ok(())
}

/// Asks the node to pause or to resume and tells the screen how that went.
async fn act(home: Home, path: &'static str, outbox: mpsc::Sender<Msg>) {
    let asked = async {
        let client = ApiClient::connect(&home).await?;
        client
            .post::<_, ProviderView>(path, &serde_json::json!({}))
            .await
    };
    let msg = match in_time(asked).await {
        Ok(provider) => Msg::Acted(Box::new(provider)),
        Err(why) => Msg::Refused(why),
    };
    let _ = outbox.send(msg).await; // The screen may be over.
}

#[cfg(test)]
mod tests;
