//! Owns the race: two buyers want one GPU at the same moment.
//!
//! Never looks at who was first; what counts is that one channel opens, and what the other is told.
//!
//! A hundred rounds are raced by the protocol, without jobs: what is raced for is the opening, and the winner gives
//! it back at once. A few are raced by two people who type `nightshift run`, jobs and all.
//!
//! Each round of the hundred covers a reservation by each buyer over its own connection to a provider's process, sent at the
//! same moment; the countersigned opening in a block; the loser's refusal; what the ledger holds of both; and
//! the end in good order, until the offer stands again. It leaves out the worker: its input never arrives.

use market::job::JobSpec;
use market::{Amount, OrderId};
use market_node::book::AskView;
use market_node::lease_protocol::{LeaseResponse, Refusal};
use market_node::network::CallError;
use serde_json::Value;

use crate::credits;
use crate::hostile::{Bought, Buyer, Lie, job_about, soon};
use crate::market::{Market, Plan};
use crate::node::Node;
use crate::program;
use crate::purchase::{self, End, Purchase};

/// How often they race.
const ROUNDS: usize = 100;

/// What each buyer locks, in nanocredits.
const DEPOSIT: Amount = Amount::from_nanocredits(1_000_000);

/// What opening a channel costs, in nanocredits.
const OPEN_FEE: i128 = 100_000;

/// A buyer's part in one round.
struct Try {
    bought: Bought,
    answer: Result<LeaseResponse, CallError>,
}

impl Try {
    fn has_won(&self) -> bool {
        matches!(self.answer, Ok(LeaseResponse::Reserved(_)))
    }
}

#[test]
fn of_two_who_race_for_one_gpu_one_gets_it_each_time() {
    if !program::has_adapter() {
        return;
    }
    let market = Market::start();
    let mut racers = ["red", "blue"].map(|name| Buyer::join(&market, name, "1"));
    let mut paid = [0; 2];
    let mut wins = [0; 2];
    let mut last = None;
    for round in 0..ROUNDS {
        let ask = racers.each_ref().map(|racer| fresh_ask(racer, last));
        last = Some(ask[0].order);
        let tries = race(&racers, &ask);
        let winner = the_one_who_won(round, &tries);
        check_ledger(&racers[winner], &tries, winner);
        let Buyer { peer, inbox } = &mut racers[winner];
        let end = peer.stranger.end(&tries[winner].bought, inbox);
        paid[winner] += i128::from(peer.act(end).nanocredits());
        wins[winner] += 1;
    }
    eprintln!(
        "{ROUNDS} races: {} won by one, {} by the other, 0 by both, 0 by none",
        wins[0], wins[1]
    );
    for (racer, (paid, wins)) in racers.iter().zip(paid.into_iter().zip(wins)) {
        let spent = paid + OPEN_FEE * i128::from(wins);
        check_balance(racer, credits::nano("1") - spent);
    }
    let audit: Value = market.operator.json(&["operator", "status"])["audit"].clone();
    assert_eq!(audit["conserved"], true, "{audit}");
    assert_eq!(credits::of(&audit["channels"]), 0, "{audit}");
}

/// How often two people race.
const TYPED_ROUNDS: usize = 5;

/// Steps of their jobs: enough for both to be there at the same time.
const STEPS: u32 = 60;

/// Lets two consumers type `nightshift run` at the same moment.
fn run_both(market: &Market, file: &str, round: usize) -> [End; 2] {
    let jobs: Vec<Purchase> = market
        .consumers()
        .map(|consumer| {
            let folder = format!("{}-{round}", consumer.account());
            Purchase::start(consumer, file, &market.folder.path().join(folder))
        })
        .collect();
    let ends: Vec<End> = jobs.into_iter().map(Purchase::end).collect();
    ends.try_into().expect("the market has two consumers")
}

fn has_completed(end: &End) -> bool {
    end.done.code == Some(0) && end.last()["outcome"] == "completed"
}

/// Whether somebody who bought nothing was told why, in words and by number.
fn is_told_why(end: &End) -> bool {
    let said = &end.done.stderr;
    let is_refused = end.done.code == Some(1) && said.contains("all GPUs of this offer are taken");
    let nothing_fits = end.done.code == Some(4) && said.contains("no offer fits this job");
    is_refused || nothing_fits
}

