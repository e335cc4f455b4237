//! Tests of what the screen asks a node for, against one that answers with made-up views.

use std::time::Duration;

use axum::http::Uri;
use axum::routing::get;
use axum::{Json, Router};
use market_node::api::{ApiError, ApiResult, DepthView, serve};
use market_node::home::Home;
use matching::Interval;
use tokio::sync::mpsc;

use super::super::market::{MarketNews, Subject};
use super::super::model::Msg;
use super::Asking;
use crate::fixture::market_data::{both_sides, classes, waves};

/// The longest that a test waits for an answer.
const LIMIT: Duration = Duration::from_secs(10);

/// The next news of the market; what else the node is asked for does not matter here.
async fn news(inbox: &mut mpsc::Receiver<Msg>) -> MarketNews {
    let next = async {
        loop {
            if let Msg::Market(news) = inbox.recv().await.unwrap() {
                return *news;
            }
        }
    };
    tokio::time::timeout(LIMIT, next).await.unwrap()
}

fn home(folder: &tempfile::TempDir) -> Home {
    Home::at(folder.path().join("home")).unwrap()
}

#[tokio::test]
async fn the_market_is_asked_for_what_is_watched() {
    let folder = tempfile::tempdir().unwrap();
    let (asked, mut questions) = mpsc::channel(64);
    let note = move |uri: Uri| asked.try_send(uri.to_string()).unwrap();
    let note_history = note.clone();
    let depth = async move |uri: Uri| {
        note(uri);
        Json(both_sides())
    };
    let history = async move |uri: Uri| {
        note_history(uri);
        Json(waves(Interval::Day, 3))
    };
    let router = Router::new()
        .route("/v1/market/classes", get(async || Json(classes())))
        .route("/v1/market/depth", get(depth))
        .route("/v1/market/history", get(history));
    let home = home(&folder);
    let _server = serve(&home, router).unwrap();
    let (outbox, mut inbox) = mpsc::channel(64);
    let asking = Asking::begin(home, outbox);
    let mut subject = Subject {
        class: None,
        interval: Interval::Day,
    };
    asking.watch(Some(subject));
    let first = news(&mut inbox).await;
    assert_eq!(first.classes, Some(classes()));
    assert_eq!((first.depth, first.lost), (None, None));
    subject.class = Some("8T-12G".parse().unwrap());
    asking.watch(Some(subject));
    let second = news(&mut inbox).await;
    assert_eq!(second.depth, Some(both_sides()));
    assert_eq!(second.candles, Some(waves(Interval::Day, 3)));
    let asked = [
        questions.recv().await.unwrap(),
        questions.recv().await.unwrap(),
    ];
    assert_eq!(
        asked,
        [
            "/v1/market/depth?class=8T-12G",
            "/v1/market/history?class=8T-12G&interval=1d&count=200"
        ]
    );
}

#[tokio::test]
async fn what_was_told_before_a_failure_is_kept_with_the_reason() {
    async fn depth() -> ApiResult<DepthView> {
        Err(ApiError::failed("the book is away"))
    }
    let folder = tempfile::tempdir().unwrap();
    let router = Router::new()
        .route("/v1/market/classes", get(async || Json(classes())))
        .route("/v1/market/depth", get(depth));
    let home = home(&folder);
    let _server = serve(&home, router).unwrap();
    let (outbox, mut inbox) = mpsc::channel(64);
    let asking = Asking::begin(home, outbox);
    asking.watch(Some(Subject {
        class: Some("8T-12G".parse().unwrap()),
        interval: Interval::Hour,
    }));
    let news = news(&mut inbox).await;
    assert_eq!(news.classes, Some(classes()));
    assert_eq!(news.lost.as_deref(), Some("the book is away"));
}

#[tokio::test]
async fn no_node_is_a_reason_too() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, mut inbox) = mpsc::channel(64);
    let asking = Asking::begin(home(&folder), outbox);
    asking.watch(Some(Subject {
        class: None,
        interval: Interval::Hour,
    }));
    let news = news(&mut inbox).await;
    assert!(news.lost.unwrap().contains("no node runs"));
}
