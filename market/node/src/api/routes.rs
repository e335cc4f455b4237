//! Owns the endpoints that every node has: the book, market data, the wallet and, on an operator, the operator's.
//!
//! Never holds a rule: it reads handles and shapes views.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use market::TxId;
use market::ledger::{Audit, Operation, SignedTransaction, Transaction};

use super::server::{ApiError, ApiResult};
use super::views::{
    AuditView, BalanceView, BlockSummary, BookRow, BookView, IssueRequest, NetworkView,
    OperatorView, SubmitRequest, TxView,
};
use super::{delegations, history, ledger, market_data, operator};
use crate::book::AskView;
use crate::identity::{IdentityError, fresh_nonce, load_key};
use crate::ledger::OperatorHandle;
use crate::node::Node;

/// How many blocks ahead a transaction of this wallet stays valid.
pub const VALID_FOR_BLOCKS: u64 = 1_000;

/// Blocks that an operator's status shows.
const LAST_BLOCKS: usize = 5;

/// The endpoint that answers at once, whatever else the node does.
pub(super) const ALIVE: &str = "/v1/alive";

/// Makes the endpoints of a node.
pub fn node_router(node: Node) -> Router {
    let router = Router::new()
        .route(ALIVE, get(async || StatusCode::NO_CONTENT))
        .route("/v1/book", get(book))
        .route("/v1/ledger/{what}", get(ledger::look_up))
        .route("/v1/ledger/{what}/audit", get(ledger::audit))
        .route("/v1/network", get(network))
        .route("/v1/wallet/balance", get(balance))
        .route("/v1/wallet/delegations", get(delegations::list))
        .route("/v1/wallet/history", get(history::history))
        .route("/v1/wallet/submit", post(submit_signed))
        .merge(market_data::router());
    match node.operator.clone() {
        Some(handle) => router
            .route("/v1/operator/status", get(operator_status))
            .route("/v1/operator/issue", post(issue))
            .with_state(node.clone())
            .merge(operator::router(node, handle)),
        None => router.with_state(node),
    }
}

async fn network(State(node): State<Node>) -> ApiResult<NetworkView> {
    let report = node.network.report().await;
    let report = report.ok_or_else(|| ApiError::failed("this node's network has stopped"))?;
    let operators = &node.membership.genesis.operators;
    Ok(Json(NetworkView::of(report, operators)))
}

async fn book(State(node): State<Node>) -> ApiResult<BookView> {
    let asks = node.book.asks().await.map_err(ApiError::failed)?;
    let time = node.clock.now();
    let mut rows: Vec<BookRow> = asks.iter().map(|ask| book_row(ask, &node)).collect();
    rows.sort_by_key(|row| (row.class, row.price, row.order));
    Ok(Json(BookView { time, asks: rows }))
}

/// Shapes one standing ask.
pub fn book_row(view: &AskView, node: &Node) -> BookRow {
    let now = node.clock.now().unwrap_or(view.expires_at);
    BookRow {
        order: view.order,
        account: view.ask.account,
        node: view.register.node,
        class: view.ask.class,
        price: view.ask.price,
        gpus: view.ask.gpus,
        max_duration_s: view.ask.max_duration_s,
        usable_mib: view.ask.figures.usable_mib.into(),
        gemm_mflops: view.ask.figures.gemm_mflops,
        f16_mflops: view.ask.figures.f16_mflops,
        gb_per_s: view.ask.figures.gb_per_s,
        upload_mb_per_s: view.ask.upload_mb_per_s,
        network_mbit_per_s: view.ask.network_mbit_per_s,
        attributes: view.ask.attributes,
        sandbox_level: view.ask.sandbox_level,
        proven: view.standing == matching::Standing::Proven,
        expires_in_s: view.expires_at.saturating_since(now).as_secs(),
    }
}

async fn balance(State(node): State<Node>) -> ApiResult<BalanceView> {
    balance_of(&node).await.map(Json)
}

/// Asks the ledger for this node's account, with proofs; where the operator cannot be reached, what was last
/// proved.
pub async fn balance_of(node: &Node) -> Result<BalanceView, ApiError> {
    let known = node.ledger.account_or_last(node.identity.account).await;
    let known = known.map_err(ApiError::failed)?;
    let balance = known.balance;
    let total = balance.available.checked_add(balance.in_channels);
    let total =
        total.ok_or_else(|| ApiError::failed("the operator proves more money than can exist"))?;
    Ok(BalanceView {
        account: balance.account,
        available: balance.available,
        in_channels: balance.in_channels,
        total,
        height: balance.height,
        stale_s: known.stale.map(|(age, _)| age.as_secs()),
    })
}

