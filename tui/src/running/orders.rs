//! Owns the endpoints of this node's own orders: the list of both sides, and who is asked to cancel one.
//!
//! Never holds a rule: the book lists, the part that sells, the part that buys or the book cancels.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use consumer::Buyer;
use market::OrderId;
use market_node::api::{
    ApiError, ApiResult, BidState, BidView, OrderRow, OrderSide, OrderState, OrdersView,
    ProviderView, cancel_slot, own_order, own_orders,
};
use market_node::node::Node;
use provider::SellerHandle;

/// What the endpoints need.
#[derive(Debug, Clone)]
pub(super) struct OrderParts {
    /// The node, with its book.
    pub(super) node: Node,
    /// Selling, where it sells.
    pub(super) seller: Option<SellerHandle>,
    /// Buying.
    pub(super) buyer: Buyer,
}

/// Makes the endpoints.
pub(super) fn router(parts: OrderParts) -> Router {
    Router::new()
        .route("/v1/orders", get(list))
        .route("/v1/orders/{order}/cancel", post(cancel))
        .with_state(parts)
}

async fn list(State(parts): State<OrderParts>) -> ApiResult<OrdersView> {
    let mut view = own_orders(&parts.node).await?;
    let selling = match &parts.seller {
        Some(seller) => seller.view().await,
        None => None,
    };
    let bids = parts.buyer.standing_bids().map_err(ApiError::failed)?;
    for row in &mut view.orders {
        if let Some(selling) = &selling {
            explain_ask(row, selling);
        }
        if let Some(bid) = bids.iter().find(|bid| bid.order == Some(row.order)) {
            explain_bid(row, bid);
        }
    }
    Ok(Json(view))
}

/// Adds why an ask is not filled.
fn explain_ask(row: &mut OrderRow, selling: &ProviderView) {
    if selling.ask.order == Some(row.order) {
        row.why.clone_from(&selling.why);
    }
}

/// Adds which run a bid is of, and why it is not filled.
fn explain_bid(row: &mut OrderRow, bid: &BidView) {
    if bid.state == BidState::Filling {
        row.state = OrderState::Filling;
    }
    let misfits = bid.misfits.iter().chain(&bid.note);
    let why: Vec<&str> = misfits.map(String::as_str).collect();
    row.why = match why.is_empty() {
        true => format!("run {}", bid.run),
        false => format!("run {}: {}", bid.run, why.join("; ")),
    };
}

/// Cancels one of this node's orders and returns it as it stood, with what that means.
async fn cancel(State(parts): State<OrderParts>, Path(order): Path<String>) -> ApiResult<OrderRow> {
    let mut row = own_order(&parts.node, &order.to_ascii_lowercase()).await?;
    row.why = match (row.side, &parts.seller) {
        (OrderSide::Ask, Some(seller)) => {
            let view = seller.cancel_ask().await;
            let view =
                view.ok_or_else(|| ApiError::failed("selling has stopped; restart the node"))?;
            view.why
        }
        (OrderSide::Bid, _) if cancels_bid(&parts, row.order).await? => {
            "its run is over, and nothing was bought".to_owned()
        }
        (OrderSide::Ask, None) | (OrderSide::Bid, _) => {
            cancel_slot(&parts.node, row.slot).await?;
            "it is out of the book, here and soon elsewhere".to_owned()
        }
    };
    Ok(Json(row))
}

/// Ends the run that a bid is of, if there is one.
async fn cancels_bid(parts: &OrderParts, order: OrderId) -> Result<bool, ApiError> {
    let cancelled = parts.buyer.cancel_bid(order).await;
    Ok(cancelled.map_err(ApiError::failed)?.is_some())
}

#[cfg(test)]
mod tests;
