//! Books of real swarms.

use std::time::Duration;

use libp2p::Multiaddr;
use market::keys::SecretKey;
use market::order::{Beacon, BookMessage, Order, OrderBody, Sequence};
use market::{AccountId, HeaderId, Signed};
use matching::{Capacity, Message, Need, Posting, Refused};

use super::fixture::{START, ask, key, slot};
use crate::book::gossip;
use crate::book::{AskView, BookConfig, BookError, BookHandle, BookRequest, PostError, start};
use crate::clock::ProtocolClock;
use crate::network::fixture::{TestNode, chain, config, hidden_node, node, within};
use crate::network::{
    Client, Inbound, InboundStream, Offence, Protocol, Topic, peer_of, start as start_network,
};

const HOUR: Duration = Duration::from_secs(3600);

/// Hands what arrives to the book, as a node's router does.
fn route(mut inbound: InboundStream, book: BookHandle) {
    tokio::spawn(async move {
        while let Some(inbound) = inbound.recv().await {
            hand(inbound, &book);
        }
    });
}

fn hand(inbound: Inbound, book: &BookHandle) {
    match inbound {
        Inbound::Gossip {
            topic: Topic::Orders,
            data,
            verdict,
            ..
        } => book.on_gossip(data, verdict),
        Inbound::Book {
            from,
            request,
            reply,
        } => book.on_request(from, request, reply),
        Inbound::Subscribed {
            node,
            topic: Topic::Orders,
        } => book.on_follower(node),
        _ => {}
    }
}

/// Like [`route`], but a farewell and the gossip that says the same wait for each other, and the farewell goes first.
fn route_farewell_before_gossip(mut inbound: InboundStream, book: BookHandle) {
    tokio::spawn(async move {
        let (mut farewell, mut gossip) = (None, None);
        while let Some(inbound) = inbound.recv().await {
            match inbound {
                Inbound::Gossip { ref data, .. } if says_farewell(data) => gossip = Some(inbound),
                Inbound::Book {
                    request: BookRequest::Farewell(_),
                    ..
                } => farewell = Some(inbound),
                other => hand(other, &book),
            }
            if farewell.is_some() && gossip.is_some() {
                let both = [farewell.take(), gossip.take()];
                both.into_iter().flatten().for_each(|it| hand(it, &book));
            }
        }
    });
}

fn says_farewell(data: &[u8]) -> bool {
    let messages = gossip::read(data, &chain()).unwrap_or_default();
    messages.iter().any(|message| match message {
        Message::Beacon(beacon) => beacon.value().live_slots == 0,
        Message::Order(_) => false,
    })
}

struct BookNode {
    book: BookHandle,
    network: Client,
    clock: ProtocolClock,
    address: Option<Multiaddr>,
}

async fn book_on(node: TestNode) -> BookNode {
    routed_book_on(node, route).await
}

async fn routed_book_on(node: TestNode, route: fn(InboundStream, BookHandle)) -> BookNode {
    let addresses = node.client.listen_addresses().await;
    let address = if addresses.is_empty() {
        None
    } else {
        Some(node.address().await)
    };
    let clock = ProtocolClock::new();
    let config = BookConfig {
        chain: chain(),
        key: node.key.clone(),
        posting: Posting::Open,
        capacity: Capacity::default(),
        beacon_interval_s: 60,
    };
    let (book, actor) = start(config, clock.clone(), node.client.clone());
    tokio::spawn(actor.run());
    route(node.inbound, book.clone());
    BookNode {
        book,
        network: node.client,
        clock,
        address,
    }
}

impl BookNode {
    /// Lets the node learn protocol time.
    fn set_clock(&self) {
        self.clock.observe(1, START);
    }

    fn bootstrap(&self) -> [Multiaddr; 1] {
        [self.address.clone().expect("it listens")]
    }

    /// Waits until as many asks stand as wanted: for the next change, or for time to pass, since the clock of the
    /// node that took an ask back may be ahead of this one's.
    async fn wait_for_asks(&self, wanted: usize) -> Vec<AskView> {
        let mut changes = self.book.watch();
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        within(async {
            loop {
                changes.mark_unchanged();
                let asks = self.book.asks().await.unwrap();
                if asks.len() == wanted {
                    return asks;
                }
                tokio::select! {
                    changed = changes.changed() => changed.unwrap(),
                    _ = looks.tick() => {}
                }
            }
        })
        .await
    }
}

async fn post(node: &BookNode) {
    let posted = node.book.post(slot(0), OrderBody::Ask(ask()), HOUR).await;
    posted.unwrap();
}

