//! Owns changing the operator's key through the local API.
//!
//! Never sends anything before the new key is on disk, and leaves every key on disk that may sign the next block.

use axum::Json;
use axum::extract::State;
use market::NodeId;

use super::server::{ApiError, ApiResult};
use super::views::RotatedView;
use crate::identity::fresh_nonce;
use crate::ledger::OperatorHandle;
use crate::node::Node;
use crate::operator_keys;

/// `POST /v1/operator/rotate-key`.
pub(super) async fn rotate_key(State(node): State<Node>) -> ApiResult<RotatedView> {
    let Some(operator) = node.operator.clone() else {
        return Err(ApiError::bad_request("this node is no operator"));
    };
    // A task of its own: whoever asks may leave, and the files get their names all the same.
    let rotating = tokio::spawn(async move { rotate(&node, &operator).await });
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
