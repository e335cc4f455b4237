//! Owns the local API: HTTP and JSON on a Unix socket in the home folder, by which commands and the
//! terminal interface talk to the node of the same home.
//!
//! Never listens on a network and never lets another user in: the socket has mode 0600. What the
//! endpoints do lives with the crates that own it; each contributes a router.

mod client;
mod delegations;
mod history;
mod ledger;
mod market_data;
mod operator;
mod orders;
mod routes;
mod server;
mod views;

pub use client::{ApiClient, ClientError, Lines};
pub use history::{PageLimit, ParseCursorError, ParseLimitError};
pub use market_data::{ParseCountError, RowCount};
pub use matching::PriceSource;
pub use orders::{cancel_slot, own_order, own_orders};
pub use routes::{
    VALID_FOR_BLOCKS, balance_of, book_row, node_router, transaction, transaction_at,
};
pub use server::{ApiError, ApiResult, ApiServer, ServeError, ndjson, serve};
pub use views::{
    AccountAuditEntry, AccountEntry, ArtefactView, AskChange, AttemptView, AuditView, BalanceView,
    BestPrice, BidDetail, BidRequest, BidState, BidView, BlockEntry, BlockSummary, BookRow,
    BookView, BudgetView, CandlesView, ChannelEntry, ChannelView, ClassRow, ClassesView, CostView,
    DelegationRow, DelegationsView, DepthView, FetchRequest, GpuView, HeldView, HistoryRow,
    HistoryView, IndexView, IssueRequest, JobDetail, JobView, LeaseView, LedgerEntry, LevelRow,
    MAX_BID_S, NetworkView, NumberedEvent, OfferView, OperatorView, OperatorsEntry, OrderRow,
    OrderSide, OrderState, OrdersView, PeerView, PendingRefund, PriceRequest, ProofEntry,
    ProviderState, ProviderView, QuoteRequest, QuoteView, RatePrice, RatesView, RebuildView,
    RotatedView, RunDetail, RunEvent, RunId, RunIdError, RunRequest, RunView, SandboxView,
    ShunnedView, StandingAsk, StatusView, SubmitRequest, TradeRow, TradesView, TransactionEntry,
    TxView, VolumeView,
};
