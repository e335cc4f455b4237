//! Owns the endpoints of this node's own orders: the list of both sides, and who is asked to cancel one.
//!
//! Never holds a rule: the book lists, the part that sells or the book cancels.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use market_node::api::{
    ApiError, ApiResult, OrderRow, OrderSide, OrdersView, ProviderView, cancel_slot, own_order,
    own_orders,
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
    for row in &mut view.orders {
        explain(row, selling.as_ref());
    }
    Ok(Json(view))
}

/// Adds why an order is not filled, as far as the part that posted it knows.
fn explain(row: &mut OrderRow, selling: Option<&ProviderView>) {
    if let Some(selling) = selling.filter(|selling| selling.ask.order == Some(row.order)) {
        row.why.clone_from(&selling.why);
    }
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
        (OrderSide::Ask, None) | (OrderSide::Bid, _) => {
            cancel_slot(&parts.node, row.slot).await?;
            "it is out of the book, here and soon elsewhere".to_owned()
        }
    };
    Ok(Json(row))
}

#[cfg(test)]
mod tests;
