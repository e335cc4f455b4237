//! Quotes: the cheapest that fits wins, every rejection is counted once, nothing depends on arrival.

use market::gpu::GpuClass;
use market::order::{Attributes, Evidence, OrderBody};
use market::reputation::Reputation;
use market::{AccountId, BlobHash, NodeId};
use proptest::prelude::*;

use super::*;
use crate::book::{Capacity, ListingCertificate, Posting};
use crate::eligibility::{Counterparties, Proof};
use crate::fixture::*;

mod hints;
mod naive;

fn need() -> Need {
    Need::new(AccountId::from_bytes([9; 32]), 3_600)
}

/// An hour of work for the card of [`ask`].
fn hour_of_work() -> Option<Work> {
    Some(Work {
        flops: 3_600 * 1_000_000_000_000,
        bytes: 0,
        precision: Precision::F32,
    })
}

fn priced(nanocredits: u64) -> Ask {
    Ask {
        price: price(nanocredits),
        ..ask()
    }
}

fn misfit_of(ask: Ask, need: &Need) -> Option<Misfit> {
    let quote = quote(&book_of([ask]), need, &HEADER, at(0));
    quote.rejections.ranked().first().map(|(reason, _)| *reason)
}

#[test]
fn a_dearer_card_wins_when_it_is_faster_by_more() {
    let fast = Ask {
        figures: market::order::AskFigures {
            gemm_mflops: 3_000_000,
            ..ask().figures
        },
        ..priced(2_000_000_000)
    };
    let book = book_of([ask(), fast.clone()]);
    let need = Need {
        work: hour_of_work(),
        ..need()
    };
    let offers = quote(&book, &need, &HEADER, at(0)).offers;
    assert_eq!(offers[0].ask, fast);
    assert_eq!(offers[0].predicted_ms, 1_200_000);
    assert_eq!(offers[0].expected_total.to_string(), "0.666666667 cr");
    assert_eq!(offers[1].predicted_ms, 3_600_000);
    assert_eq!(offers[1].expected_total.to_string(), "1 cr");
}

#[test]
fn time_is_the_slower_of_arithmetic_and_memory_shared_by_the_gpus() {
    let work = Work {
        flops: 5_000_000_000_001,
        bytes: 0,
        precision: Precision::F32,
    };
    assert_eq!(work.predicted_ms(&ask(), 1), 5_001);
    assert_eq!(work.predicted_ms(&ask(), 2), 2_501);
    let memory_bound = Work {
        bytes: 1_000_000_000_000,
        ..work
    };
    assert_eq!(memory_bound.predicted_ms(&ask(), 1), 10_000);
    assert_eq!(memory_bound.predicted_ms(&ask(), 2), 5_000);
    let mut unmeasured = ask();
    unmeasured.figures.gb_per_s = None;
    assert_eq!(memory_bound.predicted_ms(&unmeasured, 1), 200_000);
    let mut with_f16 = ask();
    with_f16.figures.f16_mflops = Some(5_000_000);
    let half = Work {
        precision: Precision::F16,
        ..work
    };
    assert_eq!(half.predicted_ms(&with_f16, 1), 1_001);
    assert_eq!(half.predicted_ms(&ask(), 1), 5_001);
    let endless = Work {
        flops: u128::MAX,
        bytes: u128::MAX,
        ..work
    };
    assert_eq!(endless.predicted_ms(&ask(), 1), u64::MAX);
}

#[test]
fn a_short_job_costs_at_least_the_first_tick() {
    let need = Need {
        work: Some(Work {
            flops: 1,
            bytes: 0,
            precision: Precision::F32,
        }),
        ..need()
    };
    let offers = quote(&book_of([priced(3_600_000_000)]), &need, &HEADER, at(0)).offers;
    assert_eq!(offers[0].predicted_ms, 1);
    assert_eq!(offers[0].expected_total.to_string(), "0.01 cr");
}

fn nodes<const N: usize>(nodes: [NodeId; N]) -> Counterparties {
    Counterparties {
        nodes: nodes.into(),
        ..Counterparties::default()
    }
}

