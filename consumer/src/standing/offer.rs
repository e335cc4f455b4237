//! Owns what is checked of an offer before the book is asked: who signed it, for which market, what it says.
//!
//! Pure. Never trusts what a provider says about its ask: only the signed bytes count, and the book judges them as
//! it judges gossip.

use market::order::{BookMessage, OrderBody};
use market::{ChainId, NodeId, OrderId, PricePerHour};
use market_node::book::PostError;
use market_node::lease_protocol::{BidOffer, Decline};
use matching::{Message, Misfit, Offer, Refused};

/// An offer whose ask is signed by who sent it, at a price that the bid pays.
#[derive(Debug)]
pub(crate) struct Offered {
    /// The ask as the book takes it.
    pub(crate) message: Message,
    /// The ask's id.
    pub(crate) ask: OrderId,
}

/// Checks an offer that node `from` sent to a bid of at most `max_price`.
///
/// # Errors
/// It is not an ask, not signed by `from` for this market, or too dear.
pub(crate) fn check(
    offer: &BidOffer,
    from: NodeId,
    max_price: PricePerHour,
    chain: &ChainId,
) -> Result<Offered, Decline> {
    let signed = BookMessage::Order(offer.ask.clone());
    let checked = matching::check(signed, chain);
    let message = checked.map_err(|_| misfit("the ask is not signed for this market"))?;
    let Message::Order(order) = &message else {
        return Err(misfit("it is no order"));
    };
    if order.node() != from {
        return Err(misfit("the ask is signed by another node"));
    }
    let OrderBody::Ask(ask) = &order.value().body else {
        return Err(misfit("the order is no ask"));
    };
    if ask.price > max_price {
        return Err(misfit(&Misfit::Price.to_string()));
    }
    let ask = OrderId::from_bytes(*order.id());
    Ok(Offered { message, ask })
}

/// Says whether the book holds an offered ask after it was handed over: one that it had already is as good.
///
/// # Errors
/// The book does not take it.
pub(crate) fn taken(result: Result<(), PostError>) -> Result<(), Decline> {
    match result {
        Ok(()) | Err(PostError::Refused(Refused::Superseded)) => Ok(()),
        Err(PostError::Refused(reason)) => Err(misfit(&reason.to_string())),
        Err(PostError::Book(_)) => Err(Decline::Busy),
    }
}

/// Says whether an ask fits, as the book judged it.
///
/// # Errors
/// It does not stand, or does not fit.
pub(crate) fn judged(fit: Option<Result<Offer, Misfit>>) -> Result<(), Decline> {
    match fit {
        None => Err(misfit("the ask does not stand in the book")),
        Some(Err(reason)) => Err(misfit(&reason.to_string())),
        Some(Ok(_)) => Ok(()),
    }
}

fn misfit(reason: &str) -> Decline {
    Decline::Misfit(reason.to_owned())
}

#[cfg(test)]
mod tests;
