//! Owns how an own ask stands among the others: who is served before it, at which price it would be next, and
//! which bids wait that it would serve at another price.
//!
//! Never counts orders of the same account: nobody competes with itself. Integer comparisons only.

use std::fmt;

use market::gpu::GpuClass;
use market::order::{Ask, Register};
use market::{AccountId, Amount, NodeId, PricePerHour, Timestamp};
use serde::{Deserialize, Serialize};

use crate::book::{Book, ListedAsk, Standing, half_way};
use crate::crossing::serves;

/// An ask of this node, whether or not it stands in the book at the moment.
#[derive(Debug, Clone, Copy)]
pub struct OwnAsk<'a> {
    /// Where it stands or would stand.
    pub register: Register,
    /// What is offered.
    pub ask: &'a Ask,
}

impl OwnAsk<'_> {
    /// Tells whether an order of `node` for `account` is of the same owner.
    pub(crate) fn is_of(&self, node: NodeId, account: AccountId) -> bool {
        node == self.register.node || account == self.ask.account
    }
}

/// The best prices of others in one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Touch {
    /// The lowest price asked.
    pub best_ask: Option<PricePerHour>,
    /// The highest price bid.
    pub best_bid: Option<PricePerHour>,
}

impl Touch {
    /// Returns the price half-way between, rounded down to nanocredits; `None` where a side is empty.
    pub fn mid(&self) -> Option<PricePerHour> {
        Some(half_way(self.best_bid?, self.best_ask?))
    }
}

/// Returns the best prices of others in exactly the class of `own` at `now`. Asks that rank behind it whatever they
/// cost, which is unproven ones where it is proven, do not count.
pub fn touch(book: &Book, own: OwnAsk<'_>, now: Timestamp) -> Touch {
    let class = own.ask.class;
    let standing = book.standing(own.register.node, own.ask, now);
    let asks = others(book, own, now).filter(|listed| listed.ask.class == class);
    let asks = asks.filter(|listed| listed.standing <= standing);
    let bids = book.bids(now).filter(|listed| {
        listed.bid.class == class && !own.is_of(listed.register.node, listed.bid.account)
    });
    Touch {
        best_ask: asks.map(|listed| listed.ask.price).min(),
        best_bid: bids.map(|listed| listed.bid.max_price).max(),
    }
}

/// How an own ask stands among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The class that it sells in.
    pub class: GpuClass,
    /// What it costs.
    pub price: PricePerHour,
    /// Whether its own claims were proved.
    pub standing: Standing,
    /// Asks of others that could stand in for it: of its class or a better one of the same kind.
    pub rivals: u32,
    /// Of these, proven ones before it because it is unproven, whatever they cost.
    pub proven_before: u32,
    /// Of the others, those that are cheaper and no less proven.
    pub cheaper: u32,
    /// Of the others, those at the very same price and no less proven: a draw decides.
    pub level: u32,
    /// A price at which it would be before all that are no more proven than it; `None` where it is, or where no
    /// price above nothing is low enough.
    pub next_at: Option<PricePerHour>,
    /// Bids of others that it would serve at a lower price.
    pub waiting_bids: u32,
    /// The dearest of these.
    pub waiting_bid: Option<PricePerHour>,
}

/// Tells how `own` stands among what others offer and want at `now`.
pub fn position(book: &Book, own: OwnAsk<'_>, now: Timestamp) -> Position {
    let standing = book.standing(own.register.node, own.ask, now);
    let mut position = Position {
        class: own.ask.class,
        price: own.ask.price,
        standing,
        rivals: 0,
        proven_before: 0,
        cheaper: 0,
        level: 0,
        next_at: None,
        waiting_bids: 0,
        waiting_bid: None,
    };
    let mut best = None;
    for listed in others(book, own, now).filter(|listed| listed.ask.class.satisfies(own.ask.class))
    {
        position.count(&listed);
        let is_equal = listed.standing == standing;
        let price = is_equal.then_some(listed.ask.price);
        best = [best, price].into_iter().flatten().min();
    }
    if position.cheaper > 0 || position.level > 0 {
        position.next_at = best.and_then(just_below);
    }
    for listed in book.bids(now) {
        let is_own = own.is_of(listed.register.node, listed.bid.account);
        let is_below = listed.bid.max_price < own.ask.price;
        if !is_own && is_below && serves(own.ask, listed.bid) {
            position.waiting_bids = position.waiting_bids.saturating_add(1);
            position.waiting_bid = position.waiting_bid.max(Some(listed.bid.max_price));
        }
    }
    position
}