fn accounts<const N: usize>(accounts: [AccountId; N]) -> Counterparties {
    Counterparties {
        accounts: accounts.into(),
        ..Counterparties::default()
    }
}

#[test]
fn an_account_on_the_allow_list_speaks_for_all_its_nodes() {
    let need = Need {
        allowed: Some(accounts([ask().account])),
        ..need()
    };
    assert_eq!(misfit_of(ask(), &need), None);
}

#[test]
fn one_ask_is_judged_as_the_whole_book_is() {
    let book = book_of([priced(5), priced(50)]);
    let need = Need {
        max_price: Some(price(10)),
        ..need()
    };
    let ranked = quote(&book, &need, &HEADER, at(0));
    let orders: Vec<OrderId> = book.asks(at(0)).map(|ask| ask.order).collect();
    let judged = orders.iter().map(|order| fit(&book, &need, *order, at(0)));
    let judged: Vec<_> = judged.flatten().collect();
    let fitting: Vec<_> = judged.iter().flatten().collect();
    assert_eq!(fitting, ranked.offers.iter().collect::<Vec<_>>());
    assert!(judged.contains(&Err(Misfit::Price)));
    let unknown = OrderId::from_bytes([9; 32]);
    assert_eq!(fit(&book, &need, unknown, at(0)), None);
}

#[test]
fn each_misfit_has_its_own_reason() {
    type Demand = fn(&mut Need);
    let demands: [(Misfit, Demand); 15] = [
        (Misfit::OwnOffer, |need| need.buyer = ask().account),
        (Misfit::Denied, |need| need.denied = nodes([node(1)])),
        (Misfit::Denied, |need| {
            need.denied = accounts([ask().account])
        }),
        (Misfit::NotAllowed, |need| {
            need.allowed = Some(nodes([node(2)]));
        }),
        (Misfit::NotAllowed, |need| {
            need.allowed = Some(accounts([AccountId::from_bytes([1; 32])]));
        }),
        (Misfit::Class, |need| {
            need.classes = vec![class("1.4T-8G"), class("1T-10G"), class("cpu-0.5T-8G")];
        }),
        (Misfit::Memory, |need| need.usable_bytes = (8 << 30) + 1),
        (Misfit::Gpus, |need| need.gpus = 2),
        (Misfit::Duration, |need| need.duration_s = 3_601),
        (Misfit::Attributes, |need| {
            need.attributes = Attributes::TRAIN | Attributes::ON_DEMAND;
        }),
        (Misfit::Sandbox, |need| need.sandbox_level = 2),
        (Misfit::NoCertificate, |need| need.proof = Proof::Required),
        (Misfit::TooSlow, |need| {
            need.work = hour_of_work();
            need.duration_s = 3_599;
        }),
        (Misfit::Price, |need| {
            need.max_price = Some(price(999_999_999))
        }),
        (Misfit::Budget, |need| {
            need.budget = Some(Amount::from_nanocredits(999_999_999));
        }),
    ];
    for (reason, demand) in demands {
        let mut need = need();
        demand(&mut need);
        assert_eq!(misfit_of(ask(), &need), Some(reason));
    }
}

#[test]
fn an_offer_that_meets_every_demand_exactly_fits() {
    let need = Need {
        classes: vec![class("64T-48G"), class("0.7T-8G")],
        usable_bytes: 8 << 30,
        attributes: Attributes::TRAIN,
        max_price: Some(ask().price),
        budget: Some(ask().price.0),
        allowed: Some(nodes([node(1)])),
        work: hour_of_work(),
        ..need()
    };
    assert_eq!(misfit_of(ask(), &need), None);
}

#[test]
fn a_certified_market_counts_unproven_asks_as_misfits() {
    let mut book = Book::new(Posting::Certified, Capacity::default());
    let certificate = ListingCertificate {
        id: BlobHash::from_bytes([8; 32]),
        node: node(1),
        class: ask().class,
        gpus: 1,
        figures: ask().figures,
        expires_at: at(60_000),
    };
    book.certify(certificate, at(0));
    let order = order(0, OrderBody::Ask(ask()));
    book.apply(posted(&order, 1), at(0)).unwrap();
    let quote = quote(&book, &need(), &HEADER, at(0));
    assert_eq!(quote.rejections.of(Misfit::NoCertificate), 1);
}

