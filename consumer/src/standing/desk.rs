//! Owns answering the offers that providers send to this node's bids, one after the other.
//!
//! Never waits for a reservation: an offer that may be taken is acknowledged, and the run's own task reserves.

use market_node::lease::OfferRequest;
use market_node::lease_protocol::{Decline, LeaseResponse};
use tokio::sync::mpsc;

use super::offer;
use crate::buyer::Buyer;
use crate::need;

/// Answers until the node stops.
pub(crate) async fn serve(buyer: Buyer, mut offers: mpsc::Receiver<OfferRequest>) {
    while let Some(request) = offers.recv().await {
        let answer = match answer(&buyer, &request).await {
            Ok(()) => LeaseResponse::Acknowledged,
            Err(decline) => {
                tracing::debug!(peer = %request.from.short(), %decline, "an offer is declined");
                LeaseResponse::Declined(decline)
            }
        };
        request.reply.send(answer);
    }
}

/// Decides on one offer. What costs nothing to tell comes first.
async fn answer(buyer: &Buyer, request: &OfferRequest) -> Result<(), Decline> {
    let (node, runs) = (&buyer.node, &buyer.runs);
    let (run, record) = runs.bidder(request.offer.bid).ok_or(Decline::NoSuchBid)?;
    let bid = record.open_bid().ok_or(Decline::NoSuchBid)?;
    let standing = |live: &mut crate::runs::Live| {
        let standing = live.standing.as_ref();
        standing.map_or(Err(Decline::NoSuchBid), |bid| bid.machine.listens())
    };
    runs.change(run, standing).ok_or(Decline::NoSuchBid)??;
    let offered = offer::check(&request.offer, request.from, bid.max_price, &node.chain())?;
    offer::taken(node.book.take(offered.message).await)?;
    let need = need::of_run(&record, &record.job, node);
    let fit = node.book.fit(need, offered.ask).await;
    offer::judged(fit.map_err(|_| Decline::Busy)?)?;
    let now = node.clock.now().ok_or(Decline::Busy)?;
    let call = |live: &mut crate::runs::Live| {
        let standing = live.standing.as_mut().ok_or(Decline::NoSuchBid)?;
        standing.machine.offered(offered.ask, now)?;
        standing.wake.notify_one();
        Ok(())
    };
    runs.change(run, call).ok_or(Decline::NoSuchBid)?
}
