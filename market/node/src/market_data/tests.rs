//! Market data: every node ends with the operator's digest, whatever was lost on the way, and no wrong trade stays.

use std::collections::VecDeque;
use std::time::Duration;

use market::keys::SecretKey;
use market::ledger::{State, execute};
use market::{Amount, ChannelId};
use matching::{Misstated, Tape, TapeCapacity, Trade, TradePlace};
use tempfile::TempDir;

use super::*;
use crate::clock::ProtocolClock;
use crate::ledger::LedgerClient;
use crate::ledger::client::Transport;
use crate::ledger::protocol::{LedgerRequest, LedgerResponse, MAX_TRADES, TradesQuery};
use crate::ledger::testing::reachable::{Reachable, remote, remote_of};
use crate::ledger::testing::{Running, config, genesis, issue, key, nano, settled, terms};
use crate::network::fixture::within;
use crate::store::{NodeStore, OperatorIndex};

/// Market data that are read on from the operator at every reading.
const AT_ONCE: MarketDataConfig = MarketDataConfig {
    pull_every: Duration::ZERO,
    patience: Duration::from_secs(60),
    patience_away: Duration::from_secs(60),
    capacity: TapeCapacity {
        per_class: 100,
        total: 100,
    },
};

const ALL: TradesQuery = TradesQuery {
    after: None,
    limit: MAX_TRADES,
};

async fn client_of(running: &Running, folder: &TempDir, name: &str) -> LedgerClient {
    let store = NodeStore::open(&folder.path().join(name), &genesis().chain_id());
    let transport = Transport::Local(running.handle.clone());
    let (store, genesis) = (store.unwrap().0, genesis());
    let client = LedgerClient::open(transport, &genesis, store, ProtocolClock::new());
    client.await.unwrap()
}

fn begin(config: MarketDataConfig, client: &LedgerClient) -> MarketData {
    let (data, actor) = start(config, client.clone());
    tokio::spawn(actor.run());
    data
}

/// Settles channels between keys 1 and 2 that pay so much each.
async fn trade(running: &Running, payments: impl IntoIterator<Item = (u64, u64)>) {
    let parties: (&SecretKey, &SecretKey) = (&key(1), &key(2));
    for (number, paid) in payments {
        for transaction in settled(number, parties, paid) {
            running.handle.submit(transaction).await.unwrap();
        }
    }
}

/// An operator under which three channels have settled, of which one paid nothing beyond its first tick.
async fn traded(folder: &TempDir) -> Running {
    let running = Running::start(config(folder));
    fund_and_trade(&running).await;
    running
}

async fn fund_and_trade(running: &Running) {
    let money = issue(1, &key(1), 100_000_000);
    running.handle.submit(money).await.unwrap();
    trade(running, [(10, 400_000), (11, 1_000), (12, 70_000)]).await;
}

async fn digest(data: &MarketData) -> ([u8; 32], usize, Option<u64>) {
    let read = data.read(|seen| (seen.tape.digest(), seen.tape.len(), seen.height));
    read.await.unwrap()
}

/// What the operator's index makes of a tape.
async fn index_digest(running: &Running) -> [u8; 32] {
    let mut tape = Tape::new(AT_ONCE.capacity);
    let page = running.handle.trades(ALL).await.unwrap();
    page.trades.into_iter().for_each(|trade| tape.record(trade));
    tape.digest()
}

fn height_of(running: &Running) -> u64 {
    running.handle.head().header.height
}

fn index_of(folder: &TempDir) -> OperatorIndex {
    let opened = OperatorIndex::open(&folder.path().join("ledger/index"));
    opened.unwrap().0
}

#[tokio::test]
async fn each_settled_channel_is_one_trade_at_its_block() {
    let folder = TempDir::new().unwrap();
    let running = traded(&folder).await;
    let heights = height_of(&running);
    let page = running.handle.trades(ALL).await.unwrap();
    assert!((heights..=height_of(&running)).contains(&page.height));
    let paid: Vec<Amount> = page.trades.iter().map(|trade| trade.paid).collect();
    assert_eq!(paid, [400_000, 1_000, 70_000].map(nano));
    let mut of_blocks = Vec::new();
    for height in 1..=page.height {
        let block = running.handle.block(height).await.unwrap().unwrap();
        of_blocks.extend(Trade::in_block(&block));
    }
    assert_eq!(page.trades, of_blocks, "the log says the same");
    for trade in &page.trades {
        let block = running.handle.block(trade.place.height).await;
        let block = block.unwrap().unwrap();
        assert_eq!(trade.settled_at, block.header.time);
        let receipt = &block.receipts[usize::try_from(trade.place.index).unwrap()];
        let record = receipt.settled().unwrap();
        assert_eq!(trade.check(record), Ok(()));
        assert_eq!(
            (trade.payer, trade.payee),
            (key(1).account(), key(2).account())
        );
    }
}

