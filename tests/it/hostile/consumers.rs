//! Owns the tests of consumers that cheat: the provider works for what was promised and no longer, is free again
//! soon, and goes on serving others.
//!
//! Never asks for more patience than 5 s, which the provider of these tests has.

use market::lease::Message;
use market::ledger::ChannelState;
use market::{Amount, NodeId, OrderId};
use market_node::blobs::{BlobRequest, BlobResponse};
use market_node::lease_protocol::{LeaseRequest, LeaseResponse, Refusal, Reservation};

use super::buyer::{Bought, Buyer, JOB_TEXT, hear_receipt, job_about};
use super::stage::PATIENCE_S;
use super::stranger::{Lie, Peer, soon};
use crate::market::{Market, Plan};
use crate::node::Node;
use crate::processes::memory_kib;
use crate::program;

/// What each of them locks: some 14 ticks of a second.
const DEPOSIT: Amount = Amount::from_nanocredits(1_000_000);

/// Reservations that are sent at the same time.
const FLOOD: usize = 300;

/// The most that a provider may grow under the flood, in KiB.
const GROWTH_KIB: u64 = 64 << 10;

#[test]
fn consumers_that_cheat_get_what_they_pay_for_and_leave_the_provider_free() {
    if !program::has_adapter() {
        return;
    }
    let market = Market::found(&Plan {
        patience_s: Some(PATIENCE_S),
        ..Plan::default()
    });
    let mut last = None;
    never_pays(&market, &mut last);
    pays_with_what_is_worth_nothing(&market, &mut last);
    gives_an_input_that_is_something_else(&market, &mut last);
    asks_for_the_blobs_of_others(&market, &mut last);
    floods(&market, &mut last);
    vanishes(&market, &mut last);
    let audit = market.operator.json(&["operator", "status"])["audit"].clone();
    assert_eq!(audit["conserved"], true, "{audit}");
}

/// Buys from the offer that stands now, which is another one than the last.
fn buy(buyer: &Buyer, last: &mut Option<OrderId>) -> Bought {
    let stranger = &buyer.peer.stranger;
    let before = *last;
    let find = || async {
        let asks = stranger.book.asks().await.ok()?;
        asks.into_iter().find(|ask| Some(ask.order) != before)
    };
    let ask = buyer.peer.act(soon("the provider's next offer", find));
    *last = Some(ask.order);
    buyer.peer.act(stranger.buy(&ask, DEPOSIT))
}

/// Acknowledges everything and does nothing until the provider closes; returns what the channel paid.
fn sit_out(buyer: &mut Buyer, bought: &Bought) -> Amount {
    let Buyer { peer, inbox } = buyer;
    let stranger = peer.stranger.clone();
    peer.act(async {
        let receipt = hear_receipt(inbox, bought.agreement).await;
        let paid = stranger.claimed(bought.channel).await;
        assert_eq!(receipt.receipt.paid, paid, "the receipt says what was paid");
        stranger.countersign_receipt(bought, receipt).await;
        paid
    })
}

fn first_tick(bought: &Bought) -> Amount {
    let tick = bought.terms.rates.first_tick();
    tick.expect("a tick at this price is an amount")
}

/// Lets the provider fetch, start and ask, and never signs a voucher: one tick is paid, by the opening.
fn never_pays(market: &Market, last: &mut Option<OrderId>) {
    let mut buyer = Buyer::join(market, "miser", "1");
    let bought = buy(&buyer, last);
    let paid = sit_out(&mut buyer, &bought);
    eprintln!("never pays: {paid} was paid, the first tick");
    assert_eq!(paid, first_tick(&bought));
}

/// Signs vouchers that the provider must not work for, and is told why.
fn pays_with_what_is_worth_nothing(market: &Market, last: &mut Option<OrderId>) {
    let mut buyer = Buyer::join(market, "trickster", "1");
    let bought = buy(&buyer, last);
    let stranger = buyer.peer.stranger.clone();
    let tick = first_tick(&bought).nanocredits();
    let sum = |ticks: u64| Amount::from_nanocredits(tick * ticks);
    let voucher = |sequence, cumulative| stranger.voucher(bought.channel, sequence, cumulative);
    let pay = |voucher| buyer.peer.act(stranger.pay(&bought, voucher));
    let refused = |voucher, why: &str| match pay(voucher) {
        LeaseResponse::Rejected(reason) => assert!(reason.contains(why), "{reason}"),
        other => panic!("a voucher that is {why:?} was answered with {other:?}"),
    };
    let good = voucher(1, sum(2));
    assert_eq!(pay(good.clone()), LeaseResponse::Acknowledged);
    assert_eq!(pay(good), LeaseResponse::Acknowledged, "sent twice");
    refused(voucher(1, sum(3)), "does not rise");
    refused(voucher(2, sum(2)), "does not rise");
    refused(voucher(2, sum(1)), "does not rise");
    let above = Amount::from_nanocredits(DEPOSIT.nanocredits() + 1);
    refused(voucher(2, above), "more than the deposit");
    let mut other = stranger.voucher(bought.channel, 2, sum(3));
    refused(elsewhere(&buyer, &bought, &mut other), "another channel");
    let paid = sit_out(&mut buyer, &bought);
    eprintln!("worthless vouchers: {paid} was paid, the one good voucher");
    assert_eq!(paid, sum(2), "only the good voucher pays");
}

/// Signs the same for a channel that does not exist.
fn elsewhere(
    buyer: &Buyer,
    bought: &Bought,
    voucher: &mut market::Signed<market::voucher::Voucher>,
) -> market::Signed<market::voucher::Voucher> {
    let stranger = &buyer.peer.stranger;
    let stated = voucher.verify(&stranger.chain).expect("its own").value;
    let mut terms = bought.terms.clone();
    terms.payer_nonce ^= 1;
    let channel = terms.channel_id(&stranger.chain);
    stranger.voucher(channel, stated.sequence, stated.cumulative)
}

