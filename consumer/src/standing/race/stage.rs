//! Owns the stage of the race: buyers, providers, the network between them in virtual time, and the ledger.
//!
//! Never decides for a bid: its machine does.

mod goods;
mod ledger;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use market::keys::SecretKey;
use market::ledger::SignedTransaction;
use market::order::{BookMessage, Order, OrderBody, Sequence, Slot};
use market::{ChannelId, HeaderId, OrderId, Signed, Timestamp};
use market_node::lease_protocol::BidOffer;
use matching::{Book, Capacity, Offer, Posting};

use super::super::offer;
use crate::standing::{Found, Machine, Step};
pub(super) use goods::Random;
use goods::{BID, DEAR, ask, need, price, terms};
pub(super) use ledger::{Ledger, START_MS};

pub(super) const BUYERS: usize = 2;
pub(super) const PROVIDERS: usize = 3;

/// How long a bid stands, and how long a buyer waits for an answer, in milliseconds.
const STANDS_MS: u64 = 30_000;
const ANSWER_MS: u64 = 200;

/// How long a block takes.
const BLOCK_MS: u64 = 100;

/// What happens at a moment.
enum Event {
    /// A provider lowers its price, and offers to the bids that it crosses.
    Lowers(usize),
    /// Gossip brings an ask to a buyer.
    Gossip(usize, Signed<Order>),
    /// A provider's offer reaches a buyer.
    Offer(usize, usize, BidOffer),
    /// A reservation reaches a provider.
    Reserve(usize, usize, u32, Box<SignedTransaction>),
    /// A buyer is told that it was refused, or that its channel is open; by the number of its try.
    Refused(usize, u32),
    Opened(usize, u32),
    /// A buyer stops waiting for the answer to a try.
    Patience(usize, u32),
    /// A countersigned opening reaches the operator.
    Submit(usize, usize, u32, Box<SignedTransaction>),
    Block,
    Wake(usize),
}

struct Buyer {
    key: SecretKey,
    book: Book,
    machine: Machine,
    nonce: u64,
    /// The offers of the look that goes on.
    offers: VecDeque<Offer>,
    tries: u32,
    sent: Vec<ChannelId>,
    channel: Option<ChannelId>,
}

struct Provider {
    key: SecretKey,
    price: u64,
    ask: Option<Signed<Order>>,
    /// What it is leased by, or about to be.
    leased: bool,
}

/// What a round came to.
#[derive(Default)]
pub(super) struct Round {
    pub(super) filled: u64,
    pub(super) refused: u64,
}

/// All rounds: the ledger goes through them.
pub(super) struct Race {
    pub(super) ledger: Ledger,
    now: u64,
    nonce: u64,
}

/// One round.
struct Play<'a> {
    ledger: &'a mut Ledger,
    random: Random,
    now: u64,
    events: BTreeMap<(u64, u64), Event>,
    number: u64,
    buyers: Vec<Buyer>,
    providers: Vec<Provider>,
    /// What waits for the next block: whose try it is, and where.
    submitted: Vec<(usize, usize, u32, SignedTransaction)>,
    has_block: bool,
    refused: u64,
}

fn buyer_key(number: usize) -> SecretKey {
    SecretKey::from_seed([u8::try_from(number).unwrap() + 1; 32])
}

fn provider_key(number: usize) -> SecretKey {
    SecretKey::from_seed([u8::try_from(number).unwrap() + 101; 32])
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(START_MS + millis)
}

impl Race {
    pub(super) fn new() -> Self {
        let buyers = (0..BUYERS).map(buyer_key);
        let ledger = Ledger::new(buyers.chain((0..PROVIDERS).map(provider_key)).collect());
        let now = ledger.now_ms;
        Self {
            ledger,
            now,
            nonce: 0,
        }
    }

    /// Plays one round to its end: every bid is filled or over, and no opening is on its way any more.
    pub(super) fn round(&mut self, random: Random) -> Round {
        self.ledger.begin_round();
        let (now, nonce) = (self.now, self.nonce);
        let buyer = |number| Buyer {
            key: buyer_key(number),
            book: Book::new(Posting::Open, Capacity::default()),
            machine: Machine::new(at(now + STANDS_MS)),
            nonce: nonce + u64::try_from(number).unwrap() + 1,
            offers: VecDeque::new(),
            tries: 0,
            sent: Vec::new(),
            channel: None,
        };
        let provider = |number| Provider {
            key: provider_key(number),
            price: DEAR,
            ask: None,
            leased: false,
        };
        let mut play = Play {
            ledger: &mut self.ledger,
            random,
            now,
            events: BTreeMap::new(),
            number: 0,
            buyers: (0..BUYERS).map(buyer).collect(),
            providers: (0..PROVIDERS).map(provider).collect(),
            submitted: Vec::new(),
            has_block: false,
            refused: 0,
        };
        let round = play.play();
        self.now = play.now.max(now + STANDS_MS) + 1;
        self.nonce += 10;
        round
    }