#[test]
fn a_channel_that_its_deadline_closes_is_a_trade_too() {
    let mut state = State::genesis(&genesis()).unwrap();
    let [open, _] = settled(10, (&key(1), &key(2)), 400_000);
    let mut batches = VecDeque::from([vec![issue(1, &key(1), 5_000_000)], vec![open]]);
    let expired_at = terms(&key(1), &key(2))
        .expires_at
        .saturating_add(Duration::from_secs(60));
    let mut trades = Vec::new();
    for _ in 0..30 {
        // Past the channel's expiry, and on for ten seconds of uptime a block until its window ends.
        let (batch, least) = match batches.pop_front() {
            Some(batch) => (batch, state.tip().time),
            None => (Vec::new(), expired_at),
        };
        let step = Duration::from_secs(10);
        let now = least.max(state.tip().time.saturating_add(step));
        let executed = execute(&state, &batch, now, &key(200)).unwrap();
        assert!(executed.rejected.is_empty(), "{:?}", executed.rejected);
        state.commit(executed.delta).unwrap();
        trades.extend(Trade::in_block(&executed.block));
    }
    let paid: Vec<Amount> = trades.iter().map(|trade| trade.paid).collect();
    assert_eq!(paid, [nano(1_000)], "its first tick");
}

#[tokio::test]
async fn pages_of_any_length_come_to_the_same_trades() {
    let folder = TempDir::new().unwrap();
    let running = traded(&folder).await;
    let whole = running.handle.trades(ALL).await.unwrap().trades;
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let query = TradesQuery { after, limit: 1 };
        let request = LedgerRequest::Trades(query);
        let LedgerResponse::Trades(page) = running.handle.answer(request).await else {
            panic!("another answer");
        };
        let Some(last) = page.trades.last() else {
            break;
        };
        after = Some(last.place);
        found.extend(page.trades);
    }
    assert_eq!(found, whole);
    let beyond = TradesQuery {
        after: Some(TradePlace {
            height: u64::MAX,
            index: u32::MAX,
        }),
        limit: u16::MAX,
    };
    assert_eq!(running.handle.trades(beyond).await.unwrap().trades, []);
}

#[tokio::test]
async fn a_node_that_pulls_has_the_operators_digest_and_stays_up_to_date() {
    let folder = TempDir::new().unwrap();
    let running = traded(&folder).await;
    let client = client_of(&running, &folder, "node").await;
    let data = begin(AT_ONCE, &client);
    let before = height_of(&running);
    let (first, trades, height) = digest(&data).await;
    assert_eq!(first, index_digest(&running).await);
    assert_eq!(trades, 3);
    assert!((before..=height_of(&running)).contains(&height.unwrap()));
    trade(&running, [(13, 90_000)]).await;
    let (second, trades, _) = digest(&data).await;
    assert_eq!(trades, 4);
    assert_ne!(second, first);
    assert_eq!(second, index_digest(&running).await);
}

#[tokio::test]
async fn more_trades_than_are_fetched_at_once_are_read_to_the_end() {
    let folder = TempDir::new().unwrap();
    let running = traded(&folder).await;
    running.kill().await;
    let index = index_of(&folder);
    let last = *index.trades(ALL).unwrap().trades.last().unwrap();
    let planted = (0..6_000).map(|number: u32| Trade {
        place: TradePlace {
            index: last.place.index + 1 + number,
            ..last.place
        },
        ..last
    });
    let planted: Vec<Trade> = planted.collect();
    index.plant(&planted);
    drop(index);
    let running = Running::start(config(&folder));
    let client = client_of(&running, &folder, "node").await;
    for total in [100_000, 70] {
        let capacity = TapeCapacity {
            per_class: total,
            total,
        };
        let data = begin(
            MarketDataConfig {
                capacity,
                ..AT_ONCE
            },
            &client,
        );
        let newest = data.read(|seen| {
            let newest = seen.tape.newest(None, 1);
            (seen.tape.len(), newest.first().map(|trade| trade.place))
        });
        let read = newest.await.unwrap();
        let all = planted.len() + 3;
        assert_eq!(
            read,
            (all.min(total), planted.last().map(|trade| trade.place))
        );
    }
}

