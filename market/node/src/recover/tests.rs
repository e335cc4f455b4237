//! What a node finds after a kill, settled on a real ledger that this node orders itself.

use std::collections::BTreeSet;

use market::agreement::{Meter, Party, Terms};
use market::genesis::Genesis;
use market::keys::SecretKey;
use market::lease::Purpose;
use market::ledger::Transaction;
use tempfile::TempDir;

use super::*;
use crate::clock::wall_now;
use crate::config::Config;
use crate::home::Home;
use crate::identity::{Identity, load_or_create};
use crate::ledger::testing::{genesis, job, key, nano, terms};
use crate::membership::Membership;
use crate::network::fixture::within;
use crate::node::{NodeConfig, NodeTasks};

/// How often the node makes a block, and the ledger's window, in milliseconds.
const BLOCK_MS: u64 = 50;
const WINDOW_MS: u64 = 200;

/// A node that orders its own market, with money, and another party.
struct Market {
    _folder: TempDir,
    _tasks: NodeTasks,
    node: Node,
    other: SecretKey,
}

impl Market {
    async fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let home = Home::at(folder.path().join("home")).unwrap();
        let genesis = Genesis {
            operators: vec![load_or_create(&home, "node").unwrap().node()],
            challenge_ms: WINDOW_MS,
            ..genesis()
        };
        let chain = Membership::create(&home, genesis, Vec::new())
            .unwrap()
            .chain;
        Identity::create(&home, &chain, wall_now()).unwrap();
        let mut settings = Config::default();
        settings.network.listen = vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()];
        let config = NodeConfig {
            home,
            settings,
            operator_interval_ms: Some(BLOCK_MS),
            takers: crate::lease::Takers::default(),
        };
        let (node, tasks) = Node::start(config).await.unwrap();
        let market = Self {
            _folder: folder,
            _tasks: tasks,
            node,
            other: key(2),
        };
        for to in [market.node.identity.account, market.other.account()] {
            let amount = nano(10_000_000);
            let issue = Operation::Issue { to, amount };
            market.submit(issue, &[&key(201)]).await;
        }
        market
    }

    fn signed(&self, operation: Operation, keys: &[&SecretKey], blocks: u64) -> SignedTransaction {
        let transaction = Transaction {
            nonce: crate::identity::fresh_nonce().unwrap(),
            valid_until_height: self.node.clock.height().unwrap_or(0) + blocks,
            operation,
        };
        let chain = self.node.chain();
        let signed = SignedTransaction::sign(&transaction, keys[0], &chain);
        let cosign = |signed: SignedTransaction, key: &&SecretKey| signed.cosign(key, &chain);
        let signed = keys[1..]
            .iter()
            .try_fold(signed, cosign)
            .expect("each key signs once");
        signed.with_delegation(self.node.identity.delegation.clone())
    }

    async fn submit(&self, operation: Operation, keys: &[&SecretKey]) {
        let signed = self.signed(operation, keys, 1_000);
        within(self.node.ledger.submit(&signed)).await.unwrap();
    }

    fn me(&self) -> Party {
        Party {
            account: self.node.identity.account,
            node: self.node.identity.node(),
        }
    }

    /// Terms under which this node buys from the other party.
    fn bought(&self) -> Terms {
        Terms {
            payer: self.me(),
            ..terms(&self.other, &self.other)
        }
    }

    /// Terms under which this node sells to the other party.
    fn sold(&self) -> Terms {
        Terms {
            payee: self.me(),
            ..terms(&self.other, &self.other)
        }
    }

    fn opening(&self, terms: &Terms, blocks: u64) -> SignedTransaction {
        let terms = terms.clone();
        let keys = [&self.node.identity.node_key, &self.other];
        self.signed(Operation::Open { terms }, &keys, blocks)
    }

    async fn open_channel(&self, terms: &Terms) -> ChannelId {
        let opening = self.opening(terms, 1_000);
        within(self.node.ledger.submit(&opening)).await.unwrap();
        terms.channel_id(&self.node.chain())
    }

    async fn keep_voucher(&self, direction: Direction, channel: ChannelId, total: u64) {
        let voucher = Voucher {
            channel,
            sequence: 1,
            cumulative: nano(total),
            meter_hash: [0; 32],
        };
        let signer = match direction {
            Direction::Sent => &self.node.identity.node_key,
            Direction::Received => &self.other,
        };
        let signed = Signed::sign(&voucher, signer, &self.node.chain());
        let kept = self.node.store.put_voucher(direction, voucher, signed);
        kept.await.unwrap();
    }

    async fn keep_purchase(&self, agreement: AgreementId, bytes: &[u8]) {
        let id = agreement.as_bytes();
        let kept = self.node.store.put_record(RecordKind::Purchase, id, bytes);
        kept.await.unwrap();
    }

    async fn settle_leftovers(&self) {
        let leftovers = Leftovers::read(&self.node).unwrap();
        within(leftovers.settle(self.node.clone(), || async { false })).await;
    }

    async fn channel(&self, id: ChannelId) -> ChannelRecord {
        let found = self.node.ledger.channel(id).await.unwrap();
        found.expect("the channel is on the ledger").record
    }

    fn kept(&self, kind: RecordKind) -> usize {
        self.node.store.records(kind).unwrap().len()
    }
}

fn purchase(terms: &Terms) -> PayerRecord {
    PayerRecord {
        terms: terms.clone(),
        opened_at: wall_now(),
        meter: Meter::default(),
        delivered_meter: Meter::default(),
        artefacts: vec![market::lease::Artefact {
            index: 0,
            name: "a.bin".to_owned(),
            hash: BlobHash::of(b"output"),
            bytes: 6,
        }],
        delivered: BTreeSet::new(),
        outcome: None,
        purpose: Purpose::Work,
    }
}

