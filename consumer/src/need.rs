//! Owns what a job needs of an offer, and how a quote is shown.
//!
//! Never ranks; `matching` does.

use std::time::Duration;

use market::agreement::{Meter, Rates};
use market::job::{JobKind, JobSpec};
use market::order::Attributes;
use market::{Amount, JobId};
use market_node::api::{BookRow, CostView, OfferView, QuoteView, book_row};
use market_node::book::AskView;
use market_node::config::{BuySettings, listed};
use market_node::node::Node;
use matching::{Need, Offer, Precision, Quote, Rejections, Work};

use crate::job_file::{Budget, Needs};
use crate::record::RunRecord;

/// Derives what an offer must have from the job, its budget and its needs, and from whom `node` buys.
pub(crate) fn of(job: &JobSpec, budget: &Budget, needs: Needs, node: &Node) -> Need {
    let mut need = Need::new(node.identity.account, job.limits.wall_clock_s);
    let BuySettings { allow, deny } = &node.settings.buy;
    need.allowed = Some(listed(allow)).filter(|allowed| !allowed.is_empty());
    need.denied = listed(deny);
    need.usable_bytes = job.memory_bytes();
    need.attributes = match job.kind {
        JobKind::Train(_) => Attributes::TRAIN,
        JobKind::Infer(_) => Attributes::INFER,
    };
    need.sandbox_level = needs.sandbox;
    need.max_price = budget.max_price;
    need.budget = budget.total;
    need.work = Some(Work {
        flops: job.flops(),
        bytes: 0,
        precision: Precision::F32,
    });
    need
}

/// Derives what an offer must have for the next attempt of a run, which works on `job`, and from whom this node buys.
pub(crate) fn of_run(record: &RunRecord, job: &JobSpec, node: &Node) -> Need {
    let wanted = record.bid.and_then(|bid| bid.wanted);
    let need = of(job, &record.next_budget(), record.needs, node);
    Need {
        classes: wanted.into_iter().collect(),
        ..need
    }
}

/// Says in words what is looked for.
pub(crate) fn words(job: &JobSpec, budget: &Budget, needs: Needs) -> String {
    let kind = match job.kind {
        JobKind::Train(_) => "training",
        JobKind::Infer(_) => "inference",
    };
    let mib = job.memory_bytes().div_ceil(1 << 20);
    let seconds = job.limits.wall_clock_s;
    let mut words = format!("{kind} with {mib} MiB for up to {seconds} s");
    if needs != Needs::default() {
        words = format!("{words}, a sandbox of level {} at least", needs.sandbox);
    }
    if let Some(price) = budget.max_price {
        words = format!("{words}, at most {price} an hour");
    }
    if let Some(total) = budget.total {
        words = format!("{words}, at most {total} in all");
    }
    words
}

/// Says in words that nothing fits: why each offer does not, or that there is none, and for how long was looked.
pub(crate) fn no_offer(looked_for: &str, rejections: &Rejections, looked: Duration) -> String {
    let seconds = looked.as_secs();
    let looked = match seconds {
        0 => format!("looked for {looked_for}"),
        _ => format!("looked {seconds} s for {looked_for}"),
    };
    match rejections.considered() {
        0 => format!("the book of this node holds no offer at all ({looked})"),
        _ => format!("{rejections} ({looked})"),
    }
}

/// What will be locked for an offer: the budget, or the whole time limit at the offer's price.
pub(crate) fn deposit(job: &JobSpec, budget: &Budget, rates: &Rates) -> Option<Amount> {
    let whole = Meter {
        running_ms: u64::from(job.limits.wall_clock_s) * 1_000,
        hold_ms: 0,
    };
    match budget.total {
        Some(total) => Some(total),
        None => rates.due(whole),
    }
}

/// Shapes a quote for people and programs.
pub(crate) fn view(quote: &Quote, job: JobId, deposit: Amount, node: &Node) -> QuoteView {
    let rejections = quote.rejections.ranked();
    QuoteView {
        job,
        offers: quote
            .offers
            .iter()
            .map(|offer| offer_view(offer, node))
            .collect(),
        fitting: count(quote.rejections.fitting()),
        considered: count(quote.rejections.considered()),
        rejections: rejections
            .into_iter()
            .map(|(reason, offers)| (reason.to_string(), count(offers)))
            .collect(),
        summary: quote.rejections.to_string(),
        hint: quote.hint.map(|hint| hint.to_string()),
        expected: quote.offers.first().and_then(|offer| cost(offer, node)),
        deposit,
    }
}

fn count(offers: u32) -> usize {
    usize::try_from(offers).unwrap_or(usize::MAX)
}

/// Adds the fees up that the buyer pays beside the price; `None` above what an amount holds.
fn cost(offer: &Offer, node: &Node) -> Option<CostView> {
    let (running, opening_fee) = (offer.expected_total, node.membership.genesis.fees.open);
    Some(CostView {
        total: running.checked_add(opening_fee)?,
        running,
        opening_fee,
    })
}

pub(crate) fn offer_view(offer: &Offer, node: &Node) -> OfferView {
    OfferView {
        row: row(offer, node),
        expected_seconds: offer.predicted_ms.div_ceil(1_000),
        expected_total: offer.expected_total,
    }
}

fn row(offer: &Offer, node: &Node) -> BookRow {
    let ask = AskView {
        register: offer.register,
        order: offer.order,
        standing: offer.standing,
        expires_at: offer.expires_at,
        ask: offer.ask.clone(),
    };
    book_row(&ask, node)
}
