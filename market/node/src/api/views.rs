//! Owns the JSON that the local API speaks, one file an area. Amounts are exact decimal strings of credits.
//!
//! Never computes anything.

mod bids;
mod book;
mod delegations;
mod jobs;
mod ledger;
mod market;
mod network;
mod node;
mod operator;
mod orders;
mod provider;
mod run_id;
mod wallet;

pub use bids::{BidDetail, BidRequest, BidState, BidView, MAX_BID_S, RunDetail, RunView};
pub use book::{BestPrice, BookRow, BookView, CostView, OfferView, QuoteRequest, QuoteView};
pub use delegations::{DelegationRow, DelegationsView, HeldView};
pub use jobs::{
    ArtefactView, AttemptView, BudgetView, FetchRequest, JobDetail, JobView, NumberedEvent,
    PendingRefund, RunEvent, RunRequest,
};
pub use ledger::{
    AccountAuditEntry, AccountEntry, BlockEntry, ChannelEntry, LedgerEntry, OperatorsEntry,
    ProofEntry, TransactionEntry,
};
pub use market::{
    CandlesView, ClassRow, ClassesView, DepthView, IndexView, LevelRow, RatePrice, RatesView,
    RebuildView, TradeRow, TradesView, VolumeView,
};
pub use network::{NetworkView, PeerView, ShunnedView};
pub use node::{BalanceView, StatusView};
pub use operator::{AuditView, BlockSummary, IssueRequest, OperatorView, RotatedView};
pub use orders::{OrderRow, OrderSide, OrderState, OrdersView};
pub use provider::{
    AskChange, GpuView, LeaseView, PriceRequest, ProviderState, ProviderView, SandboxView,
    StandingAsk,
};
pub use run_id::{RunId, RunIdError};
pub use wallet::{ChannelView, HistoryRow, HistoryView, SubmitRequest, TxView};