#[tokio::test]
async fn a_damaged_purchase_locks_no_deposit_for_days() {
    let market = Market::open().await;
    let terms = market.bought();
    let channel = market.open_channel(&terms).await;
    let agreement = terms.id(&market.node.chain());
    market.keep_purchase(agreement, b"damaged").await;
    market.settle_leftovers().await;
    assert_eq!(market.channel(channel).await.state, ChannelState::Closed);
    assert_eq!(market.kept(RecordKind::Purchase), 0);
    let left = market
        .node
        .ledger
        .account(market.me().account)
        .await
        .unwrap();
    assert!(left.available > nano(9_900_000), "the deposit is back");
}

#[tokio::test]
async fn a_purchase_that_nobody_takes_up_is_closed_with_what_was_promised() {
    let market = Market::open().await;
    let terms = market.bought();
    let channel = market.open_channel(&terms).await;
    market.keep_voucher(Direction::Sent, channel, 70_000).await;
    let agreement = terms.id(&market.node.chain());
    let bytes = wire::encode(&purchase(&terms));
    market.keep_purchase(agreement, &bytes).await;
    market.settle_leftovers().await;
    let closed = market.channel(channel).await;
    assert_eq!(closed.state, ChannelState::Closed);
    assert_eq!(closed.claimed, nano(70_000));
    assert_eq!(market.kept(RecordKind::Purchase), 0);
}

#[tokio::test]
async fn what_was_promised_to_this_node_is_claimed() {
    let market = Market::open().await;
    let terms = market.sold();
    let channel = market.open_channel(&terms).await;
    market
        .keep_voucher(Direction::Received, channel, 90_000)
        .await;
    market.settle_leftovers().await;
    let closed = market.channel(channel).await;
    assert_eq!(
        (closed.state, closed.claimed),
        (ChannelState::Closed, nano(90_000))
    );
}

#[tokio::test]
async fn a_job_is_taken_with_its_purchase_and_ends_with_what_it_cost() {
    let market = Market::open().await;
    let terms = market.bought();
    let channel = market.open_channel(&terms).await;
    let agreement = terms.id(&market.node.chain());
    let bytes = wire::encode(&purchase(&terms));
    market.keep_purchase(agreement, &bytes).await;
    keep_job(&market.node, &job(&terms, &market.node.chain())).await;
    let mut leftovers = Leftovers::read(&market.node).unwrap();
    let wanted = leftovers.wanted_blobs();
    assert_eq!(wanted, BTreeSet::from([BlobHash::of(b"output")]));
    let mut taken = leftovers.take_jobs(&market.node);
    let (job, purchase) = taken.pop().expect("the job is not over");
    assert!(taken.is_empty() && purchase.is_some());
    let ended = within(Box::pin(end_job(&market.node, job))).await;
    let paid = market.channel(channel).await.claimed;
    assert_eq!((ended.phase, ended.paid), (Phase::Ended, paid));
    assert_eq!(ended.refunded, terms.deposit.checked_sub(paid));
    let again = Leftovers::read(&market.node).unwrap();
    assert!(again.jobs.is_empty() && again.purchases.is_empty());
}

#[tokio::test]
async fn an_opening_whose_fate_was_unknown_is_closed_or_forgotten() {
    let market = Market::open().await;
    let opened = market.bought();
    let channel = market.open_channel(&opened).await;
    let never = Terms {
        payer_nonce: 2,
        ..market.bought()
    };
    for transaction in [market.opening(&opened, 3), market.opening(&never, 3)] {
        remember(&market.node, &transaction).await.unwrap();
    }
    market.settle_leftovers().await;
    assert_eq!(market.kept(RecordKind::Submission), 0);
    assert_eq!(market.channel(channel).await.state, ChannelState::Closed);
    let absent = never.channel_id(&market.node.chain());
    assert!(market.node.ledger.channel(absent).await.unwrap().is_none());
}

#[tokio::test]
async fn an_opening_is_kept_with_its_run_and_taken_out_for_it() {
    let market = Market::open().await;
    let (run, record) = (RunId::from_bytes([7; 8]), b"the record of a run");
    let sold = market.opening(&market.sold(), 3);
    remember(&market.node, &sold).await.unwrap();
    let opening = market.opening(&market.bought(), 3);
    let kept = remember_for_run(&market.node, &opening, (run, record));
    kept.await.unwrap();
    let store = &market.node.store;
    let found = store.record(RecordKind::Run, run.as_bytes()).unwrap();
    assert_eq!(found.as_deref(), Some(&record[..]));
    let mut leftovers = Leftovers::read(&market.node).unwrap();
    let taken = leftovers.take_openings(&market.node);
    assert_eq!(taken, [(run, opening.clone())]);
    // What no run sent stays to be settled.
    assert_eq!(leftovers.submissions, [sold]);
    forget(&market.node, opening.id(&market.node.chain())).await;
    assert_eq!(market.kept(RecordKind::Opening), 0);
    assert_eq!(market.kept(RecordKind::Submission), 1);
    assert_eq!(market.kept(RecordKind::Run), 1);
}

#[tokio::test]
async fn unfinished_files_of_an_earlier_run_are_removed() {
    let market = Market::open().await;
    let work = market.node.home.folder("work").unwrap();
    std::fs::write(work.join("output.part"), b"half").unwrap();
    std::fs::create_dir(work.join("folder")).unwrap();
    Leftovers::read(&market.node).unwrap();
    assert_eq!(std::fs::read_dir(&work).unwrap().count(), 0);
}
