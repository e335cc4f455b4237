//! What a seller does about bids that stand: with a second node that bids, and answers as the test wants.

use market::Amount;
use market::order::{Attributes, Bid, OrderBody, Slot};
use market_node::api::AskChange;
use market_node::clock::wall_now;
use market_node::config::{Config, Counterparty, Strategy};
use market_node::home::Home;
use market_node::identity::Identity;
use market_node::lease::{OfferRequest, Takers};
use market_node::membership::Membership;
use market_node::node::{Node, NodeConfig, NodeTasks};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;
use crate::seller::handle::Wish;
use crate::seller::tests::Shop;

/// Everything that is waited for comes within this.
const LIMIT: Duration = Duration::from_secs(30);

/// A node that bids in a shop's market.
struct Bidder {
    _folder: TempDir,
    _tasks: NodeTasks,
    node: Node,
    offers: mpsc::Receiver<OfferRequest>,
}

async fn within<T>(awaited: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(LIMIT, awaited).await;
    waited.expect("it comes in time")
}

fn price(nanocredits: u64) -> PricePerHour {
    PricePerHour(Amount::from_nanocredits(nanocredits))
}

impl Bidder {
    async fn join(shop: &Shop) -> Self {
        let folder = TempDir::new().unwrap();
        let home = Home::at(folder.path().join("home")).unwrap();
        let market = &shop.seller.node;
        let join = within(market.join_string()).await.unwrap();
        let genesis = market.membership.genesis.clone();
        let membership = Membership::create(&home, genesis, vec![join.address]).unwrap();
        Identity::create(&home, &membership.chain, wall_now()).unwrap();
        let mut settings = Config::default();
        settings.network.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
        settings.disk.reserve_mib = 1;
        let (taker, offers) = mpsc::channel(8);
        let config = NodeConfig {
            home,
            settings,
            operator_interval_ms: None,
            takers: Takers {
                seller: None,
                bidder: Some(taker),
            },
        };
        let (node, tasks) = Node::start(config).await.unwrap();
        within(async {
            // From the first answer on the clock is set.
            while node.ledger.status().await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        Self {
            _folder: folder,
            _tasks: tasks,
            node,
            offers,
        }
    }

    /// Posts a bid that the shop's card serves, and waits until the shop's book has it.
    async fn bid(&self, shop: &mut Shop, slot: u8, max_price: u64) -> OrderId {
        let bid = Bid {
            account: self.node.identity.account,
            class: shop.seller.gauge.class,
            max_price: price(max_price),
            gpus: 1,
            duration_s: 3_600,
            usable_mib: 1_024,
            attributes: Attributes::TRAIN,
            sandbox_level: 1,
            budget: Amount::from_nanocredits(1_000_000_000),
            balance_height: 0,
        };
        let slot = Slot::new(slot).unwrap();
        let posted = self.node.book.post(slot, OrderBody::Bid(bid), LIMIT);
        let order = posted.await.unwrap();
        let book = shop.seller.node.book.clone();
        let mut changes = book.watch();
        within(async {
            loop {
                changes.mark_unchanged();
                let has = book.read(move |book, now| book.bids(now).any(|bid| bid.order == order));
                if has.await.unwrap() {
                    return;
                }
                changes.changed().await.unwrap();
            }
        })
        .await;
        shop.look().await;
        order
    }
}

impl Bidder {
    /// Posts an ask like the shop's at another price, and waits until the shop's book has it.
    async fn ask(&self, shop: &mut Shop, asked: u64) {
        let mut ask = shop.seller.offered.as_ref().unwrap().offered.ask.clone();
        (ask.account, ask.price) = (self.node.identity.account, price(asked));
        let slot = Slot::new(0).unwrap();
        let posted = self.node.book.post(slot, OrderBody::Ask(ask), LIMIT);
        let order = posted.await.unwrap();
        let book = shop.seller.node.book.clone();
        let mut changes = book.watch();
        within(async {
            loop {
                changes.mark_unchanged();
                if book.find_ask(order).await.unwrap().is_some() {
                    return;
                }
                changes.changed().await.unwrap();
            }
        })
        .await;
    }
}

impl Shop {
    /// Looks at the book and posts the ask as far as that is due, now.
    async fn look(&mut self) {
        self.seller.price_at_once();
        self.seller.keep_offering().await;
    }

    fn now(&self) -> Timestamp {
        self.seller.node.clock.now().unwrap()
    }

    fn next(&self) -> Option<OrderId> {
        let next = self.seller.next_bid(self.now());
        next.map(|bid| bid.order)
    }

    fn asked(&self) -> PricePerHour {
        self.seller.offered.as_ref().unwrap().offered.ask.price
    }

    /// Waits for the answer to the offer, and takes it.
    async fn hear(&mut self) {
        loop {
            let note = within(self.seller.noted.recv()).await.unwrap();
            let is_answer = matches!(note, Note::Answered(..));
            self.seller.note(note).await;
            if is_answer {
                return;
            }
        }
    }
}

#[tokio::test]
async fn a_bid_that_pays_enough_is_offered_to_once_and_not_again_at_once_when_it_declines() {
    let mut shop = Shop::open().await;
    let mut bidder = Bidder::join(&shop).await;
    shop.look().await;
    let usual = shop.asked();
    let bid = bidder.bid(&mut shop, 3, 4_000_000).await;
    for _ in 0..3 {
        shop.seller.serve_bids().await;
        shop.look().await;
    }
    let offered = within(bidder.offers.recv()).await.unwrap();
    assert_eq!(offered.offer.bid, bid);
    assert_eq!(offered.from, shop.seller.node.identity.node());
    let ask = offered.offer.ask.verify(&shop.seller.node.chain()).unwrap();
    let OrderBody::Ask(ask) = ask.value.body else {
        panic!("an ask is shown");
    };
    assert_eq!(
        (ask.price, shop.asked()),
        (price(4_000_000), price(4_000_000))
    );
    let view = shop.wish(Wish::View).await;
    assert!(view.why.contains("was offered to"), "{}", view.why);
    assert!(view.ask.why.contains(&bid.short()), "{}", view.ask.why);
    let declined = Decline::Misfit("no".to_owned());
    offered.reply.send(LeaseResponse::Declined(declined));
    shop.hear().await;
    assert!(bidder.offers.try_recv().is_err(), "offered once");
    assert!(!shop.seller.bidding.is_waiting());
    assert!(shop.seller.bidding.is_resting(shop.now()));
    shop.look().await;
    assert_eq!(shop.asked(), usual, "the usual price again");
    shop.seller.bidding.rests_until = None;
    assert_eq!(shop.next(), None, "it is left alone for a while");
    let other = bidder.bid(&mut shop, 4, 3_700_000).await;
    assert_eq!(shop.next(), Some(other), "another bid is tried");
}

#[tokio::test]
async fn a_bid_must_pay_the_fixed_price_or_else_the_floor() {
    let mut shop = Shop::open().await;
    let bidder = Bidder::join(&shop).await;
    shop.look().await;
    let low = bidder.bid(&mut shop, 0, 2_000_000).await;
    assert_eq!(shop.next(), None, "the price is fixed at 3,600,000");
    let view = shop.wish(Wish::View).await;
    assert!(
        view.why
            .contains("a bid at 0.002 cr/h waits: your price is 0.0036 cr/h"),
        "{}",
        view.why
    );
    let floor = |floor| AskChange {
        strategy: Some(Strategy::Join),
        floor: Some(price(floor)),
        ..AskChange::default()
    };
    shop.wish(|done| Wish::Pricing(floor(2_000_001), done))
        .await;
    shop.look().await;
    assert_eq!(shop.next(), None);
    let view = shop.wish(Wish::View).await;
    assert!(
        view.why.contains("your floor is 0.002000001 cr/h"),
        "{}",
        view.why
    );
    shop.wish(|done| Wish::Pricing(floor(2_000_000), done))
        .await;
    shop.look().await;
    assert_eq!(shop.next(), Some(low));
    let high = bidder.bid(&mut shop, 1, 2_500_000).await;
    assert_eq!(shop.next(), Some(high), "the dearest first");
}

#[tokio::test]
async fn somebody_who_is_denied_is_not_offered_to() {
    let mut shop = Shop::open().await;
    let bidder = Bidder::join(&shop).await;
    shop.look().await;
    let bid = bidder.bid(&mut shop, 0, 4_000_000).await;
    assert_eq!(shop.next(), Some(bid));
    let mut settings = (*shop.seller.node.settings).clone();
    settings.sell.deny = vec![Counterparty::Account(bidder.node.identity.account)];
    shop.seller.node.settings = std::sync::Arc::new(settings.clone());
    assert_eq!(shop.next(), None, "denied");
    shop.seller.serve_bids().await;
    assert!(!shop.seller.bidding.is_waiting());
    settings.sell.deny = Vec::new();
    settings.sell.allow = vec![Counterparty::Node(shop.seller.node.identity.node())];
    shop.seller.node.settings = std::sync::Arc::new(settings);
    assert_eq!(shop.next(), None, "not among those allowed");
}

#[tokio::test]
async fn a_bidder_that_takes_the_offer_and_does_not_reserve_is_given_up_with_all_its_bids() {
    let mut shop = Shop::open().await;
    let mut bidder = Bidder::join(&shop).await;
    shop.look().await;
    bidder.bid(&mut shop, 0, 4_000_000).await;
    bidder.bid(&mut shop, 1, 4_100_000).await;
    shop.seller.serve_bids().await;
    let offered = within(bidder.offers.recv()).await.unwrap();
    offered.reply.send(LeaseResponse::Acknowledged);
    shop.hear().await;
    assert!(
        shop.seller.bidding.is_waiting(),
        "its reservation is waited for"
    );
    shop.look().await;
    assert_eq!(
        shop.asked(),
        price(4_100_000),
        "at the price that was shown"
    );
    let now = shop.now();
    if let Some(outstanding) = &mut shop.seller.bidding.outstanding {
        outstanding.until = now;
    }
    shop.seller.serve_bids().await;
    assert!(!shop.seller.bidding.is_waiting());
    shop.seller.bidding.rests_until = None;
    assert_eq!(shop.next(), None);
    shop.look().await;
    assert_eq!(shop.asked(), price(3_600_000));
}

#[tokio::test]
async fn a_busy_or_paused_seller_offers_to_nobody() {
    let mut shop = Shop::open().await;
    let mut bidder = Bidder::join(&shop).await;
    shop.look().await;
    bidder.bid(&mut shop, 0, 4_000_000).await;
    shop.wish(|done| Wish::Pause(None, done)).await;
    shop.seller.serve_bids().await;
    shop.wish(Wish::Resume).await;
    shop.take(market::AgreementId::from_bytes([9; 32]));
    shop.seller.serve_bids().await;
    assert!(!shop.seller.bidding.is_waiting());
    assert!(bidder.offers.try_recv().is_err());
}

#[tokio::test]
async fn a_strategy_follows_the_market_and_no_faster_than_its_interval_lets_it() {
    let mut shop = Shop::open().await;
    let rival = Bidder::join(&shop).await;
    let change = AskChange {
        strategy: Some(Strategy::Undercut),
        undercut_step: Some(price(100_000)),
        floor: Some(price(1_000_000)),
        ..AskChange::default()
    };
    let view = shop.wish(|done| Wish::Pricing(change, done)).await;
    assert_eq!(view.price, price(3_600_000), "nobody else offers the class");
    rival.ask(&mut shop, 3_000_000).await;
    // The look is due, the price is not: the last one is younger than the interval.
    let due = shop.seller.reprice_at;
    shop.seller.price_at_once();
    shop.seller.reprice_at = due;
    shop.seller.keep_offering().await;
    assert_eq!(shop.asked(), price(3_600_000));
    let view = shop.wish(Wish::View).await;
    assert!(
        view.ask.why.starts_with("it becomes 0.0029 cr/h soon"),
        "{}",
        view.ask.why
    );
    assert!(view.why.contains("1 cheaper offer in"), "{}", view.why);
    shop.seller.reprice_at = shop.now();
    shop.seller.keep_offering().await;
    assert_eq!(shop.asked(), price(2_900_000));
    shop.look().await;
    let order = shop.seller.offered.as_ref().unwrap().offered.order;
    shop.look().await;
    let again = shop.seller.offered.as_ref().unwrap().offered.order;
    assert_eq!(order, again, "the own ask is not undercut");
    rival.ask(&mut shop, 900_000).await;
    shop.look().await;
    shop.seller.keep_offering().await;
    let view = shop.wish(Wish::View).await;
    assert_eq!(view.price, price(1_000_000), "never below the floor");
    assert!(
        view.why.contains("and your floor is 0.001 cr/h"),
        "{}",
        view.why
    );
}
