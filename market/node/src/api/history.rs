//! Owns the account's history, page by page: what came in and what went out, with whom, for which agreement and run.
//!
//! Never believes who stands behind a movement: channels and transactions are proved. That money moved is the
//! operator's word; `ledger audit` holds it against proofs.

mod causes;
mod page;
mod row;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use market::{AccountId, AgreementId, wire};

use super::server::{ApiError, ApiResult};
use super::views::{HistoryView, JobView, RunId};
use crate::ledger::LedgerClient;
use crate::ledger::client::LedgerError;
use crate::node::Node;
use crate::recover::MAX_JOB_BYTES;
use crate::store::{NodeStore, RecordKind, StoreError};
use causes::Causes;
use page::{Page, PageQuery, Wanted};
pub use page::{PageLimit, ParseCursorError, ParseLimitError};

/// Why there is no page of history.
#[derive(Debug, thiserror::Error)]
enum HistoryError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(
        "the operator's answer is not the page of history that was asked for: it holds an entry of another account, \
         or one out of its order. Ask again; `nightshift ledger audit {0}` holds the account against proofs"
    )]
    OtherPage(AccountId),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// `GET /v1/wallet/history`.
pub(super) async fn history(
    State(node): State<Node>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> ApiResult<HistoryView> {
    let Query(query) = query.map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
    let wanted = query.wanted(node.identity.account)?;
    let view = view(&node.ledger, &node.store, wanted).await;
    view.map(Json).map_err(ApiError::failed)
}

/// Reads a page, and what is known of each of its entries.
async fn view(
    ledger: &LedgerClient,
    store: &NodeStore,
    wanted: Wanted,
) -> Result<HistoryView, HistoryError> {
    let page = Page::read(ledger, wanted).await?;
    let causes = Causes::of(&page.entries, ledger).await?;
    let mut entries = Vec::with_capacity(page.entries.len());
    for entry in &page.entries {
        let mut row = row::row(entry, wanted.account, &causes);
        if let Some(agreement) = row.agreement {
            row.run = run_of(store, agreement)?;
        }
        entries.push(row);
    }
    Ok(HistoryView {
        account: wanted.account,
        entries,
        next: page.next.map(|next| next.to_string()),
    })
}

/// Returns the run for which this node made an agreement, where it did and still has the job.
fn run_of(store: &NodeStore, agreement: AgreementId) -> Result<Option<RunId>, StoreError> {
    let Some(bytes) = store.record(RecordKind::Job, agreement.as_bytes())? else {
        return Ok(None);
    };
    match wire::decode::<JobView>(&bytes, MAX_JOB_BYTES) {
        Ok(job) => Ok(Some(job.run)),
        Err(error) => {
            tracing::warn!(%agreement, %error, "the record of a job cannot be read");
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests;