#[tokio::test]
async fn an_index_that_was_deleted_or_had_no_trades_gives_the_same_digest() {
    let folder = TempDir::new().unwrap();
    let running = traded(&folder).await;
    let before = index_digest(&running).await;
    running.kill().await;

    let restarted = Running::start(config(&folder));
    assert_eq!(index_digest(&restarted).await, before);
    restarted.kill().await;

    std::fs::remove_dir_all(folder.path().join("ledger/index")).unwrap();
    let anew = Running::start(config(&folder));
    assert_eq!(index_digest(&anew).await, before);
    anew.kill().await;

    let index = index_of(&folder);
    index.forget_trades();
    assert_eq!(index.trades(ALL).unwrap().trades, []);
    drop(index);
    let upgraded = Running::start(config(&folder));
    assert_eq!(index_digest(&upgraded).await, before);
    let head = height_of(&upgraded);
    assert!(upgraded.handle.trades(ALL).await.unwrap().height >= head);
}

#[tokio::test]
async fn while_the_operator_is_away_what_is_known_is_read_and_afterwards_what_came_since() {
    let folder = TempDir::new().unwrap();
    let operator = Reachable::start(&folder).await;
    fund_and_trade(&operator.running).await;
    let client = remote(&operator, &folder).await;
    let data = begin(AT_ONCE, &client);
    let before = within(digest(&data)).await;
    assert_eq!(before.0, index_digest(&operator.running).await);
    let address = operator.kill().await;

    let unknown = begin(AT_ONCE, &client);
    assert_eq!(within(digest(&data)).await, before, "what is known stays");
    let said = |seen: Seen<'_>| {
        seen.settled()
            .map(Tape::len)
            .map_err(|error| error.to_string())
    };
    assert_eq!(within(data.read(said)).await.unwrap(), Ok(3));
    let problem = within(unknown.read(said)).await.unwrap().unwrap_err();
    assert!(problem.contains("cannot be reached"), "{problem}");
    let problem = within(data.rebuild()).await.unwrap_err().to_string();
    assert!(problem.contains("are as they were: operator"), "{problem}");
    assert_eq!(within(digest(&data)).await, before);

    let back = Reachable::at(&folder, address).await;
    trade(&back.running, [(30, 50_000)]).await;
    // The link comes up again by itself; every reading asks anew.
    let now = within(async {
        loop {
            let now = digest(&data).await;
            if now.1 == 4 {
                break now;
            }
        }
    });
    assert_eq!(now.await.0, index_digest(&back.running).await);
    let rebuilt = within(data.rebuild()).await.unwrap();
    assert_eq!(rebuilt.digest, rebuilt.digest_before);
}

#[tokio::test]
async fn a_reader_waits_for_an_operator_that_says_nothing_only_so_long() {
    let folder = TempDir::new().unwrap();
    // Takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let address = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
    let client = remote_of(address, &folder).await;
    let hasty = MarketDataConfig {
        patience: Duration::from_millis(20),
        ..AT_ONCE
    };
    let data = begin(hasty, &client);
    let (_, trades, height) = within(digest(&data)).await;
    assert_eq!((trades, height), (0, None));
    let said = data.read(|seen| seen.settled().map(Tape::len));
    assert_eq!(
        within(said).await.unwrap(),
        Err(MarketDataError::Reading(0))
    );
}

#[tokio::test]
async fn an_operator_that_does_not_know_the_question_is_not_pressed() {
    let folder = TempDir::new().unwrap();
    let listen = "/ip4/127.0.0.1/tcp/0".parse().unwrap();
    let operator = Reachable::without_trades(config(&folder), listen).await;
    let client = remote(&operator, &folder).await;
    let data = begin(AT_ONCE, &client);
    for _ in 0..5 {
        within(digest(&data)).await;
    }
    assert_eq!(operator.closed(), 2);
    let said = data.read(|seen| seen.settled().map(Tape::len));
    let error = within(said).await.unwrap().unwrap_err().to_string();
    assert!(error.contains("An operator of an older release"), "{error}");
}