/// Takes a signed transaction to the ledger and waits until it is final.
async fn submit_signed(
    State(node): State<Node>,
    Json(request): Json<SubmitRequest>,
) -> ApiResult<TxView> {
    let bytes = hex::decode(&request.transaction).map_err(ApiError::bad_request)?;
    let signed = SignedTransaction::decode(&bytes).map_err(ApiError::bad_request)?;
    // One of another market would be refused by every operator; the reason is told here, without one.
    let verified = signed
        .verify(&node.chain())
        .map_err(ApiError::bad_request)?;
    let done = submit(&node, &signed).await?;
    if let Operation::Revoke { .. } = verified.transaction.operation
        && let Err(error) = node.standing.ask().await
    {
        tracing::debug!(%error, "whether this node is the one that was revoked shows a little later");
    }
    Ok(Json(done))
}

/// Makes a transaction of this node with a fresh nonce that stays valid for [`VALID_FOR_BLOCKS`].
pub fn transaction(node: &Node, operation: Operation) -> Result<Transaction, ApiError> {
    let height = node.clock.height().unwrap_or(0);
    transaction_at(height, operation).map_err(ApiError::failed)
}

/// Makes a transaction with a fresh nonce that stays valid for [`VALID_FOR_BLOCKS`] from `height` on.
///
/// # Errors
/// The system has no entropy.
pub fn transaction_at(height: u64, operation: Operation) -> Result<Transaction, IdentityError> {
    Ok(Transaction {
        nonce: fresh_nonce()?,
        valid_until_height: height + VALID_FOR_BLOCKS,
        operation,
    })
}

async fn submit(node: &Node, signed: &SignedTransaction) -> Result<TxView, ApiError> {
    let proof = node.ledger.submit(signed).await.map_err(|error| {
        if !error.is_temporary() {
            return ApiError::failed(error);
        }
        let id = signed.id(&node.chain());
        ApiError::failed(format!(
            "{error}. Transaction {id} may still become final: look at `nightshift wallet history` before you send \
             it again"
        ))
    })?;
    Ok(TxView {
        tx: TxId::from_bytes(*signed.id(&node.chain()).as_bytes()),
        height: proof.certified.header.height,
    })
}

async fn issue(State(node): State<Node>, Json(request): Json<IssueRequest>) -> ApiResult<TxView> {
    let key = load_key(&node.home, "treasury").map_err(ApiError::bad_request)?;
    let operation = Operation::Issue {
        to: request.to,
        amount: request.amount,
    };
    let transaction = transaction(&node, operation)?;
    let signed = SignedTransaction::sign(&transaction, &key, &node.chain());
    submit(&node, &signed).await.map(Json)
}

async fn operator_status(State(node): State<Node>) -> ApiResult<OperatorView> {
    let status = node.ledger.status().await.map_err(ApiError::failed)?;
    let join = node.join_string().await.map(|join| join.to_string());
    let set = match &node.operator {
        Some(operator) => operator.operators().await.map_err(ApiError::failed)?,
        None => node.ledger.trusted(),
    };
    let tallied = node.operator.as_ref().map(OperatorHandle::tallied);
    let tallied = tallied.unwrap_or_default();
    let refused = tallied.rejected.into_iter().chain(tallied.unavailable);
    Ok(Json(OperatorView {
        join: join.unwrap_or_default(),
        height: status.head.header.height,
        time: status.head.header.time,
        peers: node.network.peers().await.len(),
        operators: set.operators,
        operators_since: set.height,
        last_blocks: last_blocks(&node, status.head.header.height).await?,
        finals: tallied.finals,
        refused: refused
            .map(|(rule, count)| (rule.to_owned(), count))
            .collect(),
        audit: audit_view(&status.audit),
    }))
}

/// Returns the newest blocks, newest first.
async fn last_blocks(node: &Node, height: u64) -> Result<Vec<BlockSummary>, ApiError> {
    let Some(operator) = &node.operator else {
        return Ok(Vec::new());
    };
    let mut summaries = Vec::new();
    for height in (1..=height).rev().take(LAST_BLOCKS) {
        let Some(block) = operator.block(height).await.map_err(ApiError::failed)? else {
            break;
        };
        summaries.push(BlockSummary {
            height,
            time: block.header.time,
            transactions: block.transactions.len(),
        });
    }
    Ok(summaries)
}

fn audit_view(audit: &Audit) -> AuditView {
    AuditView {
        available: audit.available,
        channels: audit.channels,
        fees: audit.fee_pool,
        issued: audit.issued,
        redeemed: audit.redeemed,
        burned: audit.burned,
        conserved: audit.supply_conserved,
    }
}
