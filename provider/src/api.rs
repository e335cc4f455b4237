//! Owns the endpoints of a node that sells.
//!
//! Never holds a rule: every call is a wish to the seller.

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use market::order::MAX_PRICE;
use market::{Amount, PricePerHour};
use market_node::api::{ApiError, ApiResult, AskChange, PriceRequest, ProviderView};

use market_node::config::MAX_WATTS;

use crate::seller::SellerHandle;

/// Makes the endpoints of selling.
pub fn provider_router(seller: SellerHandle) -> Router {
    Router::new()
        .route("/v1/provider", get(view))
        .route("/v1/provider/pause", post(pause))
        .route("/v1/provider/resume", post(resume))
        .route("/v1/provider/price", post(price))
        .route("/v1/provider/ask", get(view).post(change_ask))
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
    let change = AskChange {
        price: Some(request.price),
        ..AskChange::default()
    };
    changed(&seller, change).await
}

async fn change_ask(
    State(seller): State<SellerHandle>,
    Json(change): Json<AskChange>,
) -> ApiResult<ProviderView> {
    changed(&seller, change).await
}

async fn changed(seller: &SellerHandle, change: AskChange) -> ApiResult<ProviderView> {
    check(&change)?;
    answer(seller.change_ask(change).await)
}

/// Refuses what the book or the settings would not take.
fn check(change: &AskChange) -> Result<(), ApiError> {
    let least = PricePerHour(Amount::from_nanocredits(1));
    let prices = [
        ("the price", change.price, least),
        ("the floor", change.floor, PricePerHour::default()),
    ];
    for (what, price, least) in prices {
        if let Some(price) = price.filter(|price| !(least..=MAX_PRICE).contains(price)) {
            return Err(ApiError::bad_request(format!(
                "{what} is {price}, and the book takes {least} to {MAX_PRICE}; nothing was changed"
            )));
        }
    }
    match change.watts {
        Some(watts) if watts > MAX_WATTS => Err(ApiError::bad_request(format!(
            "{watts} W are more than the {MAX_WATTS} W that a GPU may draw; nothing was changed"
        ))),
        _ => Ok(()),
    }
}
