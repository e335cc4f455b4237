//! Owns the endpoints of a node that buys.
//!
//! Never holds a rule: every call goes to the buyer.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::stream;
use market_node::api::{
    ApiError, ApiResult, ArtefactView, BidRequest, BidView, FetchRequest, JobView, QuoteRequest,
    QuoteView, RunDetail, RunId, RunRequest, RunView, ndjson,
};
use serde::Deserialize;

use crate::buyer::Buyer;
use crate::events::Reader;
use crate::fetch::FilesError;
use crate::runs::FindError;

/// Makes the endpoints of buying. `{run}` is a run's name, the beginning of one, or `latest`.
pub fn consumer_router(buyer: Buyer) -> Router {
    Router::new()
        .route("/v1/quote", post(quote))
        .route("/v1/jobs", get(jobs).post(run))
        .route("/v1/bids", get(bids).post(bid))
        .route("/v1/jobs/{run}", get(detail))
        .route("/v1/jobs/{run}/events", get(events))
        .route("/v1/jobs/{run}/cancel", post(cancel))
        .route("/v1/jobs/{run}/fetch", post(fetch))
        .with_state(buyer)
}

/// What of a run's events is wanted.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EventsQuery {
    /// The number of the first event.
    from: u64,
    /// Whether to wait for those to come until the run is over.
    follow: bool,
}

async fn quote(
    State(buyer): State<Buyer>,
    Json(request): Json<QuoteRequest>,
) -> ApiResult<QuoteView> {
    let view = buyer.quote(request.job_file).await;
    view.map(Json).map_err(ApiError::bad_request)
}

async fn jobs(State(buyer): State<Buyer>) -> ApiResult<Vec<JobView>> {
    buyer.jobs().map(Json).map_err(ApiError::failed)
}

async fn bids(State(buyer): State<Buyer>) -> ApiResult<Vec<BidView>> {
    buyer.standing_bids().map(Json).map_err(ApiError::failed)
}

async fn run(State(buyer): State<Buyer>, Json(request): Json<RunRequest>) -> Response {
    lines(buyer.run(request))
}

async fn bid(State(buyer): State<Buyer>, Json(request): Json<BidRequest>) -> Response {
    lines(buyer.bid(request))
}

fn lines(events: Reader) -> Response {
    ndjson(stream::unfold(events, |mut events| async move {
        let next = events.next().await?;
        Some((next.event, events))
    }))
}

fn find(buyer: &Buyer, name: &str) -> Result<RunId, ApiError> {
    buyer.runs.find(name).map_err(|error| match error {
        FindError::Store(_) => ApiError::failed(error),
        FindError::Short(_) | FindError::Ambiguous { .. } => ApiError::bad_request(error),
        FindError::None | FindError::Unknown(_) => ApiError::not_found(error),
    })
}

async fn detail(State(buyer): State<Buyer>, Path(name): Path<String>) -> ApiResult<RunDetail> {
    let run = find(&buyer, &name)?;
    let detail = buyer.runs.detail(run).map_err(ApiError::failed)?;
    detail
        .map(Json)
        .ok_or_else(|| ApiError::not_found(format!("run {run} has bought nothing yet")))
}

async fn events(
    State(buyer): State<Buyer>,
    Path(name): Path<String>,
    Query(query): Query<EventsQuery>,
) -> Result<Response, ApiError> {
    let run = find(&buyer, &name)?;
    let log = buyer.runs.log(run);
    let log = log.ok_or_else(|| ApiError::not_found(format!("no events of run {run} are kept")))?;
    let reader = log.reader(query.from);
    let lines = stream::unfold(reader, move |mut reader| async move {
        let next = match query.follow {
            true => reader.next().await,
            false => reader.kept(),
        };
        Some((next?, reader))
    });
    Ok(ndjson(lines).into_response())
}

async fn cancel(State(buyer): State<Buyer>, Path(name): Path<String>) -> ApiResult<RunView> {
    let run = find(&buyer, &name)?;
    let view = buyer.cancel(run).await.map_err(ApiError::failed)?;
    view.map(Json).ok_or_else(|| {
        ApiError::not_found(format!(
            "run {run} has bought nothing yet; an agreement that is on its way is ended as soon as it opens"
        ))
    })
}

async fn fetch(
    State(buyer): State<Buyer>,
    Path(name): Path<String>,
    Json(request): Json<FetchRequest>,
) -> ApiResult<Vec<ArtefactView>> {
    let run = find(&buyer, &name)?;
    let files = buyer.fetch(run, request.output).await;
    files.map(Json).map_err(|error| match error {
        FilesError::Find(_) | FilesError::Nothing(_) => ApiError::not_found(error),
        _ => ApiError::failed(error),
    })
}