#[test]
fn of_two_people_who_run_a_job_at_once_one_gets_the_gpu_and_the_other_a_reason_or_the_next_offer() {
    if !program::has_adapter() {
        return;
    }
    let plan = Plan {
        prices: &["0.25", "0.26"],
        consumers: 2,
        ..Plan::default()
    };
    let mut market = Market::found(&plan);
    let file = purchase::small_training(&market, STEPS, "total = \"0.1\"");
    let mut opened = 0;
    for round in 0..TYPED_ROUNDS {
        let ends = run_both(&market, &file, round);
        let why = || format!("round {round}: {:?}", ends.each_ref().map(|end| &end.done));
        assert!(ends.iter().all(has_completed), "{}", why());
        opened += 2;
        market
            .consumers()
            .for_each(|consumer| market.wait_for_offers(consumer, 2));
    }
    let (code, said) = market.more_providers[0].stop_in_order();
    assert_eq!(code, Some(0), "{said}");
    let mut told = 0;
    for round in TYPED_ROUNDS..2 * TYPED_ROUNDS {
        market
            .consumers()
            .for_each(|consumer| market.wait_for_offers(consumer, 1));
        let ends = run_both(&market, &file, round);
        let why = || format!("round {round}: {:?}", ends.each_ref().map(|end| &end.done));
        let completed = ends.iter().filter(|end| has_completed(end)).count();
        let refused = ends.iter().filter(|end| is_told_why(end)).count();
        assert!(completed >= 1 && completed + refused == 2, "{}", why());
        (opened, told) = (opened + completed, told + refused);
    }
    eprintln!(
        "{} races of two people: {opened} jobs, {told} told why not",
        2 * TYPED_ROUNDS
    );
    let status = market.operator.json(&["operator", "status"]);
    assert_eq!(status["audit"]["conserved"], true, "{status}");
    let spent: i128 = market.consumers().map(spent).sum();
    let paid: i128 = market
        .consumers()
        .flat_map(runs)
        .map(|run| credits::of(&run["paid"]))
        .sum();
    assert_eq!(
        spent,
        paid + i128::try_from(opened).expect("few") * OPEN_FEE
    );
}

fn runs(consumer: &Node) -> Vec<Value> {
    let runs = consumer.json(&["ps", "--all"]);
    runs.as_array().cloned().unwrap_or_default()
}

/// What a consumer has spent of its ten credits, once nothing of it is locked.
fn spent(consumer: &Node) -> i128 {
    consumer.retry("the refunds", || {
        let balance = consumer.json(&["wallet", "balance"]);
        match credits::of(&balance["in_channels"]) {
            0 => Ok(credits::nano("10") - credits::of(&balance["available"])),
            _ => Err(balance.to_string()),
        }
    })
}

/// Waits until a racer sees an offer that nobody has taken yet.
fn fresh_ask(racer: &Buyer, last: Option<OrderId>) -> AskView {
    let stranger = &racer.peer.stranger;
    let find = || async {
        let asks = stranger.book.asks().await.ok()?;
        asks.into_iter().find(|ask| Some(ask.order) != last)
    };
    racer.peer.act(soon("the next offer", find))
}

/// Lets both ask at the same moment.
fn race(racers: &[Buyer; 2], asks: &[AskView; 2]) -> [Try; 2] {
    assert_eq!(asks[0].order, asks[1].order, "both want the same offer");
    let start = std::sync::Arc::new(tokio::sync::Barrier::new(2));
    let started = [0, 1].map(|n: usize| {
        let stranger = racers[n].peer.stranger.clone();
        let job: JobSpec = job_about(b"an input that is never given away");
        stranger.lie_about(job.inputs[0].hash, Lie::Silence);
        let terms = stranger.terms(&asks[n], &job, DEPOSIT);
        let start = start.clone();
        racers[n].peer.begin(async move {
            start.wait().await;
            let answer = stranger.reserve(&terms, job).await;
            let bought = stranger.bought(terms);
            Try { bought, answer }
        })
    });
    let [first, second] = started;
    let first = racers[0].peer.act(first).expect("no racer fails");
    let second = racers[1].peer.act(second).expect("no racer fails");
    [first, second]
}

/// Fails unless exactly one has won, and the other was told why not.
fn the_one_who_won(round: usize, tries: &[Try; 2]) -> usize {
    let answers = || tries.each_ref().map(|a_try| &a_try.answer);
    let winner = tries.iter().position(Try::has_won);
    let winner = winner.unwrap_or_else(|| panic!("round {round}: nobody won: {:?}", answers()));
    let loser = &tries[1 - winner].answer;
    let is_told = matches!(loser, Ok(LeaseResponse::Refused(Refusal::Busy)));
    assert!(is_told, "round {round}: the loser was told {loser:?}");
    winner
}

/// The provider has one channel, and it is the winner's.
fn check_ledger(winner: &Buyer, tries: &[Try; 2], won: usize) {
    let ledger = &winner.peer.stranger.ledger;
    let provider = tries[won].bought.terms.payee.account;
    let found = winner.peer.act(ledger.account(provider));
    let open: Vec<_> = found
        .expect("the operator answers")
        .channels
        .iter()
        .map(|channel| channel.id)
        .collect();
    assert_eq!(open, [tries[won].bought.channel], "the provider's channels");
    let lost = winner
        .peer
        .act(ledger.channel(tries[1 - won].bought.channel));
    assert_eq!(
        lost.expect("the operator answers"),
        None,
        "the loser's channel"
    );
}

fn check_balance(racer: &Buyer, expected: i128) {
    let stranger = &racer.peer.stranger;
    let balance = stranger.ledger.account(stranger.identity.account);
    let balance = racer.peer.act(balance).expect("the operator answers");
    assert_eq!(i128::from(balance.available.nanocredits()), expected);
}
