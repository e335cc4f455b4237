//! Owns what goes wrong in a soak, and when: kills, cut and stalled links, paused providers.
//!
//! Never touches the first provider and the first consumer but for their links, so that their memory can be
//! looked at over the whole soak; and never more than one thing at a time but for links.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::market::Market;
use crate::node::Node;
use crate::proxy::BOTH;

/// Time between two accidents, in milliseconds: from, and up to that much more.
const PAUSE_MS: (u64, u64) = (2_000, 5_000);

/// How long a link is bad, in milliseconds: from, and up to that much more.
const BAD_MS: (u64, u64) = (1_000, 12_000);

/// Jobs for which there is one kill of a provider at most: measuring the card again takes long.
const JOBS_A_KILL: u32 = 15;

/// Numbers that look like chance and are the same for a seed: splitmix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn time(&mut self, (from, more): (u64, u64)) -> Duration {
        Duration::from_millis(from + self.below(more))
    }
}

/// The accidents of one soak.
pub(super) struct Accidents {
    chance: Chance,
    next: Instant,
    kills_left: u32,
    counts: BTreeMap<&'static str, u32>,
    /// Links that are bad now, by the node behind them, and until when.
    bad: BTreeMap<usize, Instant>,
    /// A provider that is paused now.
    paused: Option<usize>,
}

impl Accidents {
    pub(super) fn new(seed: u64, jobs: u32) -> Self {
        Self {
            chance: Chance(seed),
            next: Instant::now(),
            kills_left: jobs.div_ceil(JOBS_A_KILL),
            counts: BTreeMap::new(),
            bad: BTreeMap::new(),
            paused: None,
        }
    }

    /// Heals what is due, and lets the next accident happen where one is due.
    pub(super) fn pass_time(&mut self, market: &mut Market) {
        let now = Instant::now();
        let due: Vec<usize> = self
            .bad
            .iter()
            .filter_map(|(node, until)| (*until <= now).then_some(*node))
            .collect();
        for number in due {
            self.bad.remove(&number);
            heal(node(market, number));
        }
        if self.next <= now {
            self.happen(market);
            self.next = Instant::now() + self.chance.time(PAUSE_MS);
        }
    }

    /// Puts everything right.
    pub(super) fn heal(&mut self, market: &mut Market) {
        for number in std::mem::take(&mut self.bad).into_keys() {
            heal(node(market, number));
        }
        self.resume(market);
    }

    /// Returns how often what happened.
    pub(super) fn counts(&self) -> BTreeMap<&'static str, u32> {
        self.counts.clone()
    }

    fn happen(&mut self, market: &mut Market) {
        let (member, other) = (self.chance.below(8), 1 + self.chance.below(3));
        let (member, other) = (at(member), at(other));
        let what = match self.chance.below(8) {
            0 | 1 => self.spoil(market, member, "links cut", |node| {
                node.proxy.as_ref().expect("a link").cut();
            }),
            2 => self.spoil(market, member, "links stalled", |node| {
                let proxy = node.proxy.as_ref().expect("a link");
                BOTH.into_iter().for_each(|way| proxy.stall(way));
            }),
            3 => self.kill_provider(market, other),
            4 => {
                restart(&mut market.more_consumers[other - 1]);
                "consumers killed"
            }
            5 => {
                restart(&mut market.operator);
                "operator killed"
            }
            _ => self.pause_or_resume(market, other),
        };
        eprintln!("accident: {what}");
        *self.counts.entry(what).or_default() += 1;
    }

    fn spoil(
        &mut self,
        market: &mut Market,
        number: usize,
        what: &'static str,
        spoil: impl Fn(&Node),
    ) -> &'static str {
        spoil(node(market, number));
        let until = Instant::now() + self.chance.time(BAD_MS);
        self.bad.insert(number, until);
        what
    }

    fn kill_provider(&mut self, market: &mut Market, number: usize) -> &'static str {
        if self.kills_left == 0 {
            return self.pause_or_resume(market, number);
        }
        self.kills_left -= 1;
        if self.paused == Some(number) {
            self.paused = None; // It offers again after its start.
        }
        restart(&mut market.more_providers[number - 1]);
        "providers killed"
    }

    fn pause_or_resume(&mut self, market: &mut Market, number: usize) -> &'static str {
        if self.paused.is_some() {
            self.resume(market);
            return "providers resumed";
        }
        let node = &market.more_providers[number - 1];
        node.post("/v1/provider/pause", &json!(null));
        self.paused = Some(number);
        "providers paused"
    }

    fn resume(&mut self, market: &Market) {
        if let Some(number) = self.paused.take() {
            let node = &market.more_providers[number - 1];
            node.post("/v1/provider/resume", &json!(null));
        }
    }
}

fn at(number: u64) -> usize {
    usize::try_from(number).expect("a small number")
}

/// Providers have the numbers 0 to 3, consumers those from 4 on.
fn node(market: &Market, number: usize) -> &Node {
    let mut members = market.providers().chain(market.consumers());
    members.nth(number).expect("a market of eight")
}

fn heal(node: &Node) {
    node.proxy.as_ref().expect("a link").heal();
}

/// As a power cut does, and a person who starts it again.
fn restart(node: &mut Node) {
    let _workers = node.kill();
    node.restart_as_a_service();
}

#[test]
fn a_seed_gives_the_same_accidents_again() {
    let draw = |seed| {
        let mut chance = Chance(seed);
        [(); 8].map(|()| chance.below(100))
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}
