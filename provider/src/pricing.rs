//! Owns the price of an ask: what a strategy makes of the market, the owner's floor and the cost of power.
//!
//! Never asks less than the floor, nor less than what the power costs where that is known, whatever the market does.
//! Never reads the book and never waits: prices of others come in without any order of the own account, so that
//! nobody undercuts itself. Integer arithmetic only; everything saturates.
//!
//! Two providers that undercut each other fall by one step at a time and stop for good where one of them reaches its
//! floor: its price no longer moves, so the other's does not either. How fast they fall, and how much they gossip on
//! the way, is bounded by the time between two prices (`sell.reprice_s`, at least 2 s, 10 s by default): other nodes
//! pass on one message a second of each maker, and twenty at once. From 0.25 cr/h to a floor of 0.05 cr/h two of them
//! take 200 steps of 0.001 cr/h, which are at most 100 orders of each in a thousand seconds. Offers to standing bids
//! add at most two orders in five seconds.

use std::fmt;
use std::time::Duration;

use market::order::MAX_PRICE;
use market::{Amount, PricePerHour};
use market_node::config::{SellSettings, Strategy};
use matching::Touch;

/// A tariff is of kilowatts, a draw is in watts.
const WATTS_PER_KILOWATT: u128 = 1_000;

/// What a GPU draws, and what that costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Power {
    /// At work, in watts; 0 while unknown.
    pub watts: u32,
    /// A kilowatt-hour in credits; zero while unknown.
    pub tariff: Amount,
}

impl Power {
    /// Returns what an hour at work costs, rounded up to a nanocredit; `None` where watts or tariff are unknown.
    pub fn cost_per_hour(&self) -> Option<PricePerHour> {
        if self.watts == 0 || self.tariff == Amount::ZERO {
            return None;
        }
        let product = u128::from(self.watts) * u128::from(self.tariff.nanocredits());
        let nanocredits = product.div_ceil(WATTS_PER_KILOWATT);
        let nanocredits = u64::try_from(nanocredits).unwrap_or(u64::MAX);
        Some(PricePerHour(Amount::from_nanocredits(nanocredits)))
    }
}

impl fmt::Display for Power {
    /// Prints for example `200 W at 0.3 cr/kWh`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} W at {}/kWh", self.watts, self.tariff)
    }
}

/// How the owner wants the price to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pricing {
    /// How it follows the market.
    pub strategy: Strategy,
    /// The price of the strategy `fixed`, and of the others where there is nothing to follow.
    pub price: PricePerHour,
    /// The least that is asked, whatever the market does.
    pub floor: PricePerHour,
    /// How far below the lowest ask of others the strategy `undercut` asks; one nanocredit where zero.
    pub undercut_step: PricePerHour,
    /// What the GPU draws, and what that costs.
    pub power: Power,
    /// What the strategy `cost` adds to the cost of power.
    pub margin: PricePerHour,
    /// The least time between two prices that a strategy asks.
    pub interval: Duration,
}

impl From<&SellSettings> for Pricing {
    fn from(settings: &SellSettings) -> Self {
        Self {
            strategy: settings.strategy,
            price: settings.price,
            floor: settings.floor,
            undercut_step: settings.undercut_step,
            power: Power {
                watts: settings.watts,
                tariff: settings.tariff,
            },
            margin: settings.margin,
            interval: settings.reprice_interval(),
        }
    }
}

/// A price, and a sentence that says where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// What is asked for a GPU-hour; above 0.
    pub price: PricePerHour,
    /// Why, for the owner.
    pub why: String,
}

/// What holds a price up.
enum Bound {
    Floor(PricePerHour),
    Power(PricePerHour),
    Nothing,
}

impl Pricing {
    /// Returns the least that is ever asked: the floor or the cost of power, whichever is more, and above 0.
    pub fn least(&self) -> PricePerHour {
        self.bound().price()
    }

