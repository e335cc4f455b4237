//! Owns the tests of bids that stand, on markets of real processes: they wait, are filled without anyone typing, end,
//! and outlive their node's restarts.
//!
//! Never looks inside a process: it sees what a person or a script sees, and what any node sees in the book.

use std::time::Duration;

use market::order::{Order, OrderBody, Sequence, Slot};
use market::{NodeId, OrderId, PricePerHour, Signed};
use market_node::lease_protocol::{BidOffer, Decline, LeaseRequest, LeaseResponse, Refusal};
use serde_json::{Value, json};

use crate::credits;
use crate::hostile::{Peer, soon};
use crate::market::Market;
use crate::node::Node;
use crate::program::{self, Done};
use crate::purchase;

/// What each job may cost: enough for the slowest machine.
const BUDGET: &str = "total = \"0.2\"";

/// Below what the provider asks at first, which is 0.25.
const LOW: &str = "0.2";

/// Steps of a job: a few seconds.
const STEPS: u32 = 60;

/// Leaves a bid for a small training and returns its run.
fn bid(market: &Market, time: &str) -> String {
    let run = bid_with(market, &["--for", time]).succeeded();
    run.trim().to_owned()
}

fn bid_with(market: &Market, more: &[&str]) -> Done {
    let file = purchase::small_training(market, STEPS, BUDGET);
    let output = market.folder.path().join("out");
    let out = output.to_str().expect("temporary paths are UTF-8");
    let arguments = ["bid", &file, "--max-price", LOW, "--yes", "-o", out];
    market.consumer.run(&[&arguments, more].concat())
}

/// Returns what `ps` says of a run.
fn listed(consumer: &Node, run: &str) -> Option<Value> {
    let told = consumer.run(&["ps", "--all", "--json"]);
    let runs: Value = serde_json::from_str(&told.stdout).ok()?;
    let mut runs = runs.as_array()?.iter();
    runs.find(|listed| listed["run"] == run).cloned()
}

/// Waits until a run is listed as `is_so` wants it.
fn wait_until(consumer: &Node, run: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    consumer.retry(what, || match listed(consumer, run) {
        Some(listed) if is_so(&listed) => Ok(listed),
        other => Err(format!("{other:?}")),
    })
}

/// Waits until a bid stands in the book and has seen why nobody sells; returns its order.
fn wait_until_it_stands(consumer: &Node, run: &str) -> String {
    let bid = wait_until(consumer, run, "a bid that stands", |listed| {
        let misfits = listed["misfits"].as_str().unwrap_or_default();
        listed["order"].is_string() && misfits.contains("above your price")
    });
    assert_eq!(
        (&bid["state"], &bid["max_price"]),
        (&json!("waiting"), &json!(LOW))
    );
    let order = bid["order"].as_str();
    order.expect("it has an order").to_owned()
}

/// Waits until a run is over.
fn wait_for_outcome(consumer: &Node, run: &str) -> Value {
    wait_until(consumer, run, "the end of the run", |listed| {
        listed["outcome"].is_string() && listed["refunded"].is_string()
    })
}

/// The events of a run, from its beginning.
fn events(consumer: &Node, run: &str) -> Vec<Value> {
    let told = consumer.run(&["logs", run, "--json"]).succeeded();
    purchase::numbered_events(&told)
}

fn count(events: &[Value], kind: &str) -> usize {
    let is_it = |event: &&Value| event["event"] == kind;
    events.iter().filter(is_it).count()
}

/// Lets the provider sell at what the bids pay.
fn lower_price(market: &Market) {
    let price = json!({ "price": LOW });
    market.provider.post("/v1/provider/price", &price);
}

/// The run was one lease at the bid's price, and every nanocredit is where it belongs.
fn check_filled(market: &Market, run: &str) {
    let job = wait_for_outcome(&market.consumer, run);
    assert_eq!(
        (&job["outcome"], &job["attempts"]),
        (&json!("completed"), &json!(1)),
        "{job}"
    );
    assert_eq!(job["price_per_hour"], LOW);
    let paid = credits::of(&job["paid"]);
    assert_eq!(purchase::check_refund(market, 1), paid, "{job}");
    let told = events(&market.consumer, run);
    assert_eq!(count(&told, "opened"), 1, "{told:?}");
    assert!(count(&told, "standing") >= 1, "{told:?}");
    purchase::check_delivered(&told);
    let book = market.consumer.json(&["ps", "--all"]);
    let bids = book.as_array().expect("a list").iter();
    assert_eq!(
        bids.filter(|bid| bid["order"].is_string()).count(),
        0,
        "{book}"
    );
}