#[test]
fn a_proven_offer_ranks_before_a_cheaper_unproven_one() {
    let id = BlobHash::from_bytes([8; 32]);
    let dear = Ask {
        evidence: Evidence::Certificate(id),
        ..priced(2_000_000_000)
    };
    let mut book = book_of([ask(), dear.clone()]);
    let ranked = |book: &Book| {
        let quote = quote(book, &need(), &HEADER, at(0));
        quote
            .offers
            .into_iter()
            .map(|offer| (offer.ask, offer.standing))
            .collect::<Vec<_>>()
    };
    assert_eq!(ranked(&book)[0], (ask(), Standing::Unproven));
    book.certify(
        ListingCertificate {
            id,
            node: node(2),
            class: dear.class,
            gpus: 1,
            figures: dear.figures,
            expires_at: at(60_000),
        },
        at(0),
    );
    assert_eq!(
        ranked(&book),
        [(dear, Standing::Proven), (ask(), Standing::Unproven)]
    );
}

#[test]
fn of_two_that_cost_the_same_the_one_that_is_known_to_deliver_is_first() {
    let of = |account: u8, nanocredits| Ask {
        account: AccountId::from_bytes([account; 32]),
        ..priced(nanocredits)
    };
    let mut book = book_of([of(1, 100), of(2, 104), of(3, 104)]);
    let deal = |outcome| market::reputation::Deal {
        payer: AccountId::from_bytes([9; 32]),
        fee: Amount::from_nanocredits(1),
        outcome,
    };
    let first = |book: &Book| quote(book, &need(), &HEADER, at(0)).offers[0].ask.account;
    assert_eq!(first(&book), of(1, 100).account);
    let good = Reputation::of([deal(market::receipt::Outcome::Completed)]);
    let bad = Reputation::of([deal(market::receipt::Outcome::Lost)]);
    assert!(book.rate(node(3), good));
    assert_eq!(
        first(&book),
        of(1, 100).account,
        "by 4 % dearer and 1.5 % better"
    );
    assert!(book.rate(node(1), bad));
    assert_eq!(first(&book), of(3, 104).account);
    // What it posts later is known, too.
    let mut later = order(1, OrderBody::Ask(of(1, 95)));
    later.slot = market::order::Slot::new(1).unwrap();
    book.apply(posted(&later, 1), at(1)).unwrap();
    assert_eq!(first(&book), of(3, 104).account);
}

#[test]
fn equal_offers_are_drawn_anew_by_each_header() {
    let book = book_of((0..6).map(|_| ask()));
    let order_under = |byte: u8| {
        let header = HeaderId::from_bytes([byte; 32]);
        let offers = quote(&book, &need(), &header, at(0)).offers;
        let registers: Vec<Register> = offers.iter().map(|offer| offer.register).collect();
        let mut by_draw = registers.clone();
        by_draw.sort_by_key(|register| draw(&header, register));
        assert_eq!(registers, by_draw);
        registers
    };
    assert_eq!(order_under(1), order_under(1));
    let winners: std::collections::BTreeSet<_> = (0..32).map(|byte| order_under(byte)[0]).collect();
    assert!(winners.len() > 1, "32 headers always drew {winners:?}");
}

/// Quotes over so many asks of a slow class of 8 GiB and of a fast one of 12, looked at one by one, and returns how
/// many fit, were looked at and were left out.
fn looked_at((slow, fast): (usize, usize), change: impl FnOnce(&mut Need)) -> (u32, u32, u32) {
    let slow_ask = ask();
    let fast_ask = Ask {
        class: class("2T-12G"),
        figures: market::order::AskFigures {
            usable_mib: 12 << 10,
            ..ask().figures
        },
        ..ask()
    };
    let asks = std::iter::repeat_n(slow_ask, slow).chain(std::iter::repeat_n(fast_ask, fast));
    let mut need = Need {
        denied: nodes([node(255)]),
        ..need()
    };
    change(&mut need);
    let rejections = quote(&book_of(asks), &need, &HEADER, at(0)).rejections;
    let looked_at = rejections.considered();
    (
        looked_at - rejections.rejected(),
        looked_at,
        rejections.left_out(),
    )
}