    fn bound(&self) -> Bound {
        match self.power.cost_per_hour() {
            Some(cost) if cost > self.floor => Bound::Power(cost),
            _ if self.floor.0 > Amount::ZERO => Bound::Floor(self.floor),
            _ => Bound::Nothing,
        }
    }

    /// Returns the least that a standing bid must pay: for `fixed` the price, for the others only [`Self::least`],
    /// since whoever follows the market takes what it pays.
    pub fn least_bid(&self) -> PricePerHour {
        match self.strategy {
            Strategy::Fixed => self.price.max(self.least()),
            Strategy::Join | Strategy::Undercut | Strategy::FollowMid | Strategy::Cost => {
                self.least()
            }
        }
    }

    /// Makes the price; `others` are the best prices of the class without any order of the own account.
    pub fn price(&self, others: Touch) -> Priced {
        let wish = match self.strategy {
            Strategy::Fixed => Priced {
                price: self.price,
                why: "your fixed price".to_owned(),
            },
            Strategy::Join => self.join(others),
            Strategy::Undercut => self.undercut(others),
            Strategy::FollowMid => self.follow_mid(others),
            Strategy::Cost => self.cost(),
        };
        self.bounded(wish)
    }

    fn join(&self, others: Touch) -> Priced {
        match others.best_ask {
            Some(best) => Priced {
                price: best,
                why: "level with the lowest ask of others".to_owned(),
            },
            None => self.alone(),
        }
    }

    fn undercut(&self, others: Touch) -> Priced {
        let Some(best) = others.best_ask else {
            return self.alone();
        };
        let step = self.undercut_step.max(nanocredits(1));
        Priced {
            price: PricePerHour(best.0.saturating_sub(step.0)),
            why: format!("{step} below the lowest ask of others, {best}"),
        }
    }

    fn follow_mid(&self, others: Touch) -> Priced {
        match (others.mid(), others.best_bid, others.best_ask) {
            (Some(mid), Some(bid), Some(ask)) => Priced {
                price: mid,
                why: format!(
                    "half-way between the highest bid, {bid}, and the lowest ask of others, {ask}"
                ),
            },
            _ => self.join(others),
        }
    }

    fn cost(&self) -> Priced {
        let Some(cost) = self.power.cost_per_hour() else {
            return Priced {
                price: self.price,
                why: "your price, because watts and tariff are not both set".to_owned(),
            };
        };
        let sum = cost.0.nanocredits();
        let sum = sum.saturating_add(self.margin.0.nanocredits());
        Priced {
            price: nanocredits(sum),
            why: format!(
                "power costs {cost} ({}), and your margin is {}",
                self.power, self.margin
            ),
        }
    }

    fn alone(&self) -> Priced {
        Priced {
            price: self.price,
            why: "your price, because nobody else offers this class".to_owned(),
        }
    }

    /// Holds a price up at what is never gone below, and down at what the book takes.
    fn bounded(&self, wish: Priced) -> Priced {
        let bound = self.bound();
        let price = wish.price.min(MAX_PRICE).max(bound.price());
        let why = match bound {
            _ if price == wish.price => wish.why,
            Bound::Floor(floor) if price == floor => {
                format!("your floor; {} would be {}", wish.why, wish.price)
            }
            Bound::Power(cost) if price == cost => format!(
                "what power costs ({}); {} would be {}",
                self.power, wish.why, wish.price
            ),
            _ => format!("as near as the book takes to {}; {}", wish.price, wish.why),
        };
        Priced { price, why }
    }
}

impl Bound {
    fn price(&self) -> PricePerHour {
        match self {
            Self::Floor(price) | Self::Power(price) => *price,
            Self::Nothing => nanocredits(1),
        }
    }
}

fn nanocredits(nanocredits: u64) -> PricePerHour {
    PricePerHour(Amount::from_nanocredits(nanocredits))
}

#[cfg(test)]
mod tests;
