//! The bounded comparison of the book with naive ones, on a few written sequences and thousands of mutations of each.

use super::*;

/// A call, in the bytes that `differential` reads.
const fn call(
    kind: u8,
    number: u8,
    price: u8,
    quantity: u8,
    [priority, extra]: [u8; 2],
) -> [u8; 6] {
    [kind, number, price, quantity, priority, extra]
}

const LIMIT: u8 = 0;
const POST_ONLY: u8 = 4;
const IMMEDIATE: u8 = 5;
const FILL_OR_KILL: u8 = 6;
const MARKET: u8 = 7;
const CANCEL: u8 = 8;
const REPLACE: u8 = 10;
const ADVANCE: u8 = 12;
const BURST: u8 = 13;
const CANCEL_BURST: u8 = 14;
const SWEEP: u8 = 15;

const BUY: u8 = 0;
const SELL: u8 = 1;
const CANCEL_INCOMING: u8 = 2 << 1;
const CANCEL_BOTH: u8 = 3 << 1;
const IN_ORDER: u8 = 2;

const fn owner(number: u8) -> u8 {
    number << 3
}

const fn life(ms: u8) -> u8 {
    ms << 5
}

fn two_sided() -> Vec<[u8; 6]> {
    let mut calls = Vec::new();
    for number in 0..8 {
        calls.push(call(LIMIT, number, number, 9, [number, BUY | owner(1)]));
        let number = number + 8;
        calls.push(call(LIMIT, number, number, 9, [number, SELL | owner(2)]));
    }
    calls
}

/// The written sequences: which comparison, a name, the calls.
fn entries() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let trade = [
        call(LIMIT, 20, 10, 15, [1, BUY | owner(3)]),
        call(POST_ONLY, 21, 12, 3, [1, BUY | owner(3)]),
        call(IMMEDIATE, 22, 12, 15, [1, BUY | owner(3)]),
        call(FILL_OR_KILL, 23, 13, 15, [1, BUY | owner(3)]),
        call(FILL_OR_KILL, 24, 15, 15, [1, BUY | owner(3)]),
        call(MARKET, 25, 0, 15, [1, SELL | owner(3)]),
    ];
    let own = [
        call(LIMIT, 20, 9, 15, [1, BUY | owner(2)]),
        call(LIMIT, 21, 10, 15, [1, BUY | owner(2) | CANCEL_INCOMING]),
        call(LIMIT, 22, 11, 15, [1, BUY | owner(2) | CANCEL_BOTH]),
        call(FILL_OR_KILL, 23, 15, 9, [1, BUY | owner(2)]),
    ];
    let change = [
        call(REPLACE, 3, 3, 4, [9, 0]),
        call(REPLACE, 3, 3, 9, [9, 0]),
        call(REPLACE, 4, 3, 9, [9, 0]),
        call(REPLACE, 5, 9, 15, [9, CANCEL_BOTH]),
        call(CANCEL, 5, 0, 0, [0, 0]),
        call(CANCEL, 7, 0, 0, [0, 0]),
    ];
    let ends = [
        call(LIMIT, 1, 5, 5, [1, BUY | life(2)]),
        call(LIMIT, 2, 5, 5, [2, BUY | life(7)]),
        call(LIMIT, 3, 5, 5, [3, BUY | life(1)]),
        call(ADVANCE, 0, 0, 2, [0, 0]),
        call(CANCEL, 2, 0, 0, [0, 0]),
        call(LIMIT, 2, 5, 5, [2, SELL | life(3)]),
        call(ADVANCE, 0, 0, 7, [0, 0]),
    ];
    let bursts = [
        call(BURST, 1, 3, 250, [5, BUY]),
        call(BURST, 40, 12, 90, [6, SELL | IN_ORDER]),
        call(CANCEL_BURST, 1, 3, 250, [5, BUY]),
        call(BURST, 1, 4, 120, [7, BUY | IN_ORDER]),
        call(SWEEP, 3, 0, 60, [0, SELL]),
        call(SWEEP, 3, 0, 255, [0, BUY]),
        call(CANCEL_BURST, 2, 3, 200, [5, BUY]),
        call(SWEEP, 3, 0, 255, [0, SELL]),
    ];
    let sweep = call(SWEEP, 40, 0, 20, [0, SELL | owner(3)]);
    let with = |calls: &[[u8; 6]]| {
        let before = two_sided();
        [before.as_flattened(), calls.as_flattened(), &sweep].concat()
    };
    let mut entries = Vec::new();
    for (comparison, _) in CHECKS {
        entries.extend([
            (comparison, "trade", with(&trade)),
            (comparison, "own", with(&own)),
            (comparison, "change", with(&change)),
            (
                comparison,
                "ends",
                [ends.as_flattened(), &with(&trade)].concat(),
            ),
            (comparison, "bursts", with(&bursts)),
        ]);
    }
    entries
}

#[test]
fn the_corpus_has_the_written_sequences_and_all_of_them_trade() {
    let entries = entries();
    compare_corpus(&entries);
    for (comparison, name, bytes) in &entries {
        let (_, check) = CHECKS.iter().find(|(it, _)| it == comparison).unwrap();
        assert!(check(bytes), "{comparison}/{name}");
    }
}

fn compare_all(wanted: &str) {
    let found: Option<&(&str, Check)> = CHECKS.iter().find(|(name, _)| *name == wanted);
    sweep(*found.unwrap());
}

#[test]
fn the_book_does_what_a_naive_one_does() {
    compare_all("limit_book");
}

#[test]
fn the_book_fills_as_a_public_engine_does() {
    compare_all("limit_book_peer");
}
