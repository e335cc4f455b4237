//! Owns the decision what a bid does next: look into the book, stand in it, wait, end.
//!
//! Pure: never reads a clock, the book or the ledger. Never lets two reservations run for one bid, and never loses
//! an offer that was acknowledged: a look follows it.

use std::time::Duration;

use market::order::MAX_LIFETIME;
use market::{OrderId, Timestamp};
use market_node::lease_protocol::Decline;

/// The least time between two looks that nobody called for: a busy book changes many times a second.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a bid rests that found an offer and did not get it, as long as a provider is left alone at first.
pub(crate) const REST: Duration = Duration::from_secs(4);

/// How long before its order lapses a bid that goes on is posted again.
pub(crate) const POST_AGAIN: Duration = Duration::from_secs(3_600);

/// How long a bid waits after the book did not take its order.
const POST_LATER: Duration = Duration::from_secs(2);

/// What a bid does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Look for offers that fit. The named one, whose provider was told that it may be taken, goes first.
    Look {
        /// Which offer called for the look.
        called: Option<OrderId>,
    },
    /// Stand in the book.
    Post {
        /// For how long.
        lifetime: Duration,
    },
    /// Nothing, until then or until something happens.
    Wait {
        /// When, in protocol time.
        until: Timestamp,
    },
    /// The time is over.
    End,
}

/// What a look came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing fits.
    Nothing,
    /// Something fits and was not to be had now.
    Unavailable,
}

/// Where a bid is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody sells.
    Waiting,
    /// An offer was acknowledged, and no look has followed yet.
    Called(OrderId),
    /// Offers are being reserved.
    Reserving,
    /// It is left alone: its node stops.
    Halted,
}

/// An order in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Posted {
    order: OrderId,
    expires_at: Timestamp,
}

/// A bid while it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    until: Timestamp,
    state: State,
    posted: Option<Posted>,
    /// Whether the book has changed since the last look.
    is_stale: bool,
    rests_until: Timestamp,
    posts_from: Timestamp,
    misfits: Option<String>,
}

impl Machine {
    /// Begins a bid that ends at `until`: it looks first, and stands in the book where nothing fits.
    pub(crate) fn new(until: Timestamp) -> Self {
        Self {
            until,
            state: State::Waiting,
            posted: None,
            is_stale: true,
            rests_until: Timestamp::from_millis(0),
            posts_from: Timestamp::from_millis(0),
            misfits: None,
        }
    }

    /// Decides what comes next. A look that an offer called for reserves at once.
    pub(crate) fn next(&mut self, now: Timestamp) -> Step {
        if self.state == State::Halted {
            let until = now.saturating_add(REST);
            return Step::Wait { until };
        }
        if now >= self.until {
            return Step::End;
        }
        if let State::Called(order) = self.state {
            (self.state, self.is_stale) = (State::Reserving, false);
            return Step::Look {
                called: Some(order),
            };
        }
        if self.is_stale && now >= self.rests_until {
            self.is_stale = false;
            return Step::Look { called: None };
        }
        let post_at = self.post_at();
        if now >= post_at {
            let left = self.until.saturating_since(now);
            return Step::Post {
                lifetime: left.min(MAX_LIFETIME),
            };
        }
        let look_at = self.is_stale.then_some(self.rests_until);
        let next = look_at.into_iter().fold(post_at, Timestamp::min);
        Step::Wait {
            until: next.min(self.until),
        }
    }

    /// Returns when an order is to be posted: one that lapses before the bid ends is followed by the next in time.
    fn post_at(&self) -> Timestamp {
        let wanted = match self.posted {
            None => Timestamp::from_millis(0),
            Some(posted) if posted.expires_at >= self.until => self.until,
            Some(posted) => {
                let early = u64::try_from(POST_AGAIN.as_millis()).unwrap_or(u64::MAX);
                Timestamp::from_millis(posted.expires_at.as_millis().saturating_sub(early))
            }
        };
        wanted.max(self.posts_from)
    }