#[test]
fn beyond_the_limit_asks_are_left_out_and_every_class_has_its_share() {
    let any = |_: &mut Need| ();
    assert_eq!(looked_at((64, 64), any), (128, 128, 0));
    assert_eq!(looked_at((120, 80), any), (128, 128, 72));
    assert_eq!(
        looked_at((20, 180), any),
        (128, 128, 72),
        "what one class leaves the next has"
    );
    assert_eq!(
        looked_at((150, 40), any),
        (104, 104, 86),
        "half is the share of the first"
    );
}

#[test]
fn classes_that_can_do_it_are_looked_at_first() {
    let of_fast = |need: &mut Need| need.classes = vec![class("2T-12G")];
    assert_eq!(looked_at((150, 40), of_fast), (40, 128, 62));
    let of_large = |need: &mut Need| need.usable_bytes = 10 << 30;
    assert_eq!(looked_at((150, 40), of_large), (40, 128, 62));
}

#[test]
fn an_ask_that_lapses_now_is_not_looked_at() {
    let need = Need {
        denied: nodes([node(255)]),
        ..need()
    };
    let book = book_of([ask()]);
    let considered = |ms| quote(&book, &need, &HEADER, at(ms)).rejections.considered();
    assert_eq!((considered(149_999), considered(150_000)), (1, 0));
}

#[test]
fn rejections_read_as_a_sentence() {
    assert_eq!(Rejections::default().to_string(), "no offers in the book");
    let rejections = Rejections::new(1, std::iter::empty(), 0);
    assert_eq!(rejections.to_string(), "1 offer: 1 fit");
    let counts = [
        (Misfit::NoCertificate, 3),
        (Misfit::Memory, 31),
        (Misfit::Price, 6),
    ];
    let rejections = Rejections::new(0, counts.into_iter(), 0);
    assert_eq!(
        rejections.to_string(),
        "40 offers: 31 too little memory, 6 above your price, 3 no certificate"
    );
}

fn any_ask() -> impl Strategy<Value = Ask> {
    let class = prop::sample::select(vec!["1T-8G", "2T-8G", "1T-12G", "cpu-0.06T-8G"]);
    let figures = (1u32..4_000_000, 1u32..20_000, prop::option::of(1u16..900));
    (class, 1u64..5_000_000_000, 1u16..4, figures).prop_map(|(class, price_of, gpus, figures)| {
        let mut ask = ask();
        ask.class = class.parse::<GpuClass>().unwrap();
        ask.price = price(price_of);
        ask.gpus = gpus;
        ask.figures.gemm_mflops = figures.0;
        ask.figures.usable_mib = figures.1;
        ask.figures.gb_per_s = figures.2;
        ask
    })
}