/// The bids of a node that a stranger's replica of the book holds.
async fn bids(peer: &Peer, node: &str) -> Option<Vec<OrderId>> {
    let node = node.parse().ok()?;
    let read = peer.stranger.book.read(move |book, now| {
        let of_node = book.bids(now).filter(|bid| bid.register.node == node);
        of_node.map(|bid| bid.order).collect()
    });
    read.await.ok()
}

/// Waits until a stranger sees exactly these bids of the consumer.
fn wait_for_bids(peer: &Peer, consumer: &Node, expected: &[&str]) {
    let node = consumer.id();
    let expected: Vec<OrderId> = expected
        .iter()
        .map(|order| order.parse().expect("an order's id"))
        .collect();
    peer.act(soon("the consumer's bids in the book", || async {
        (bids(peer, &node).await? == expected).then_some(())
    }));
}

#[test]
fn a_seller_that_would_take_less_offers_to_a_bid_which_becomes_a_lease_at_the_bids_price() {
    if !program::has_adapter() {
        return;
    }
    let market = Market::start();
    let asked = ["ask", "--strategy", "join", "--floor", "0.1"];
    let asked = market.provider.json(&asked);
    assert_eq!(asked["ask"]["price"], "0.25", "nobody else asks: {asked}");
    let run = bid(&market, "2h");
    check_filled(&market, &run);
    // The deal was an exception: its next offer is at the strategy's price again.
    market.consumer.retry("the offer at the old price", || {
        let book = market.consumer.json(&["market", "book"]);
        match book["asks"][0]["price"] == "0.25" {
            true => Ok(()),
            false => Err(book.to_string()),
        }
    });
}

#[test]
fn a_bid_below_every_ask_waits_and_becomes_a_lease_when_a_provider_lowers_its_price() {
    if !program::has_adapter() {
        return;
    }
    let market = Market::start();
    let (peer, _inbox) = Peer::join(&market, "watcher");
    let run = bid(&market, "1h");
    let order = wait_until_it_stands(&market.consumer, &run);
    wait_for_bids(&peer, &market.consumer, &[&order]);
    let described = market.consumer.run(&["describe", &run]).succeeded();
    assert!(
        described.contains("waiting for an offer at most 0.2 cr/h, until"),
        "{described}"
    );
    let status = market.consumer.json(&["wallet", "balance"]);
    assert_eq!(
        credits::of(&status["in_channels"]),
        0,
        "nothing is locked: {status}"
    );

    lower_price(&market);
    check_filled(&market, &run);
    wait_for_bids(&peer, &market.consumer, &[]);
}

#[test]
fn a_bid_whose_time_ends_or_that_is_cancelled_says_so_and_leaves_no_order() {
    if !program::has_adapter() {
        return;
    }
    let market = Market::start();
    let (peer, _inbox) = Peer::join(&market, "watcher");
    let done = bid_with(&market, &["--for", "3s", "--follow", "--json"]);
    assert_eq!(done.code, Some(4), "{}", done.stderr);
    assert!(
        done.stderr.contains("nobody sold for at most 0.2 cr/h"),
        "{}",
        done.stderr
    );
    let told = purchase::events(&done.stdout);
    let summary = told
        .last()
        .map(|last| last["summary"].to_string())
        .unwrap_or_default();
    assert!(summary.contains("above your price"), "{told:?}");
    let run = told[0]["run"]
        .as_str()
        .expect("the first event names the run");
    let over = wait_until(&market.consumer, run, "the end", |listed| {
        listed["state"] == "unsold"
    });
    assert_eq!(over["order"], Value::Null);
    wait_for_bids(&peer, &market.consumer, &[]);

    let run = bid(&market, "1h");
    let order = wait_until_it_stands(&market.consumer, &run);
    wait_for_bids(&peer, &market.consumer, &[&order]);
    market.consumer.run(&["cancel", &run]).succeeded();
    wait_until(&market.consumer, &run, "the end", |listed| {
        listed["state"] == "cancelled"
    });
    wait_for_bids(&peer, &market.consumer, &[]);

    lower_price(&market);
    market.consumer.retry("the lower price", || {
        let book = market.consumer.json(&["market", "book"]);
        let is_low = book["asks"][0]["price"] == LOW;
        is_low.then_some(()).ok_or(book.to_string())
    });
    assert_eq!(purchase::check_refund(&market, 0), 0, "nothing was bought");
}