#[tokio::test]
async fn an_order_reaches_every_book_by_gossip_and_a_late_joiner_by_pages() {
    let operator = book_on(node(1, &[]).await).await;
    operator.set_clock();
    let provider = book_on(hidden_node(2, &operator.bootstrap()).await).await;
    provider.set_clock();
    let consumer = book_on(hidden_node(3, &operator.bootstrap()).await).await;
    consumer.set_clock();
    let id = provider
        .book
        .post(slot(0), OrderBody::Ask(ask()), HOUR)
        .await;
    let asks = consumer.wait_for_asks(1).await;
    assert_eq!((asks[0].order, &asks[0].ask), (id.unwrap(), &ask()));
    let late = book_on(hidden_node(4, &operator.bootstrap()).await).await;
    late.set_clock();
    assert_eq!(late.wait_for_asks(1).await, asks);
    let classes = late.book.classes().await.unwrap();
    assert_eq!(
        (classes.len(), classes[0].1.best_ask),
        (1, Some(ask().price))
    );
    let need = Need::new(AccountId::from_bytes([1; 32]), 60);
    let quote = late.book.quote(need, HeaderId::from_bytes([5; 32])).await;
    assert_eq!(quote.unwrap().offers[0].order, asks[0].order);
    provider.book.cancel(slot(0)).await.unwrap();
    late.wait_for_asks(0).await;
}

#[tokio::test]
async fn who_takes_leave_is_out_of_the_books_of_its_neighbours_at_once() {
    let operator = book_on(node(1, &[]).await).await;
    operator.set_clock();
    let provider = book_on(hidden_node(2, &operator.bootstrap()).await).await;
    provider.set_clock();
    let consumer = book_on(hidden_node(3, &operator.bootstrap()).await).await;
    consumer.set_clock();
    // Without orders there is nothing to say, and nobody to wait for.
    within(consumer.book.take_leave()).await;
    for number in [0, 7] {
        let posted = provider
            .book
            .post(slot(number), OrderBody::Ask(ask()), HOUR)
            .await;
        posted.unwrap();
    }
    consumer.wait_for_asks(2).await;
    operator.wait_for_asks(2).await;
    within(provider.book.take_leave()).await;
    // Nothing is waited for here: the answer has said that it is so.
    assert!(operator.book.asks().await.unwrap().is_empty());
    drop(provider);
    consumer.wait_for_asks(0).await;
    let report = operator.network.report().await.unwrap();
    assert!(
        report.refusals.values().all(|count| *count == 0),
        "{:?}",
        report.refusals
    );
}

#[tokio::test]
async fn a_farewell_that_overtakes_its_gossip_is_passed_on_all_the_same() {
    let operator = routed_book_on(node(1, &[]).await, route_farewell_before_gossip).await;
    operator.set_clock();
    let provider = book_on(hidden_node(2, &operator.bootstrap()).await).await;
    provider.set_clock();
    let consumer = book_on(hidden_node(3, &operator.bootstrap()).await).await;
    consumer.set_clock();
    // Who has seen an order of the operator knows that it follows the topic: what is posted then goes out at once,
    // and the farewell lies alone in its bulletin.
    post(&operator).await;
    provider.wait_for_asks(1).await;
    post(&provider).await;
    consumer.wait_for_asks(2).await;
    within(provider.book.take_leave()).await;
    consumer.wait_for_asks(1).await;
}

#[tokio::test]
async fn a_farewell_in_the_name_of_another_or_that_keeps_orders_alive_is_counted() {
    let operator = book_on(node(1, &[]).await).await;
    operator.set_clock();
    let stranger = node(2, &operator.bootstrap()).await;
    let (asked, stranger_key) = (operator.network.local_node(), stranger.key.clone());
    let beacon = |key: &SecretKey, live_slots| {
        let beacon = Beacon {
            sequence: Sequence::next(None, START),
            live_slots,
            interval_s: 60,
        };
        Signed::sign(&beacon, key, &chain())
    };
    let wrong = [beacon(&key(9), 0), beacon(&stranger_key, 1)];
    for (number, beacon) in (1..).zip(wrong) {
        let request = BookRequest::Farewell(beacon);
        let answer = within(stranger.client.call_book(asked, request)).await;
        assert!(answer.is_err(), "{answer:?}");
        let report = operator.network.report().await.unwrap();
        let counted = report.refusals.get(&Offence::CorruptBook);
        assert_eq!(counted, Some(&number), "{:?}", report.refusals);
    }
}

