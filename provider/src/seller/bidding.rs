//! Owns serving standing bids: which one is offered to, what its node answers, and who is left alone for a while.
//!
//! ```text
//! seller                                      the bid's node
//! ask at what the bid pays ---- gossip -----> its book
//! Offer { bid, signed ask } ----------------> acknowledged, or declined and why
//!        <---- Reserve, by the usual way ---- within a while
//! ```
//! Never has more than one offer outstanding, and never binds itself: a reservation is judged like any other. After
//! an offer that came to nothing the strategy's price stands for at least as long as that took, so that bids which
//! nobody means keep this node's ask from the others for half of the time at the most.

use std::time::Duration;

use market::order::Order;
use market::{HeaderId, NodeId, OrderId, PricePerHour, Signed, Timestamp};
use market_node::lease_protocol::{BidOffer, Decline, LeaseRequest, LeaseResponse};
use market_node::node::DRAW_BLOCKS;
use matching::Crossable;
use tracing::Instrument as _;

use super::doubts::Doubts;
use super::{Note, Seller};

/// How long a bid's node may take to answer an offer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// How long it may then take until its reservation arrives.
const RESERVED_WITHIN: Duration = Duration::from_secs(30);

/// The least time between two offers to bids.
const OFFER_EVERY: Duration = Duration::from_secs(5);

/// For how long a bid is left alone that is being filled, or whose node is busy.
const SOON_AGAIN: Duration = Duration::from_secs(60);

/// For how long a bid is left alone that does not want this offer.
const LATER_AGAIN: Duration = Duration::from_secs(600);

/// What became of an offer.
#[derive(Debug)]
pub(super) enum Answer {
    /// A reservation will follow.
    Acknowledged,
    /// It is not wanted.
    Declined(Decline),
    /// Nothing that is an answer came, for this reason.
    None(String),
}

/// The offer that is outstanding.
#[derive(Debug, Clone, Copy)]
struct Outstanding {
    bid: OrderId,
    node: NodeId,
    price: PricePerHour,
    since: Timestamp,
    until: Timestamp,
}

/// What the seller knows of bids that it serves.
#[derive(Debug, Default)]
pub(super) struct Bidding {
    outstanding: Option<Outstanding>,
    doubts: Doubts,
    /// Until when no other bid is tried.
    rests_until: Option<Timestamp>,
    /// The draw among equals, and from which height on it holds.
    drawn: Option<(u64, HeaderId)>,
    /// From which height on the draw has been asked for.
    asked: Option<u64>,
}

impl Bidding {
    /// Tells whether a bidder has been offered to and has not reserved yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.outstanding.is_some()
    }

    /// Returns the bid that was offered to, and what it pays.
    pub(super) fn outstanding(&self) -> Option<(OrderId, PricePerHour)> {
        let outstanding = self.outstanding.as_ref()?;
        Some((outstanding.bid, outstanding.price))
    }

    /// Returns the header of the draw; zeros while it is not known.
    pub(super) fn header(&self) -> HeaderId {
        self.drawn
            .map_or(HeaderId::from_bytes([0; 32]), |(_, header)| header)
    }

    pub(super) fn drawn(&mut self, height: u64, header: HeaderId) {
        self.drawn = Some((height, header));
    }

    /// Waits for no bidder any more: the ask is no longer the one that was shown.
    pub(super) fn end(&mut self) {
        self.outstanding = None;
    }

    /// Waits for no bidder any more, because `node` has reserved; the bidder that does is believed again.
    pub(super) fn reserved_by(&mut self, node: NodeId) {
        self.outstanding = None;
        self.doubts.heard(node);
    }

    fn rest(&mut self, ended: Outstanding, now: Timestamp) {
        let took = now.saturating_since(ended.since).max(OFFER_EVERY);
        self.rests_until = Some(now.saturating_add(took));
    }

    fn is_resting(&self, now: Timestamp) -> bool {
        self.rests_until.is_some_and(|until| now < until)
    }
}

impl Seller {
    /// Offers to the best bid that pays enough, where the machine is free and nobody else is waited for.
    pub(super) async fn serve_bids(&mut self) {
        let Some(now) = self.node.clock.now() else {
            return;
        };
        self.give_up_late(now);
        let is_free = !self.rest.rests() && self.current.is_none();
        if !is_free || self.bidding.is_waiting() || self.bidding.is_resting(now) {
            return;
        }
        let Some(bid) = self.next_bid(now) else {
            return;
        };
        self.ask_for_the_draw();
        let Some(ask) = self.ask_at(bid.max_price, now).await else {
            return;
        };
        self.bidding.outstanding = Some(Outstanding {
            bid: bid.order,
            node: bid.register.node,
            price: bid.max_price,
            since: now,
            until: now.saturating_add(ANSWERED_WITHIN + RESERVED_WITHIN),
        });
        tracing::info!(bid = %bid.order.short(), price = %bid.max_price, "a standing bid is offered to");
        self.offer(bid, ask);
    }

