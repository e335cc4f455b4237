//! Owns changing the operator's key through the local API.
//!
//! Never sends anything before the new key is on disk, and leaves every key on disk that may sign the next block.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use market::NodeId;
use tokio::sync::Mutex;

use super::server::{ApiError, ApiResult};
use super::views::RotatedView;
use crate::identity::fresh_nonce;
use crate::ledger::OperatorHandle;
use crate::node::Node;
use crate::operator_keys;

/// What changing a key needs.
#[derive(Clone)]
struct Rotation {
    node: Node,
    operator: OperatorHandle,
    /// Held by one change after the other: each draws a key and gives files their names.
    turn: Arc<Mutex<()>>,
}

/// Makes the endpoint.
pub(super) fn router(node: Node, operator: OperatorHandle) -> Router {
    let rotation = Rotation {
        node,
        operator,
        turn: Arc::default(),
    };
    Router::new()
        .route("/v1/operator/rotate-key", post(rotate_key))
        .with_state(rotation)
}

/// `POST /v1/operator/rotate-key`.
async fn rotate_key(State(rotation): State<Rotation>) -> ApiResult<RotatedView> {
    // A task of its own: whoever asks may leave, and the files get their names all the same.
    let rotating = tokio::spawn(async move {
        let _turn = rotation.turn.lock().await;
        rotate(&rotation.node, &rotation.operator).await
    });
    let rotated = rotating.await.map_err(ApiError::failed)?;
    rotated.map(Json)
}

async fn rotate(node: &Node, operator: &OperatorHandle) -> Result<RotatedView, ApiError> {
    let home = &node.home;
    let previous = present(operator).await?;
    operator_keys::settle(home, previous).map_err(ApiError::failed)?;
    let key = operator_keys::prepare(home).map_err(ApiError::failed)?;
    let nonce = fresh_nonce().map_err(ApiError::failed)?;
    let next = key.node();
    let proof = operator.hand_over(key, nonce).await;
    let proof = proof.map_err(ApiError::failed)?;
    operator_keys::settle(home, next).map_err(ApiError::failed)?;
    Ok(RotatedView {
        previous,
        operator: next,
        since: proof.certified.header.height.saturating_add(1),
        tx: proof.transaction.id(&node.chain()),
    })
}

/// Returns the one operator that signs the next block.
async fn present(operator: &OperatorHandle) -> Result<NodeId, ApiError> {
    let set = operator.operators().await.map_err(ApiError::failed)?;
    let first = set.operators.first().copied();
    first.ok_or_else(|| ApiError::failed("nobody signs the next block"))
}