#[tokio::test]
async fn a_node_that_never_heard_of_trades_says_so() {
    let nobody = Seen {
        tape: &Tape::default(),
        height: None,
        problem: Some("no address answers"),
    };
    let said = nobody.settled().unwrap_err().to_string();
    assert!(
        said.ends_with("since it started: no address answers"),
        "{said}"
    );
    let reading = Seen {
        problem: None,
        ..nobody
    };
    assert_eq!(reading.settled().unwrap_err(), MarketDataError::Reading(0));
    let known = Seen {
        height: Some(1),
        ..nobody
    };
    assert!(known.settled().is_ok());
}

#[tokio::test]
async fn a_rebuild_of_right_data_gives_the_same_digest() {
    let folder = TempDir::new().unwrap();
    let running = traded(&folder).await;
    let client = client_of(&running, &folder, "node").await;
    let data = begin(AT_ONCE, &client);
    // Before anything was read, and after more has come than was read.
    for number in [20, 21] {
        let rebuilt = data.rebuild().await.unwrap();
        assert_eq!(rebuilt.digest, rebuilt.digest_before);
        assert_eq!(rebuilt.digest, index_digest(&running).await);
        assert!(rebuilt.height <= height_of(&running));
        trade(&running, [(number, 80_000)]).await;
    }
    assert_eq!(digest(&data).await.1, 5);
}

#[tokio::test]
async fn a_second_rebuild_at_the_same_time_is_refused() {
    let folder = TempDir::new().unwrap();
    let running = traded(&folder).await;
    let client = client_of(&running, &folder, "node").await;
    let data = begin(AT_ONCE, &client);
    let (first, second) = tokio::join!(data.rebuild(), data.rebuild());
    first.unwrap();
    assert!(matches!(second.unwrap_err(), RebuildError::UnderWay));
}

/// Market data of an operator in whose index a trade was changed while it was away.
async fn planted(change: impl Fn(&mut Trade)) -> (RebuildError, Trade) {
    let folder = TempDir::new().unwrap();
    let running = traded(&folder).await;
    running.kill().await;
    let index = index_of(&folder);
    let mut wrong = index.trades(ALL).unwrap().trades[1];
    change(&mut wrong);
    index.plant(&[wrong]);
    drop(index);
    let running = Running::start(config(&folder));
    let client = client_of(&running, &folder, "node").await;
    let data = begin(AT_ONCE, &client);
    let before = digest(&data).await;
    let error = data.rebuild().await.unwrap_err();
    assert_eq!(digest(&data).await.0, before.0, "what was known stays");
    (error, wrong)
}

#[tokio::test]
async fn a_rebuild_names_a_trade_that_its_channel_does_not_prove() {
    let (error, wrong) = planted(|trade| trade.paid = nano(999)).await;
    let RebuildError::Misstated {
        place,
        channel,
        why,
    } = &error
    else {
        panic!("{error}");
    };
    assert_eq!((*place, *channel), (wrong.place, wrong.channel));
    assert_eq!(*why, Misstated::Paid(nano(1_000)));
    let text = error.to_string();
    assert!(text.contains("the channel paid 0.000001 cr"), "{text}");

    let (error, _) = planted(|trade| trade.payee = key(9).account()).await;
    assert!(matches!(error, RebuildError::Misstated { .. }), "{error}");
}

#[tokio::test]
async fn a_rebuild_names_a_channel_that_is_not_there_or_settles_twice() {
    let made_up = ChannelId::from_bytes([9; 32]);
    let (error, _) = planted(|trade| trade.channel = made_up).await;
    let is_unproved = |error: &RebuildError| match error {
        RebuildError::Unproved { channel, .. } => *channel == made_up,
        _ => false,
    };
    assert!(is_unproved(&error), "{error}");
    let (error, wrong) = planted(|trade| trade.place.index += 1).await;
    let RebuildError::Twice { place, channel } = error else {
        panic!("{error}");
    };
    assert_eq!((place, channel), (wrong.place, wrong.channel));
}