    /// Tells whether a change of the book would tell nothing new: it is looked at anyway.
    pub(crate) fn is_stale(&self) -> bool {
        self.is_stale || self.state == State::Halted
    }

    /// Notes that the book has changed.
    pub(crate) fn book_changed(&mut self) {
        self.is_stale = true;
    }

    /// Notes what stands in the book now.
    pub(crate) fn posted(&mut self, order: OrderId, expires_at: Timestamp) {
        self.posted = Some(Posted { order, expires_at });
    }

    /// Notes that its order does not stand in the book any more: it is posted anew.
    pub(crate) fn fell_out(&mut self) {
        self.posted = None;
    }

    /// Notes that the book cannot take an order now.
    pub(crate) fn not_posted(&mut self, now: Timestamp) {
        self.posts_from = now.saturating_add(POST_LATER);
    }

    /// Returns the order that stands in the book.
    pub(crate) fn order(&self) -> Option<OrderId> {
        self.posted.map(|posted| posted.order)
    }

    /// Tells whether `order` is this bid, and it stands.
    pub(crate) fn stands_as(&self, order: OrderId) -> bool {
        self.state != State::Halted && self.order() == Some(order)
    }

    /// Tells whether an offer would be looked at now.
    ///
    /// # Errors
    /// Another one is being filled.
    pub(crate) fn listens(&self) -> Result<(), Decline> {
        match self.state {
            State::Waiting => Ok(()),
            State::Called(_) | State::Reserving => Err(Decline::Filling),
            State::Halted => Err(Decline::NoSuchBid),
        }
    }

    /// Takes the offer of an ask that fits this bid, and that came while it [listened](Self::listens); a look follows at
    /// once, whatever rest there was. The ask is in the book by now, and the bid may have seen it there and begun to
    /// reserve: that is no reason to decline it, for its provider would take the price back that is being agreed to. Where
    /// another's ask is what it reserves, the look follows after that and its rest.
    ///
    /// # Errors
    /// Another offer was taken, or the bid is over.
    pub(crate) fn offered(&mut self, ask: OrderId, now: Timestamp) -> Result<(), Decline> {
        if now >= self.until {
            return Err(Decline::NoSuchBid);
        }
        match self.state {
            State::Waiting => self.state = State::Called(ask),
            State::Reserving => self.is_stale = true,
            State::Called(_) => return Err(Decline::Filling),
            State::Halted => return Err(Decline::NoSuchBid),
        }
        Ok(())
    }

    /// Notes that offers are being reserved from now on; one that was acknowledged meanwhile is among those that the
    /// next look finds. Tells whether that may be: not while the node stops.
    pub(crate) fn reserve(&mut self) -> bool {
        if self.state == State::Halted {
            return false;
        }
        if matches!(self.state, State::Called(_)) {
            self.is_stale = true;
        }
        self.state = State::Reserving;
        true
    }

    /// Notes what a look came to, and why offers do not fit.
    pub(crate) fn looked(&mut self, found: Found, misfits: Option<String>, now: Timestamp) {
        if self.state == State::Reserving {
            self.state = State::Waiting;
        }
        let rest = match found {
            Found::Nothing => LOOK_EVERY,
            Found::Unavailable => {
                self.is_stale = true;
                REST
            }
        };
        self.rests_until = now.saturating_add(rest);
        self.misfits = misfits.or(self.misfits.take());
    }

    /// Tells whether offers are being reserved.
    pub(crate) fn is_filling(&self) -> bool {
        matches!(self.state, State::Called(_) | State::Reserving)
    }

    /// Returns why the offers of the book do not fit, as it was last seen.
    pub(crate) fn misfits(&self) -> Option<String> {
        self.misfits.clone()
    }

    /// Lets the bid do nothing more; the next start of the node goes on with it.
    pub(crate) fn halt(&mut self) {
        self.state = State::Halted;
    }
}

#[cfg(test)]
mod tests;