fn any_need() -> impl Strategy<Value = Need> {
    let limits = (
        prop::option::of(1u64..5_000_000_000),
        prop::option::of(1u64..5_000_000_000),
    );
    let work = prop::option::of((0u128..4_000_000_000_000_000, 0u128..1_000_000_000_000_000));
    (1u16..3, 0u64..16 << 30, limits, work).prop_map(|(gpus, usable_bytes, limits, work)| Need {
        gpus,
        usable_bytes,
        max_price: limits.0.map(price),
        budget: limits.1.map(Amount::from_nanocredits),
        work: work.map(|(flops, bytes)| Work {
            flops,
            bytes,
            precision: Precision::F32,
        }),
        ..need()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_offer_is_either_ranked_or_counted_once(
        asks in prop::collection::vec(any_ask(), 0..12),
        need in any_need(),
    ) {
        let count = asks.len();
        let quote = quote(&book_of(asks), &need, &HEADER, at(0));
        let rejected: u32 = quote.rejections.ranked().iter().map(|(_, count)| count).sum();
        prop_assert_eq!(quote.offers.len() + rejected as usize, count);
        prop_assert_eq!(quote.rejections.considered() as usize, count);
        for offer in &quote.offers {
            prop_assert!(need.budget.is_none_or(|budget| offer.expected_total <= budget));
            prop_assert!(need.max_price.is_none_or(|most| offer.ask.price <= most));
            prop_assert!(offer.predicted_ms <= 3_600_000);
        }
    }

    #[test]
    fn a_quote_says_what_the_naive_one_says(
        asks in prop::collection::vec((any_ask(), any::<bool>()), 0..90),
        need in any_need(),
        (proof, has_lists) in any::<(bool, bool)>(),
    ) {
        let mut book = open_book();
        for (maker, (ask, is_proven)) in (1u8..).zip(asks) {
            let mut ask = ask;
            if is_proven {
                let id = BlobHash::from_bytes([maker; 32]);
                ask.evidence = Evidence::Certificate(id);
                let certificate = ListingCertificate {
                    id,
                    node: node(maker),
                    class: ask.class,
                    gpus: ask.gpus,
                    figures: ask.figures,
                    expires_at: at(60_000 * u64::from(maker)),
                };
                book.certify(certificate, at(0));
            }
            ask.attributes = [Attributes::TRAIN, Attributes::NONE][usize::from(maker) % 2];
            let order = order(u64::from(maker % 3) * 50_000, OrderBody::Ask(ask));
            book.apply(posted(&order, maker), at(100_000)).unwrap();
        }
        let need = Need {
            proof: if proof { Proof::Required } else { Proof::Optional },
            // Without lists the bounds of runs are asked; with them every row is looked at.
            denied: if has_lists { nodes([node(3), node(7)]) } else { Counterparties::default() },
            allowed: (has_lists && proof).then(|| Counterparties {
                nodes: (2..60).map(node).collect(),
                ..Counterparties::default()
            }),
            classes: vec![class("1T-8G"), class("cpu-0.06T-8G")],
            attributes: Attributes::TRAIN,
            ..need
        };
        for now in [at(100_000), at(180_000), at(230_000)] {
            let (offers, reasons) = naive::naive_quote(&book, &need, now);
            let quote = quote(&book, &need, &HEADER, now);
            let listed = offers.len().min(MAX_OFFERS);
            prop_assert_eq!(&quote.offers[..], &offers[..listed]);
            let counted: std::collections::BTreeMap<_, _> =
                quote.rejections.ranked().into_iter().collect();
            prop_assert_eq!(counted, reasons);
            for ask in book.asks(now) {
                let judged = fit(&book, &need, ask.order, now).unwrap();
                let naive = offers.iter().find(|offer| offer.order == ask.order);
                prop_assert_eq!(judged.ok(), naive.cloned());
            }
        }
    }

    #[test]
    fn quotes_do_not_depend_on_arrival_and_rise_in_cost(
        asks in prop::collection::vec(any_ask(), 1..10),
        need in any_need(),
    ) {
        let messages: Vec<_> = (1u8..)
            .zip(asks)
            .map(|(maker, ask)| posted(&order(0, OrderBody::Ask(ask)), maker))
            .collect();
        let filled = |messages: &mut dyn Iterator<Item = &crate::checked::Message>| {
            let mut book = open_book();
            for message in messages {
                book.apply(message.clone(), at(0)).unwrap();
            }
            book
        };
        let forward = quote(&filled(&mut messages.iter()), &need, &HEADER, at(0));
        let backward = quote(&filled(&mut messages.iter().rev()), &need, &HEADER, at(0));
        prop_assert_eq!(&forward, &backward);
        let totals: Vec<_> = forward.offers.iter().map(|offer| {
            u128::from(offer.ask.price.0.nanocredits()) * u128::from(offer.predicted_ms)
        }).collect();
        prop_assert!(totals.is_sorted());
    }

    #[test]
    fn the_cheapest_wins_when_speeds_are_equal(
        prices in prop::collection::vec(1u64..5_000_000_000, 1..12),
    ) {
        let cheapest = *prices.iter().min().unwrap();
        let book = book_of(prices.into_iter().map(priced));
        for work in [None, hour_of_work()] {
            let need = Need { work, ..need() };
            let offers = quote(&book, &need, &HEADER, at(0)).offers;
            prop_assert_eq!(offers[0].ask.price, price(cheapest));
        }
    }
}