#[test]
fn a_bid_passes_over_those_on_the_deny_list_and_counts_them() {
    if !program::has_adapter() {
        return;
    }
    let mut market = Market::start();
    let deny = ("NIGHTSHIFT_BUY_DENY".to_owned(), market.provider.account());
    market.consumer.restart_with(&[deny]);
    market.wait_for_offers(&market.consumer, 1);
    let file = purchase::small_training(&market, STEPS, BUDGET);
    let asked = [
        "bid",
        &file,
        "--max-price",
        "0.3",
        "--for",
        "3s",
        "--yes",
        "-f",
    ];
    let done = market.consumer.run(&asked);
    assert_eq!(done.code, Some(4), "{}", done.stderr);
    assert!(
        done.stderr.contains("1 offer: 1 on your deny list"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_bid_outlives_a_kill_and_a_restart_of_its_node_and_is_filled_once() {
    if !program::has_adapter() {
        return;
    }
    let mut market = Market::start();
    let (peer, _inbox) = Peer::join(&market, "watcher");
    let run = bid(&market, "1h");
    wait_until_it_stands(&market.consumer, &run);
    market.consumer.kill();
    market.consumer.restart();
    let order = wait_until_it_stands(&market.consumer, &run);
    wait_for_bids(&peer, &market.consumer, &[&order]);
    market.consumer.stop();
    market.consumer.restart();
    let order = wait_until_it_stands(&market.consumer, &run);
    wait_for_bids(&peer, &market.consumer, &[&order]);

    market.operator.stop();
    let still = listed(&market.consumer, &run).expect("the bid is listed");
    assert_eq!(
        still["state"], "waiting",
        "an operator that is away ends nothing"
    );
    market.operator.restart();
    lower_price(&market);
    check_filled(&market, &run);
}

/// What a provider's node says to a bid: this bid, and an ask of its own at this price.
fn offer_of(peer: &Peer, bid: OrderId, example: &Value, price: &str) -> BidOffer {
    let stranger = &peer.stranger;
    let node: NodeId = example
        .as_str()
        .expect("a node")
        .parse()
        .expect("a node's id");
    let price: PricePerHour = price.parse().expect("a price");
    let example = peer.act(stranger.ask_of(move |maker| *maker == node));
    let now = stranger.clock.now().expect("it knows the time");
    let order = Order {
        slot: Slot::new(0).expect("0 is below 64"),
        sequence: Sequence::next(None, now),
        expires_at: now.saturating_add(Duration::from_secs(3_600)),
        body: OrderBody::Ask(stranger.like(&example.ask, price)),
    };
    let ask = Signed::sign(&order, &stranger.identity.node_key, &stranger.chain);
    BidOffer { bid, ask }
}

/// Sends an offer to the consumer and returns its answer.
fn answer(peer: &Peer, consumer: &Node, offer: BidOffer) -> LeaseResponse {
    let to = consumer.id().parse().expect("a node's id");
    let request = LeaseRequest::Offer(Box::new(offer));
    let answered = peer.act(peer.stranger.network.call_lease(to, request));
    answered.expect("the consumer answers")
}

#[test]
fn an_offer_to_a_bid_is_checked_taken_up_once_and_a_refusal_leaves_the_bid_standing() {
    if !program::has_adapter() {
        return;
    }
    let market = Market::start();
    let [(seller, mut inbox), (rival, _rivals)] =
        ["seller", "rival"].map(|name| Peer::join(&market, name));
    let run = bid(&market, "1h");
    let order = wait_until_it_stands(&market.consumer, &run);
    let order: OrderId = order.parse().expect("an order's id");
    let consumer = &market.consumer;
    let example = consumer.json(&["market", "book"])["asks"][0]["node"].clone();
    let unknown = OrderId::from_bytes([7; 32]);
    let said = answer(&seller, consumer, offer_of(&seller, unknown, &example, LOW));
    assert_eq!(said, LeaseResponse::Declined(Decline::NoSuchBid));
    let said = answer(
        &seller,
        consumer,
        offer_of(&seller, order, &example, "0.21"),
    );
    let dear = Decline::Misfit("above your price".to_owned());
    assert_eq!(said, LeaseResponse::Declined(dear));
    let stolen = offer_of(&rival, order, &example, LOW);
    let said = answer(&seller, consumer, stolen.clone());
    let other = Decline::Misfit("the ask is signed by another node".to_owned());
    assert_eq!(said, LeaseResponse::Declined(other));

    let said = answer(&seller, consumer, offer_of(&seller, order, &example, LOW));
    assert_eq!(said, LeaseResponse::Acknowledged);
    let asked = seller.act(seller.stranger.asked(&mut inbox));
    let said = answer(&rival, consumer, stolen);
    assert_eq!(said, LeaseResponse::Declined(Decline::Filling));
    asked.reply.send(LeaseResponse::Refused(Refusal::Busy));
    wait_until(consumer, &run, "a bid that waits again", |listed| {
        listed["state"] == "waiting" && listed["order"] == order.to_string()
    });
    assert_eq!(
        purchase::check_refund(&market, 0),
        0,
        "a refusal costs nothing"
    );
    market.consumer.run(&["cancel", &run]).succeeded();
    wait_until(consumer, &run, "the end", |listed| {
        listed["state"] == "cancelled"
    });
}
