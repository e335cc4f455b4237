//! Owns the bid: what a consumer would buy whenever somebody sells it.
//!
//! Never binds by itself: a deal is made only by the payer-signed reservation.

use serde::{Deserialize, Serialize};

use super::{Attributes, MAX_DURATION_S, MAX_PRICE, OrderError, check_ranges};
use crate::amount::{Amount, PricePerHour, SUPPLY_CAP};
use crate::gpu::GpuClass;
use crate::ids::AccountId;

/// An offer to buy hours of GPUs of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bid {
    /// The account that pays; its delegation to the node is shown when a deal is reserved.
    pub account: AccountId,
    /// The least class that will do; a better one of the same kind will do as well.
    pub class: GpuClass,
    /// The most that one GPU may cost for an hour; above 0, at most a million credits.
    pub max_price: PricePerHour,
    /// GPUs wanted in one host; 1 to 1,024.
    pub gpus: u16,
    /// Seconds wanted; 1 second to 30 days.
    pub duration_s: u32,
    /// The least memory that a job must be able to use, in MiB; 0 for any.
    pub usable_mib: u32,
    /// What the offer must be able to do.
    pub attributes: Attributes,
    /// The least sandbox level.
    pub sandbox_level: u8,
    /// The most that the whole may cost; above 0.
    pub budget: Amount,
    /// The height at which the account's balance covered the budget; a seller asks for the proof.
    pub balance_height: u64,
}

impl Bid {
    /// Checks every range that the fields state.
    pub fn validate(&self) -> Result<(), OrderError> {
        check_ranges(&[
            (
                "max_price",
                self.max_price.0.nanocredits(),
                1..=MAX_PRICE.0.nanocredits(),
                "0.000000001 to 1000000 cr/h",
            ),
            ("gpus", self.gpus.into(), 1..=1_024, "1 to 1024"),
            (
                "duration_s",
                self.duration_s.into(),
                1..=MAX_DURATION_S,
                "1 to 2592000",
            ),
            (
                "budget",
                self.budget.nanocredits(),
                1..=SUPPLY_CAP.nanocredits(),
                "1 nanocredit to all that can exist",
            ),
        ])
    }
}
