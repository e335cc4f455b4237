//! Owns the endpoints of a node that buys.
//!
//! Never holds a rule: every call goes to the buyer.

use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::stream;
use market::AgreementId;
use market_node::api::{ApiError, ApiResult, JobView, QuoteRequest, QuoteView, RunRequest, ndjson};

use crate::buyer::Buyer;

/// Makes the endpoints of buying.
pub fn consumer_router(buyer: Buyer) -> Router {
    Router::new()
        .route("/v1/quote", post(quote))
        .route("/v1/jobs", get(jobs).post(run))
        .route("/v1/jobs/{agreement}/cancel", post(cancel))
        .with_state(buyer)
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

async fn run(State(buyer): State<Buyer>, Json(request): Json<RunRequest>) -> Response {
    let events = buyer.run(request);
    ndjson(stream::unfold(events, |mut events| async move {
        events.recv().await.map(|event| (event, events))
    }))
}

async fn cancel(
    State(buyer): State<Buyer>,
    Path(agreement): Path<AgreementId>,
) -> ApiResult<JobView> {
    let view = buyer.cancel(agreement).await;
    view.map(Json)
        .ok_or_else(|| ApiError::not_found(format!("no job runs under agreement {agreement}")))
}
