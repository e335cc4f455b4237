//! Owns the JSON of what this node itself has in the book.
//!
//! Never computes anything.

use market::gpu::GpuClass;
use market::{OrderId, PricePerHour, Timestamp};
use serde::{Deserialize, Serialize};

/// What an order wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderSide {
    /// To sell.
    Ask,
    /// To buy.
    Bid,
}

/// How an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// It is in the book.
    Standing,
    /// Somebody is filling it.
    Filling,
}

/// `GET /v1/orders`: the orders of this node that stand in its copy of the book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrdersView {
    /// Protocol time of the view.
    pub time: Timestamp,
    /// The orders, by slot.
    pub orders: Vec<OrderRow>,
}

/// One order of this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// Its id.
    pub order: OrderId,
    /// Its slot, 0 to 63.
    pub slot: u8,
    /// Whether it sells or buys.
    pub side: OrderSide,
    /// What is sold, or the least that is bought.
    pub class: GpuClass,
    /// What a GPU-hour costs, or costs at the most.
    pub price: PricePerHour,
    /// How many GPUs.
    pub gpus: u16,
    /// When it was posted, in protocol time.
    pub since: Timestamp,
    /// Seconds until it lapses, unless it is posted again.
    pub ends_in_s: u64,
    /// How it stands.
    pub state: OrderState,
    /// Why it is not filled, in words; empty where that is not known.
    pub why: String,
}
