//! Owns how a node sells, as its settings say: price and strategy, what power costs, with whom it deals.
//!
//! Never computes a price; the crate `provider` does.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use market::{AccountId, Amount, NodeId, PricePerHour};
use serde::{Deserialize, Serialize};

use super::counterparty::Counterparty;

/// How the price of an ask follows the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Not at all: the price of the settings.
    Fixed,
    /// The lowest price that others ask.
    Join,
    /// A step below the lowest price that others ask.
    Undercut,
    /// Half-way between the highest bid and the lowest ask of others; the lowest ask where nobody bids.
    FollowMid,
    /// What the power costs, and a margin.
    Cost,
}

/// Every strategy's name, as settings and commands write it.
pub(super) const STRATEGIES: &[&str] = &["fixed", "join", "undercut", "follow-mid", "cost"];

/// A word that names no strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a strategy; there are: {known}", known = STRATEGIES.join(", "))]
pub struct UnknownStrategy(String);

impl Strategy {
    /// All of them, the simplest first.
    pub const ALL: [Self; 5] = [
        Self::Fixed,
        Self::Join,
        Self::Undercut,
        Self::FollowMid,
        Self::Cost,
    ];
}

impl fmt::Display for Strategy {
    /// Prints the name, for example `follow-mid`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fixed => "fixed",
            Self::Join => "join",
            Self::Undercut => "undercut",
            Self::FollowMid => "follow-mid",
            Self::Cost => "cost",
        })
    }
}

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL
            .into_iter()
            .find(|strategy| strategy.to_string() == text);
        found.ok_or_else(|| UnknownStrategy(text.chars().take(40).collect()))
    }
}

/// The most watts that the settings take for one GPU.
pub const MAX_WATTS: u32 = 5_000;

/// The highest temperature that the settings take, in degrees Celsius: no GPU runs hotter.
pub const MAX_TEMPERATURE_C: u32 = 120;

/// How the node sells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SellSettings {
    /// Price of one GPU-hour in credits, as a string such as "0.25".
    pub price: PricePerHour,
    /// How the price follows the market.
    pub strategy: Strategy,
    /// The least that a GPU-hour may cost, whatever the market does.
    pub floor: PricePerHour,
    /// How far below the lowest ask of others the strategy `undercut` asks.
    pub undercut_step: PricePerHour,
    /// What the GPU draws at work, in watts; 0 while unknown, at most 5000.
    pub watts: u32,
    /// What a kilowatt-hour costs in credits; 0 while unknown.
    pub tariff: Amount,
    /// What the strategy `cost` adds to the cost of power.
    pub margin: PricePerHour,
    /// The least time between two prices that a strategy asks, in seconds; 2 to 3600.
    pub reprice_s: u32,
    /// How much of the GPU a game or other programs may use for two seconds, in percent, before selling pauses until they
    /// have been quiet for two minutes; 0 to 100, and at 100 it never does.
    pub others_percent: u32,
    /// The warmest that the GPU may be while it is sold, in degrees Celsius; 0 for no limit but the card's own, at most 120.
    pub max_temperature_c: u32,
    /// The most that the GPU may draw while it is sold, in watts; 0 for no limit but the card's own, at most 5000.
    pub max_watts: u32,
    /// The only ones that are sold to; everybody where empty.
    pub allow: Vec<Counterparty>,
    /// Those that are not sold to.
    pub deny: Vec<Counterparty>,
    /// Share of the price while inputs come in and in pauses, in 1/10^4; 0 to 10000.
    pub hold_bps: u16,
    /// Length of a payment tick in milliseconds; 100 to 60000.
    pub tick_ms: u32,
    /// The longest lease in seconds; 60 to 2592000.
    pub max_duration_s: u32,
}

impl Default for SellSettings {
    fn default() -> Self {
        let price = |nanocredits| PricePerHour(Amount::from_nanocredits(nanocredits));
        Self {
            price: price(250_000_000),
            strategy: Strategy::Fixed,
            floor: price(0),
            undercut_step: price(1_000_000),
            watts: 0,
            tariff: Amount::ZERO,
            margin: price(10_000_000),
            reprice_s: 10,
            others_percent: 10,
            max_temperature_c: 0,
            max_watts: 0,
            allow: Vec::new(),
            deny: Vec::new(),
            hold_bps: 2_500,
            tick_ms: 10_000,
            max_duration_s: 24 * 3600,
        }
    }
}

/// Why somebody is not sold to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unwelcome {
    /// It is on the deny list.
    #[error("this provider does not sell to {0}, which is on its deny list")]
    Denied(Counterparty),
    /// There is an allow list without it.
    #[error("this provider sells only to those on its allow list")]
    NotAllowed,
}

impl SellSettings {
    /// Returns the least time between two prices that a strategy asks.
    pub fn reprice_interval(&self) -> Duration {
        Duration::from_secs(self.reprice_s.into())
    }

    /// Tells whether `node`, which acts for `account`, is sold to. The deny list beats the allow list.
    ///
    /// # Errors
    /// It is denied, or is not among the only ones allowed.
    pub fn welcomes(&self, account: AccountId, node: NodeId) -> Result<(), Unwelcome> {
        if let Some(denied) = self.deny.iter().find(|party| party.is(account, node)) {
            return Err(Unwelcome::Denied(*denied));
        }
        let is_allowed = self.allow.iter().any(|party| party.is(account, node));
        match self.allow.is_empty() || is_allowed {
            true => Ok(()),
            false => Err(Unwelcome::NotAllowed),
        }
    }
}