    /// Closes what the round opened, as both sides do when a lease is over.
    pub(super) fn settle(&mut self, seed: u64) {
        let providers = (0..PROVIDERS).map(provider_key);
        self.ledger.close_all(providers.collect(), seed);
        self.now = self.now.max(self.ledger.now_ms);
    }
}

impl Play<'_> {
    fn play(&mut self) -> Round {
        for buyer in 0..BUYERS {
            self.after(0, Event::Wake(buyer));
        }
        for provider in 0..PROVIDERS {
            self.post(provider);
            // Around the second from which on a bid, which looks twice a second, looks as soon as the book changes.
            let when = 960 + self.random.below(100);
            self.after(when, Event::Lowers(provider));
        }
        while let Some(((when, _), event)) = self.events.pop_first() {
            self.now = when;
            self.happen(event);
        }
        let filled = self.buyers.iter().filter(|buyer| buyer.channel.is_some());
        Round {
            filled: filled.count().try_into().unwrap(),
            refused: self.refused,
        }
    }

    fn after(&mut self, millis: u64, event: Event) {
        self.number += 1;
        self.events.insert((self.now + millis, self.number), event);
    }

    /// Sends something over the network, which takes a while and loses one message in ten.
    fn send(&mut self, event: Event) {
        if !self.random.one_in(10) {
            let millis = 1 + self.random.below(40);
            self.after(millis, event);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Lowers(provider) => {
                self.providers[provider].price = BID - self.random.below(3) * 1_000;
                self.post(provider);
                self.offer(provider);
            }
            Event::Gossip(buyer, ask) => {
                let message = matching::check(BookMessage::Order(ask), self.ledger.chain());
                let buyer_ = &mut self.buyers[buyer];
                if buyer_.book.apply(message.unwrap(), at(self.now)).is_ok() {
                    buyer_.machine.book_changed();
                }
                self.wake(buyer);
            }
            Event::Offer(buyer, provider, offer) => self.offered(buyer, provider, &offer),
            Event::Reserve(provider, buyer, number, open) => {
                self.reserve(provider, (buyer, number), *open);
            }
            Event::Refused(buyer, number) => {
                self.refused += 1;
                self.next_offer(buyer, number);
            }
            Event::Patience(buyer, number) => self.next_offer(buyer, number),
            Event::Opened(buyer, number) => {
                if self.buyers[buyer].tries == number {
                    self.take_opened(buyer);
                }
            }
            Event::Submit(provider, buyer, number, open) => {
                self.submitted.push((provider, buyer, number, *open));
                if !std::mem::replace(&mut self.has_block, true) {
                    self.after(BLOCK_MS, Event::Block);
                }
            }
            Event::Block => self.block(),
            Event::Wake(buyer) => self.wake(buyer),
        }
    }

    /// Signs a provider's ask at its price and gives it to gossip.
    fn post(&mut self, provider: usize) {
        let seller = &mut self.providers[provider];
        let order = Order {
            slot: Slot::new(0).unwrap(),
            sequence: Sequence::from_u64(at(self.now).as_millis()),
            expires_at: at(self.now + 3_600_000),
            body: OrderBody::Ask(ask(seller.key.account(), seller.price)),
        };
        let signed = Signed::sign(&order, &seller.key, self.ledger.chain());
        seller.ask = Some(signed.clone());
        for buyer in 0..BUYERS {
            let millis = 1 + self.random.below(60);
            self.after(millis, Event::Gossip(buyer, signed.clone()));
        }
    }

    /// Offers to the bids that a provider crosses.
    fn offer(&mut self, provider: usize) {
        for buyer in 0..BUYERS {
            let (Some(bid), Some(ask)) = (
                self.buyers[buyer].machine.order(),
                self.providers[provider].ask.clone(),
            ) else {
                continue;
            };
            self.send(Event::Offer(buyer, provider, BidOffer { bid, ask }));
        }
    }

    /// What the desk of a buyer's node does with an offer.
    fn offered(&mut self, buyer: usize, provider: usize, offer: &BidOffer) {
        let (now, chain) = (at(self.now), *self.ledger.chain());
        let from = self.providers[provider].key.node();
        let buyer_ = &mut self.buyers[buyer];
        if buyer_.channel.is_some() || buyer_.machine.listens().is_err() {
            return;
        }
        let offered = offer::check(offer, from, price(BID), &chain).unwrap();
        if buyer_.book.apply(offered.message, now).is_ok() {
            buyer_.machine.book_changed();
        }
        // The bid's own task may see the change of the book before the desk goes on.
        if self.random.one_in(2) {
            self.wake(buyer);
        }
        let buyer_ = &mut self.buyers[buyer];
        let fit = matching::fit(&buyer_.book, &need(&buyer_.key), offered.ask, now);
        if offer::judged(fit).is_ok() {
            let taken = buyer_.machine.offered(offered.ask, now);
            assert_eq!(taken, Ok(()), "it listened, and the ask fits");
            self.wake(buyer);
        }
    }

    /// Lets a buyer do what its bid decides, unless it waits for an answer.
    fn wake(&mut self, buyer: usize) {
        let now = at(self.now);
        loop {
            let buyer_ = &mut self.buyers[buyer];
            let is_busy = !buyer_.offers.is_empty();
            if buyer_.channel.is_some() || is_busy {
                return;
            }
            match buyer_.machine.next(now) {
                Step::Look { called } => {
                    if self.look(buyer, called) {
                        return;
                    }
                }
                Step::Post { lifetime } => {
                    let mut order = [0; 32];
                    order[..8].copy_from_slice(&buyer_.nonce.to_le_bytes());
                    let expires_at = now.saturating_add(lifetime);
                    buyer_
                        .machine
                        .posted(OrderId::from_bytes(order), expires_at);
                }
                Step::Wait { until } => {
                    let left = until.saturating_since(now).max(Duration::from_millis(1));
                    let millis = u64::try_from(left.as_millis()).unwrap();
                    return self.after(millis, Event::Wake(buyer));
                }
                Step::End => return,
            }
        }
    }

    /// Ranks the offers and begins to reserve; tells whether there is one.
    fn look(&mut self, buyer: usize, called: Option<OrderId>) -> bool {
        let now = at(self.now);
        let buyer_ = &mut self.buyers[buyer];
        let header = HeaderId::from_bytes([0; 32]);
        let mut quote = matching::quote(&buyer_.book, &need(&buyer_.key), &header, now);
        quote
            .offers
            .sort_by_key(|offer| called != Some(offer.order));
        if quote.offers.is_empty() || !buyer_.machine.reserve() {
            buyer_.machine.looked(Found::Nothing, None, now);
            return false;
        }
        buyer_.offers = quote.offers.into();
        self.attempt(buyer);
        true
    }

    /// Signs an opening for the first offer that is left, by the nonce of the run, and sends it.
    fn attempt(&mut self, buyer: usize) {
        let chain = *self.ledger.chain();
        let buyer_ = &mut self.buyers[buyer];
        let offer = buyer_.offers.front().expect("an offer is left").clone();
        let terms = terms((&buyer_.key, buyer_.nonce), &offer, at(self.now));
        buyer_.sent.push(terms.channel_id(&chain));
        buyer_.tries += 1;
        let number = buyer_.tries;
        let open = self.ledger.signed_open(&terms, &buyer_.key);
        let seller = |provider: &Provider| provider.key.node() == offer.register.node;
        let provider = self.providers.iter().position(seller).unwrap();
        self.send(Event::Reserve(provider, buyer, number, Box::new(open)));
        self.after(ANSWER_MS, Event::Patience(buyer, number));
    }

    /// What a provider does with a reservation. It sells itself once, and one in ten refuses in words only.
    fn reserve(&mut self, provider: usize, (buyer, number): (usize, u32), open: SignedTransaction) {
        if self.providers[provider].leased {
            return self.send(Event::Refused(buyer, number));
        }
        if self.random.one_in(10) {
            self.send(Event::Refused(buyer, number));
        }
        self.providers[provider].leased = true;
        let key = &self.providers[provider].key;
        let open = open.cosign(key, self.ledger.chain()).unwrap();
        let millis = 1 + self.random.below(600);
        self.after(
            millis,
            Event::Submit(provider, buyer, number, Box::new(open)),
        );
    }

    fn block(&mut self) {
        self.has_block = false;
        let submitted = std::mem::take(&mut self.submitted);
        let batch: Vec<_> = submitted.iter().map(|(.., open)| open.clone()).collect();
        self.ledger.block(&batch, self.now);
        for (provider, buyer, number, open) in submitted {
            let applied = self.ledger.has_applied(&open);
            self.providers[provider].leased = applied;
            self.send(match applied {
                true => Event::Opened(buyer, number),
                false => Event::Refused(buyer, number),
            });
        }
    }

    /// Goes on after a try that brought no proof: the ledger is asked, then the next offer is tried.
    fn next_offer(&mut self, buyer: usize, number: u32) {
        let buyer_ = &self.buyers[buyer];
        if buyer_.tries != number || buyer_.offers.is_empty() || self.take_opened(buyer) {
            return;
        }
        let buyer_ = &mut self.buyers[buyer];
        buyer_.offers.pop_front();
        if !buyer_.offers.is_empty() {
            return self.attempt(buyer);
        }
        buyer_
            .machine
            .looked(Found::Unavailable, None, at(self.now));
        self.wake(buyer);
    }

    /// Takes up a channel that the ledger has of this run; tells whether there is one.
    fn take_opened(&mut self, buyer: usize) -> bool {
        let buyer_ = &mut self.buyers[buyer];
        let is_there = |channel: &&ChannelId| self.ledger.state.channel(channel).is_some();
        buyer_.channel = buyer_.sent.iter().find(is_there).copied();
        if buyer_.channel.is_some() {
            buyer_.machine.halt();
            buyer_.offers.clear();
        }
        buyer_.channel.is_some()
    }
}
