//! Owns the endpoints of a node that sells.
//!
//! Never holds a rule: every call is a wish to the seller.

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use market_node::api::{ApiError, ApiResult, PriceRequest, ProviderView};

use crate::seller::SellerHandle;

/// Makes the endpoints of selling.
pub fn provider_router(seller: SellerHandle) -> Router {
    Router::new()
        .route("/v1/provider", get(view))
        .route("/v1/provider/pause", post(pause))
        .route("/v1/provider/resume", post(resume))
        .route("/v1/provider/price", post(price))
        .with_state(seller)
}

fn answer(view: Option<ProviderView>) -> ApiResult<ProviderView> {
    view.map(Json)
        .ok_or_else(|| ApiError::failed("selling has stopped; restart the node"))
}

async fn view(State(seller): State<SellerHandle>) -> ApiResult<ProviderView> {
    answer(seller.view().await)
}

async fn pause(State(seller): State<SellerHandle>) -> ApiResult<ProviderView> {
    answer(seller.pause().await)
}

async fn resume(State(seller): State<SellerHandle>) -> ApiResult<ProviderView> {
    answer(seller.resume().await)
}

async fn price(
    State(seller): State<SellerHandle>,
    Json(request): Json<PriceRequest>,
) -> ApiResult<ProviderView> {
    answer(seller.set_price(request.price).await)
}
