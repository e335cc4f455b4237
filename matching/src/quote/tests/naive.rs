//! The naive quote: every ask of the book judged by the words of the need, all that fit sorted, none left out.
//!
//! Shares with the real one the prediction of time and the draw alone.

use std::collections::BTreeMap;

use super::*;

/// Returns the offers, best first, and how many fall to each reason.
pub(super) fn naive_quote(
    book: &Book,
    need: &Need,
    now: Timestamp,
) -> (Vec<Offer>, BTreeMap<Misfit, u32>) {
    let mut offers = Vec::new();
    let mut reasons: BTreeMap<Misfit, u32> = BTreeMap::new();
    for listed in book.asks(now) {
        match judge_naively(book, need, &listed) {
            Ok(offer) => offers.push(offer),
            Err(reason) => *reasons.entry(reason).or_default() += 1,
        }
    }
    offers.sort_by_key(|offer| {
        let cost = u128::from(offer.ask.price.0.nanocredits()) * u128::from(offer.predicted_ms);
        (offer.standing, cost, draw(&HEADER, &offer.register))
    });
    (offers, reasons)
}

fn judge_naively(book: &Book, need: &Need, listed: &ListedAsk<'_>) -> Result<Offer, Misfit> {
    let (ask, node) = (listed.ask, listed.register.node);
    let wants_proof = need.proof == Proof::Required || book.posting() == Posting::Certified;
    let is_accepted = |class: &GpuClass| ask.class.satisfies(*class);
    let longest_ms = u64::from(need.duration_s) * 1_000;
    let predicted_ms = need
        .work
        .map_or(longest_ms, |work| work.predicted_ms(ask, need.gpus));
    let offer = offer(need, listed);
    let total = offer.as_ref().map(|offer| offer.expected_total);
    let reasons = [
        (Misfit::OwnOffer, ask.account == need.buyer),
        (Misfit::Denied, need.denied.name(&node, &ask.account)),
        (
            Misfit::NotAllowed,
            need.allowed
                .as_ref()
                .is_some_and(|allowed| !allowed.name(&node, &ask.account)),
        ),
        (
            Misfit::Class,
            !need.classes.is_empty() && !need.classes.iter().any(is_accepted),
        ),
        (
            Misfit::Memory,
            ask.figures.usable_bytes() < need.usable_bytes,
        ),
        (Misfit::Gpus, ask.gpus < need.gpus),
        (Misfit::Duration, ask.max_duration_s < need.duration_s),
        (
            Misfit::Attributes,
            !ask.attributes.contains(need.attributes),
        ),
        (Misfit::Sandbox, ask.sandbox_level < need.sandbox_level),
        (
            Misfit::NoCertificate,
            wants_proof && listed.standing == Standing::Unproven,
        ),
        (
            Misfit::Price,
            need.max_price.is_some_and(|most| ask.price > most),
        ),
        (Misfit::TooSlow, predicted_ms > longest_ms),
        (
            Misfit::Budget,
            total.is_none_or(|total| need.budget.is_some_and(|budget| total > budget)),
        ),
    ];
    match reasons.into_iter().find(|(_, applies)| *applies) {
        Some((reason, _)) => Err(reason),
        None => Ok(offer.unwrap()),
    }
}