/// Gives other bytes under the hash of its job's input: no work is done on them.
fn gives_an_input_that_is_something_else(market: &Market, last: &mut Option<OrderId>) {
    let mut buyer = Buyer::join(market, "poisoner", "1");
    let input = &job_about(JOB_TEXT.repeat(200).as_bytes()).inputs[0];
    buyer.peer.stranger.lie_about(input.hash, Lie::Garbage);
    let bought = buy(&buyer, last);
    let paid = sit_out(&mut buyer, &bought);
    eprintln!("an input that does not match: {paid} was paid, the first tick");
    assert_eq!(paid, first_tick(&bought));
}

/// Is gone as soon as the channel is open.
fn vanishes(market: &Market, last: &mut Option<OrderId>) {
    let Buyer { peer, inbox } = Buyer::join(market, "ghost", "1");
    let buyer = Buyer { peer, inbox };
    let bought = buy(&buyer, last);
    let Buyer { peer, inbox } = buyer;
    drop(inbox);
    peer.vanish();
    let (witness, _inbox) = Peer::join(market, "witness");
    let closed = || async {
        let found = witness.stranger.ledger.channel(bought.channel).await;
        let record = found.ok().flatten()?.record;
        (record.state == ChannelState::Closed).then_some(record.claimed)
    };
    let paid = witness.act(soon("the close of what a ghost bought", closed));
    eprintln!("vanishes: {paid} was paid, the first tick");
    assert_eq!(paid, first_tick(&bought));
}

/// Asks provider and consumer for inputs that were shared between others.
fn asks_for_the_blobs_of_others(market: &Market, last: &mut Option<OrderId>) {
    let owner = Buyer::join(market, "owner", "1");
    let bought = buy(&owner, last);
    let hash = owner.peer.stranger.job_for(bought.terms.payee.node).inputs[0].hash;
    let (thief, _inbox) = Peer::join(market, "thief");
    let ask = |node: NodeId| {
        let (start, length) = (0, 64);
        let request = BlobRequest::Range {
            hash,
            start,
            length,
        };
        thief.act(thief.stranger.network.call_blob(node, request))
    };
    for node in [owner.peer.stranger.node(), bought.terms.payee.node] {
        assert_eq!(ask(node), Ok(BlobResponse::NotShared), "asked {node}");
    }
    let cancel = Message::Cancel;
    let foreign = thief
        .stranger
        .say(bought.terms.payee.node, bought.agreement, cancel);
    let foreign = thief.act(foreign);
    assert_eq!(
        foreign,
        Ok(LeaseResponse::UnknownAgreement),
        "a thief cancels"
    );
    let mut owner = owner;
    let end = owner.peer.stranger.end(&bought, &mut owner.inbox);
    owner.peer.act(end);
}

/// Sends more reservations than anyone could want. Each is refused in words or by a closed stream; the provider
/// stays small and serves the next buyer.
fn floods(market: &Market, last: &mut Option<OrderId>) {
    let buyer = Buyer::join(market, "flood", "1");
    let stranger = buyer.peer.stranger.clone();
    let ask = buyer.peer.act(stranger.ask_of(|_| true));
    let provider = ask.register.node;
    let before = memory(&market.provider);
    let flood: Vec<_> = (0..FLOOD)
        .map(|number| {
            let stranger = stranger.clone();
            // No offer has this id, so nothing of this may open a channel.
            let mut ask = ask.clone();
            ask.order = OrderId::from_bytes([0x77; 32]);
            let job = job_about(format!("input {number} of nothing").as_bytes());
            let terms = stranger.terms(&ask, &job, DEPOSIT);
            buyer
                .peer
                .begin(async move { stranger.reserve(&terms, job).await })
        })
        .collect();
    let answers: Vec<_> = flood
        .into_iter()
        .map(|one| buyer.peer.act(one).expect("no task fails"))
        .collect();
    let is_told = |answer: &&Result<_, _>| matches!(answer, Ok(LeaseResponse::Refused(_)));
    let told = answers.iter().filter(is_told).count();
    let opened = answers
        .iter()
        .any(|answer| matches!(answer, Ok(LeaseResponse::Reserved(_))));
    let grown = memory(&market.provider).saturating_sub(before);
    eprintln!("{FLOOD} reservations at once: {told} refused in words, grown by {grown} KiB");
    assert!(!opened && told > 0, "{answers:?}");
    assert!(grown < GROWTH_KIB, "the provider grew by {grown} KiB");
    unsigned(&buyer, provider);
    let mut next = Buyer::join(market, "next", "1");
    let bought = buy(&next, last);
    let end = next.peer.stranger.end(&bought, &mut next.inbox);
    next.peer.act(end);
}

fn memory(node: &Node) -> u64 {
    memory_kib(node.pid()).expect("the node runs")
}

/// Asks with an opening that another key has signed.
fn unsigned(buyer: &Buyer, provider: NodeId) {
    let stranger = &buyer.peer.stranger;
    let ask = buyer.peer.act(stranger.ask_of(|node| *node == provider));
    let job = job_about(b"an input of nothing");
    let mut terms = stranger.terms(&ask, &job, DEPOSIT);
    terms.payer.node = provider;
    let open = stranger.sign(market::ledger::Operation::Open { terms });
    let request = LeaseRequest::Reserve(Box::new(Reservation { open, job }));
    let answer = buyer
        .peer
        .act(stranger.network.call_lease(provider, request));
    assert!(
        matches!(answer, Ok(LeaseResponse::Refused(Refusal::Terms(_)))),
        "answered {answer:?}"
    );
}
