//! Owns the figures of a running operator for a monitoring system, as OpenMetrics text over HTTP.
//!
//! Never names an account or a peer. Money is in whole nanocredits: a counter
//! that went through a float would not add up.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use market::Amount;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::ledger::operator::Tallied;
use crate::ledger::protocol::LedgerStatus;
use crate::node::Node;

/// The media type of OpenMetrics text.
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Why the figures cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// It cannot be listened on.
    #[error("cannot listen on operator.metrics = {address}: {source}; choose another port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// Everything that is told at one moment.
#[derive(Debug)]
struct Figures {
    status: LedgerStatus,
    tallied: Tallied,
    peers: usize,
}

/// Begins to serve the figures of an operator's node; run what this returns as a task of the node.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(
    node: Node,
    address: SocketAddr,
) -> Result<impl Future<Output = ()> + Send, MetricsError> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|source| MetricsError::Listen { address, source })?;
    let router = Router::new()
        .route("/metrics", get(metrics))
        .with_state(node);
    Ok(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "metrics are not served any more");
        }
    })
}

async fn metrics(State(node): State<Node>) -> Response {
    let Some(operator) = &node.operator else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let status = match operator.status().await {
        Ok(status) => status,
        Err(why) => return (StatusCode::SERVICE_UNAVAILABLE, why.to_string()).into_response(),
    };
    let figures = Figures {
        status,
        tallied: operator.tallied(),
        peers: node.network.peers().await.len(),
    };
    match text(&figures) {
        Ok(text) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Writes the figures as OpenMetrics text.
fn text(figures: &Figures) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("nightshift");
    blocks(&mut registry, figures);
    money(&mut registry, figures);
    transactions(&mut registry, figures);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    registry.register(name, help, ConstGauge::new(value));
}

fn blocks(registry: &mut Registry, figures: &Figures) {
    let header = &figures.status.head.header;
    gauge(
        registry,
        "ledger_height",
        "Height of the newest block",
        header.height,
    );
    let at = header.time.as_millis();
    gauge(
        registry,
        "ledger_time_milliseconds",
        "Protocol time of the newest block",
        at,
    );
    let uptime = header.uptime_ms;
    gauge(
        registry,
        "ledger_uptime_milliseconds",
        "The uptime clock at the newest block",
        uptime,
    );
    let peers = u64::try_from(figures.peers).unwrap_or(u64::MAX);
    gauge(registry, "network_peers", "Connected nodes", peers);
}

fn money(registry: &mut Registry, figures: &Figures) {
    let audit = &figures.status.audit;
    let sums: [(&str, Amount, &str); 6] = [
        ("issued", audit.issued, "All that was ever issued"),
        ("redeemed", audit.redeemed, "All that was ever redeemed"),
        ("burned", audit.burned, "All that was ever destroyed"),
        ("available", audit.available, "What accounts can spend"),
        ("channels", audit.channels, "What channels hold"),
        ("fees", audit.fee_pool, "Fees that were collected"),
    ];
    for (name, sum, help) in sums {
        let name = format!("money_{name}_nanocredits");
        gauge(registry, &name, help, sum.nanocredits());
    }
    let conserved = u64::from(audit.supply_conserved);
    let help = "1 where all money adds up, as it always must";
    gauge(registry, "money_conserved", help, conserved);
    gauge(
        registry,
        "ledger_accounts",
        "Accounts with money",
        audit.accounts,
    );
    let channels = audit.live_channels;
    gauge(
        registry,
        "ledger_live_channels",
        "Channels that are not closed",
        channels,
    );
}

fn transactions(registry: &mut Registry, figures: &Figures) {
    let Tallied {
        finals,
        rejected,
        unavailable,
    } = &figures.tallied;
    let help = "Transactions that became final since the start";
    registry.register("transactions_final", help, ConstCounter::new(*finals));
    by_reason(
        registry,
        (
            "transactions_rejected",
            "Transactions that the ledger refused since the start, by the rule",
        ),
        rejected,
    );
    by_reason(
        registry,
        (
            "transactions_unavailable",
            "Transactions that were not looked at since the start, by the reason",
        ),
        unavailable,
    );
}

fn by_reason(
    registry: &mut Registry,
    (name, help): (&str, &str),
    counts: &BTreeMap<&'static str, u64>,
) {
    let family = Family::<[(&'static str, &'static str); 1], Counter>::default();
    for (reason, count) in counts {
        let labels = [("reason", *reason)];
        family.get_or_create(&labels).inc_by(*count);
    }
    registry.register(name, help, family);
}

#[cfg(test)]
mod tests;
