//! What one change would help most.

use super::*;

fn hint_of(asks: impl IntoIterator<Item = Ask>, need: &Need) -> Option<String> {
    let quote = quote(&book_of(asks), need, &HEADER, at(0));
    quote.hint.map(|hint| hint.to_string())
}

#[test]
fn a_little_more_money_lets_some_offers_fit() {
    let need = Need {
        max_price: Some(price(200_000_000)),
        ..need()
    };
    let asks = [260, 240, 210, 230, 300, 240, 900].map(|milli| priced(milli * 1_000_000));
    let hint = hint_of(asks, &need);
    assert_eq!(hint.as_deref(), Some("at 0.26 cr/h: 5 offers"));
}

#[test]
fn two_things_in_the_way_are_no_hint() {
    let need = Need {
        max_price: Some(price(1)),
        usable_bytes: 9 << 30,
        ..need()
    };
    assert_eq!(hint_of([ask(), ask()], &need), None);
    let need = Need {
        max_price: Some(price(1)),
        budget: Some(Amount::from_nanocredits(1)),
        ..self::need()
    };
    assert_eq!(hint_of([ask()], &need), None);
}

#[test]
fn every_change_that_can_help_is_told_in_words() {
    type Demand = fn(&mut Need);
    let demands: [(&str, Demand); 8] = [
        ("at 1 cr/h: 2 offers", |need| {
            need.max_price = Some(price(5))
        }),
        ("with a budget of 1 cr: 2 offers", |need| {
            need.budget = Some(Amount::from_nanocredits(5));
        }),
        ("for at most 3600 s: 1 offer", |need| {
            need.duration_s = 3_601
        }),
        ("if 8192 MiB were enough: 2 offers", |need| {
            need.usable_bytes = 9 << 30;
        }),
        ("with 1 GPU: 1 offer", |need| need.gpus = 2),
        ("with 1T-8G accepted too: 2 offers", |need| {
            need.classes = vec![class("8T-8G")];
        }),
        ("with unproven offers accepted too: 2 offers", |need| {
            need.proof = Proof::Required;
        }),
        ("with a time limit of 3600 s: 1 offer", |need| {
            need.work = hour_of_work();
            need.duration_s = 60;
        }),
    ];
    for (words, demand) in demands {
        let mut need = need();
        demand(&mut need);
        assert_eq!(hint_of([ask(), ask()], &need).as_deref(), Some(words));
    }
}

#[test]
fn what_no_change_helps_with_has_no_hint() {
    let own = Need::new(ask().account, 60);
    assert_eq!(hint_of([ask()], &own), None);
    let strict = Need {
        attributes: Attributes::ON_DEMAND,
        ..need()
    };
    assert_eq!(hint_of([ask()], &strict), None);
    assert_eq!(hint_of([ask()], &need()), None, "it fits");
}

#[test]
fn the_price_of_a_hint_lets_the_offers_fit_that_it_promises() {
    let asks = (1..=9).map(|step| priced(step * 100_000_000));
    let book = book_of(asks);
    let narrow = Need {
        max_price: Some(price(150_000_000)),
        ..need()
    };
    let before = quote(&book, &narrow, &HEADER, at(0));
    let hint = before.hint.unwrap();
    let Change::MaxPrice(most) = hint.change else {
        panic!("{hint}");
    };
    let wide = Need {
        max_price: Some(most),
        ..narrow
    };
    let after = quote(&book, &wide, &HEADER, at(0));
    assert_eq!(
        after.offers.len(),
        before.offers.len() + hint.offers as usize
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_hint_keeps_what_it_promises(
        asks in prop::collection::vec(any_ask(), 1..60),
        need in any_need(),
        proof in any::<bool>(),
        classes in prop::collection::vec(prop::sample::select(vec!["1T-8G", "2T-8G", "64T-48G"]), 0..2),
    ) {
        let book = book_of(asks);
        let need = Need {
            proof: if proof { Proof::Required } else { Proof::Optional },
            classes: classes.into_iter().map(class).collect(),
            ..need
        };
        let before = quote(&book, &need, &HEADER, at(0));
        if let Some(hint) = before.hint {
            let after = quote(&book, &hint.change.made(&need), &HEADER, at(0));
            let more = after.rejections.fitting() as i64 - before.rejections.fitting() as i64;
            // Another time limit, or fewer GPUs, can be in the way of others; every other change only lets more fit.
            let lost = match hint.change {
                Change::TimeLimitS(_) | Change::DurationS(_) | Change::Gpus(_) => {
                    i64::from(before.rejections.fitting())
                }
                _ => 0,
            };
            prop_assert!(more + lost >= i64::from(hint.offers), "{hint}: {more} more");
        }
    }
}