fn others<'a>(
    book: &'a Book,
    own: OwnAsk<'a>,
    now: Timestamp,
) -> impl Iterator<Item = ListedAsk<'a>> {
    let asks = book.asks(now);
    asks.filter(move |listed| !own.is_of(listed.register.node, listed.ask.account))
}

/// Returns a price below `price` and at most about a hundredth of it lower, with few decimals; `None` where only
/// nothing is lower.
fn just_below(price: PricePerHour) -> Option<PricePerHour> {
    let nanocredits = price.0.nanocredits();
    let hundredth = nanocredits / 100;
    let step = match hundredth {
        0 => 1,
        _ => 10_u64.pow(hundredth.ilog10()),
    };
    let below = nanocredits.saturating_sub(1) / step * step;
    (below > 0).then(|| PricePerHour(Amount::from_nanocredits(below)))
}

impl Position {
    fn count(&mut self, listed: &ListedAsk<'_>) {
        self.rivals = self.rivals.saturating_add(1);
        let counter = match listed.standing.cmp(&self.standing) {
            std::cmp::Ordering::Less => &mut self.proven_before,
            std::cmp::Ordering::Equal if listed.ask.price < self.price => &mut self.cheaper,
            std::cmp::Ordering::Equal if listed.ask.price == self.price => &mut self.level,
            _ => return,
        };
        *counter = counter.saturating_add(1);
    }

    /// Returns its place, from 1: one more than those that are before it for sure.
    pub fn rank(&self) -> u32 {
        let before = self.proven_before.saturating_add(self.cheaper);
        before.saturating_add(1)
    }

    /// Says why nobody takes it, where its owner sells for no less than `floor`: for example `not filled: 12 cheaper
    /// offers in 8T-8G; at 0.219 cr/h you would be next; a bid at 0.21 cr/h waits: your floor is 0.25 cr/h`.
    pub fn why_not_filled(&self, floor: PricePerHour) -> String {
        let mut parts = vec![match (self.cheaper, self.level) {
            (0, 0) if self.proven_before == 0 => {
                format!("next in line: no other offer in {} is cheaper", self.class)
            }
            (0, 0) => "not filled".to_owned(),
            (0, level) => format!(
                "not filled: a draw decides between this and {} at the same price in {}",
                Counted(level, "offer"),
                self.class
            ),
            (cheaper, _) => format!(
                "not filled: {} in {}",
                Counted(cheaper, "cheaper offer"),
                self.class
            ),
        }];
        if self.proven_before > 0 {
            let before = Counted(self.proven_before, "proven offer");
            parts.push(format!(
                "{before} first whatever the price, because this one has no certificate"
            ));
        }
        parts.extend(self.next_words(floor));
        parts.extend(self.bid_words(floor));
        parts.join("; ")
    }

    fn next_words(&self, floor: PricePerHour) -> Option<String> {
        let next_at = self.next_at?;
        let whom = match self.proven_before {
            0 => "next",
            _ => "next behind these",
        };
        Some(match next_at < floor {
            true => {
                format!("at {next_at} you would be {whom}, and your floor is {floor}")
            }
            false => format!("at {next_at} you would be {whom}"),
        })
    }

    fn bid_words(&self, floor: PricePerHour) -> Option<String> {
        let bid = self.waiting_bid?;
        let (bids, verb) = match self.waiting_bids {
            1 => ("a bid".to_owned(), "waits"),
            bids => (format!("{bids} bids up to"), "wait"),
        };
        let at = match self.waiting_bids {
            1 => format!("at {bid}"),
            _ => bid.to_string(),
        };
        let limit = match bid < floor {
            true => format!("your floor is {floor}"),
            false => format!("your price is {}", self.price),
        };
        Some(format!("{bids} {at} {verb}: {limit}"))
    }
}

/// A noun with its number.
struct Counted(u32, &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} {}{ending}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests;