    /// Finds the first bid that pays enough, of somebody who is sold to and not left alone.
    fn next_bid(&self, now: Timestamp) -> Option<Crossable> {
        let look = self.look.as_ref().filter(|_| self.offered.is_some())?;
        let least = self.config.pricing.least_bid();
        let sell = &self.node.settings.sell;
        let mut bids = look.bids.iter().filter(|bid| {
            bid.max_price >= least
                && sell.welcomes(bid.account, bid.register.node).is_ok()
                && self.bidding.doubts.allow(bid, now)
        });
        bids.next().copied()
    }

    /// Returns the signed ask at `price`, which is posted unless it stands.
    async fn ask_at(&mut self, price: PricePerHour, now: Timestamp) -> Option<Signed<Order>> {
        let stands = |seller: &Self| {
            let posted = seller.offered.as_ref();
            posted
                .filter(|posted| posted.offered.ask.price == price)
                .map(|posted| posted.signed.clone())
        };
        if let Some(signed) = stands(self) {
            return Some(signed);
        }
        match self.post(price, now).await {
            true => stands(self),
            false => None,
        }
    }

    /// Sends the offer; the answer comes back as a note.
    fn offer(&self, bid: Crossable, ask: Signed<Order>) {
        let (network, notes) = (self.node.network.clone(), self.notes.clone());
        let span = tracing::info_span!("offer", peer = %bid.register.node.short());
        let offer = BidOffer {
            bid: bid.order,
            ask,
        };
        let sent = async move {
            let request = LeaseRequest::Offer(Box::new(offer));
            let called = network.call_lease(bid.register.node, request);
            let answer = match tokio::time::timeout(ANSWERED_WITHIN, called).await {
                Ok(Ok(LeaseResponse::Acknowledged)) => Answer::Acknowledged,
                Ok(Ok(LeaseResponse::Declined(why))) => Answer::Declined(why),
                Ok(Ok(_)) => Answer::None("it gave an answer that is none to an offer".to_owned()),
                Ok(Err(error)) => Answer::None(error.to_string()),
                Err(_) => Answer::None("it does not answer in time".to_owned()),
            };
            let _stopped = notes.send(Note::Answered(bid.order, answer)).await;
        };
        tokio::spawn(sent.instrument(span));
    }

    /// Takes the answer of a bid's node. One to an offer that is no longer outstanding means nothing.
    pub(super) fn answered(&mut self, bid: OrderId, answer: &Answer) {
        let outstanding = self.bidding.outstanding;
        let (Some(asked), Some(now)) = (outstanding, self.node.clock.now()) else {
            return;
        };
        if asked.bid != bid {
            return;
        }
        match answer {
            Answer::Acknowledged => {
                let until = now.saturating_add(RESERVED_WITHIN);
                self.bidding.outstanding = Some(Outstanding { until, ..asked });
            }
            Answer::Declined(why) => {
                tracing::info!(bid = %bid.short(), %why, "a bid does not take the offer");
                let wait = match why {
                    Decline::Filling | Decline::Busy => SOON_AGAIN,
                    Decline::NoSuchBid | Decline::Misfit(_) => LATER_AGAIN,
                };
                self.bidding.doubts.declined(bid, now.saturating_add(wait));
                self.give_up(asked, now);
            }
            Answer::None(why) => {
                tracing::info!(bid = %bid.short(), why, "a bid's node did not answer an offer");
                self.bidding.doubts.silent(asked.node, now);
                self.give_up(asked, now);
            }
        }
    }

    /// Gives up a bidder that took the offer and did not reserve.
    fn give_up_late(&mut self, now: Timestamp) {
        let outstanding = self.bidding.outstanding;
        let Some(late) = outstanding.filter(|outstanding| now >= outstanding.until) else {
            return;
        };
        tracing::info!(bid = %late.bid.short(), "a bidder took an offer and did not reserve");
        self.bidding.doubts.silent(late.node, now);
        self.give_up(late, now);
    }

    /// Goes back to the strategy's price, at once.
    fn give_up(&mut self, ended: Outstanding, now: Timestamp) {
        self.bidding.outstanding = None;
        self.bidding.rest(ended, now);
        self.price_at_once();
    }

    /// Fetches the draw among equals where it is another one now. It decides little, so nothing waits for it.
    fn ask_for_the_draw(&mut self) {
        let height = self.node.clock.height().unwrap_or(0);
        let height = height - height % DRAW_BLOCKS;
        if self.bidding.asked == Some(height) {
            return;
        }
        self.bidding.asked = Some(height);
        let (node, notes) = (self.node.clone(), self.notes.clone());
        tokio::spawn(async move {
            if let Ok(header) = node.draw_header().await {
                let _stopped = notes.send(Note::Drawn(height, header)).await;
            }
        });
    }
}

#[cfg(test)]
mod tests;