#[tokio::test]
async fn an_order_posted_alone_spreads_once_somebody_is_there() {
    let operator = book_on(node(1, &[]).await).await;
    operator.set_clock();
    operator
        .book
        .post(slot(3), OrderBody::Ask(ask()), HOUR)
        .await
        .unwrap();
    let consumer = book_on(hidden_node(2, &operator.bootstrap()).await).await;
    consumer.set_clock();
    assert_eq!(consumer.wait_for_asks(1).await[0].register.slot, slot(3));
}

#[tokio::test]
async fn a_book_that_learns_protocol_time_late_still_catches_up() {
    let operator = book_on(node(1, &[]).await).await;
    operator.set_clock();
    let consumer = book_on(hidden_node(2, &operator.bootstrap()).await).await;
    operator
        .book
        .post(slot(0), OrderBody::Ask(ask()), HOUR)
        .await
        .unwrap();
    assert_eq!(consumer.book.asks().await, Err(BookError::NoTime));
    let post = consumer.book.cancel(slot(0)).await;
    assert_eq!(post, Err(PostError::Book(BookError::NoTime)));
    consumer.set_clock();
    consumer.wait_for_asks(1).await;
}

#[tokio::test]
async fn an_order_out_of_range_is_refused_at_home() {
    let only = book_on(node(1, &[]).await).await;
    only.set_clock();
    let mut bad = ask();
    bad.gpus = 0;
    let result = only.book.post(slot(0), OrderBody::Ask(bad), HOUR).await;
    assert!(matches!(result, Err(PostError::Refused(_))));
    assert!(only.book.asks().await.unwrap().is_empty());
}

#[tokio::test]
async fn books_keep_and_take_offers_while_the_operator_is_away() {
    // What the operator is to the books of others: the place where they meet.
    let (hub, _inbound, event_loop) = start_network(config(1, &[])).await.unwrap();
    let operator = tokio::spawn(event_loop.run());
    let peer = peer_of(config(1, &[]).key.node());
    let meeting = [hub
        .listen_addresses()
        .await
        .remove(0)
        .with(Protocol::P2p(peer))];
    let provider = book_on(node(2, &meeting).await).await;
    let consumer = book_on(node(3, &meeting).await).await;
    provider.set_clock();
    consumer.set_clock();
    let posted = provider
        .book
        .post(slot(0), OrderBody::Ask(ask()), HOUR)
        .await;
    posted.unwrap();
    // The two have found each other through the operator, and need it no longer.
    within(async {
        while consumer.network.peers().await.len() < 2 || provider.network.peers().await.len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    consumer.wait_for_asks(1).await;
    operator.abort();
    within(async {
        while consumer.network.peers().await.len() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(consumer.book.asks().await.unwrap().len(), 1);
    let posted = provider
        .book
        .post(slot(1), OrderBody::Ask(ask()), HOUR)
        .await;
    posted.unwrap();
    consumer.wait_for_asks(2).await;
}

#[tokio::test]
async fn an_order_that_was_handed_over_is_judged_and_passed_on_like_gossip() {
    let operator = book_on(node(1, &[]).await).await;
    operator.set_clock();
    let bidder = book_on(hidden_node(2, &operator.bootstrap()).await).await;
    bidder.set_clock();
    let order = Order {
        slot: slot(0),
        sequence: Sequence::from_u64(START.as_millis()),
        expires_at: START.saturating_add(HOUR),
        body: OrderBody::Ask(ask()),
    };
    let signed = Signed::sign(&order, &key(77), &chain());
    let message = matching::check(BookMessage::Order(signed), &chain()).unwrap();
    bidder.book.take(message.clone()).await.unwrap();
    let asks = operator.wait_for_asks(1).await;
    let need = Need::new(AccountId::from_bytes([1; 32]), 60);
    let fit = bidder.book.fit(need, asks[0].order).await.unwrap();
    assert_eq!(fit.unwrap().unwrap().ask, ask());
    let again = bidder.book.take(message).await;
    assert_eq!(again, Err(PostError::Refused(Refused::Superseded)));
    let outlived = Order {
        sequence: Sequence::from_u64(START.as_millis() - 2 * 24 * 3_600_000),
        ..order
    };
    let signed = Signed::sign(&outlived, &key(78), &chain());
    let message = matching::check(BookMessage::Order(signed), &chain()).unwrap();
    let refused = bidder.book.take(message).await;
    assert!(matches!(refused, Err(PostError::Refused(_))), "{refused:?}");
}
