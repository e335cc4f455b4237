//! Owns which standing bids an own ask may be offered to, and in which order.
//!
//! Never decides a price: the least that is taken is handed in, and so is the draw that decides among equals.

use market::order::{Ask, Bid, Register};
use market::{AccountId, HeaderId, OrderId, PricePerHour, Timestamp};

use crate::book::Book;
use crate::position::OwnAsk;
use crate::quote::draw;

/// The most bids that one look at the book returns.
pub const MAX_CROSSABLE: usize = 64;

/// A bid that an own ask may be offered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crossable {
    /// Where it stands; its node is whom to offer to.
    pub register: Register,
    /// The id of the signed bid, which an offer names.
    pub order: OrderId,
    /// Who would pay.
    pub account: AccountId,
    /// What it pays for a GPU-hour at the most.
    pub max_price: PricePerHour,
}

/// Tells whether what is offered does for what is wanted, whatever either costs: class, memory, GPUs, duration,
/// attributes and sandbox.
pub fn serves(ask: &Ask, bid: &Bid) -> bool {
    ask.class.satisfies(bid.class)
        && ask.figures.usable_mib >= bid.usable_mib
        && ask.gpus >= bid.gpus
        && ask.max_duration_s >= bid.duration_s
        && ask.attributes.contains(bid.attributes)
        && ask.sandbox_level >= bid.sandbox_level
}

/// Returns the bids of others that `own` serves and that pay at least `least`, dearest first; among equals goes
/// first what [`draw`] says, for which `header` is its header. Those beyond [`MAX_CROSSABLE`] are left out.
pub fn crossable(
    book: &Book,
    own: OwnAsk<'_>,
    least: PricePerHour,
    header: &HeaderId,
    now: Timestamp,
) -> Vec<Crossable> {
    let of_others = book.bids(now).filter(|listed| {
        !own.is_of(listed.register.node, listed.bid.account)
            && listed.bid.max_price >= least
            && serves(own.ask, listed.bid)
    });
    let mut found: Vec<Crossable> = of_others
        .map(|listed| Crossable {
            register: listed.register,
            order: listed.order,
            account: listed.bid.account,
            max_price: listed.bid.max_price,
        })
        .collect();
    found.sort_by_cached_key(|bid| {
        let dearest_first = std::cmp::Reverse(bid.max_price);
        (dearest_first, draw(header, &bid.register))
    });
    found.truncate(MAX_CROSSABLE);
    found
}

#[cfg(test)]
pub(crate) mod tests;
