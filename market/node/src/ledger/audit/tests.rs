//! An honest account adds up; each kind of lie in a history is told apart.

use market::ledger::{Code, Operation};
use market::{ChannelId, Timestamp};
use tempfile::TempDir;

use super::*;
use crate::clock::ProtocolClock;
use crate::ledger::client::Transport;
use crate::ledger::testing::{
    Running, TRANSFER_FEE, config, genesis, issue, key, nano, signed, terms, transfer,
};
use crate::store::NodeStore;

struct Market {
    _folder: TempDir,
    _running: Running,
    client: LedgerClient,
}

/// An operator with 3,000,000 nanocredits in the account of key 1.
async fn funded() -> Market {
    let folder = TempDir::new().unwrap();
    let running = Running::start(config(&folder));
    let (store, _) = NodeStore::open(&folder.path().join("node"), &genesis().chain_id()).unwrap();
    let transport = Transport::Local(running.handle.clone());
    let genesis = genesis();
    let client = LedgerClient::open(transport, &genesis, store, ProtocolClock::new());
    let client = client.await.unwrap();
    client.submit(&issue(1, &key(1), 3_000_000)).await.unwrap();
    Market {
        _folder: folder,
        _running: running,
        client,
    }
}

#[tokio::test]
async fn an_account_adds_up_over_transfers_and_channels() {
    let market = funded().await;
    let client = &market.client;
    for nonce in 2..5 {
        let paid = transfer(nonce, &key(1), &key(2), 1_000);
        client.submit(&paid).await.unwrap();
    }
    let terms = terms(&key(1), &key(2));
    let channel = terms.channel_id(&genesis().chain_id());
    let open = signed(9, Operation::Open { terms }, &[&key(1), &key(2)]);
    client.submit(&open).await.unwrap();
    let close = Operation::CoopClose {
        channel,
        voucher: None,
    };
    client.submit(&signed(10, close, &[&key(2)])).await.unwrap();
    let payer = audit(client, key(1).account()).await.unwrap();
    assert_eq!(payer.problem, None);
    // Issued; three payments with three fees; deposit, fee and refund.
    assert_eq!((payer.movements, payer.proved), (10, 10));
    let spent = payer.went_out.checked_sub(nano(1_000_000)).unwrap();
    assert_eq!(spent, nano(3 * (1_000 + TRANSFER_FEE) + 2_000));
    let held = payer.came_in.checked_sub(payer.went_out);
    assert_eq!(Some(payer.available), held);
    let payee = audit(client, key(2).account()).await.unwrap();
    assert_eq!((payee.problem, payee.went_out), (None, Amount::ZERO));
}

#[tokio::test]
async fn an_account_that_never_was_is_empty_and_adds_up() {
    let market = funded().await;
    let nobody = audit(&market.client, key(7).account()).await.unwrap();
    assert_eq!((nobody.problem, nobody.movements), (None, 0));
    assert!(!nobody.is_proved, "nothing proves that it has nothing");
    let somebody = audit(&market.client, key(1).account()).await.unwrap();
    assert!(somebody.is_proved);
    assert_eq!(nobody.available, Amount::ZERO);
}

#[tokio::test]
async fn more_than_a_page_of_history_is_read_to_its_end() {
    let market = funded().await;
    let client = &market.client;
    let payments = u64::from(MAX_HISTORY_ENTRIES) + 3;
    let submitted = (0..payments).map(|nonce| {
        let paid = transfer(100 + nonce, &key(1), &key(2), 10);
        async move { client.submit(&paid).await.unwrap() }
    });
    futures::future::join_all(submitted).await;
    let payee = audit(client, key(2).account()).await.unwrap();
    assert_eq!((payee.problem, payee.movements), (None, payments));
    assert_eq!(payee.proved, payments);
}

/// An auditor of key 1 that has read nothing yet.
fn auditor(client: &LedgerClient) -> Auditor<'_> {
    Auditor::new(client, key(1).account(), 100)
}

fn entry(height: u64, (debit, credit): (Bucket, Bucket), balance: u64) -> HistoryEntry {
    HistoryEntry {
        at: HistoryCursor { height, index: 0 },
        time: Timestamp::from_millis(0),
        cause: Cause::Deadline(ChannelId::from_bytes([1; 32])),
        transfer: Transfer {
            debit,
            credit,
            amount: nano(5),
            code: Code::Refund,
        },
        memo: None,
        balance: nano(balance),
    }
}

#[tokio::test]
async fn a_history_that_does_not_follow_is_a_problem_with_its_place() {
    let market = funded().await;
    let own = Bucket::Available(key(1).account());
    let (into, out) = ((Bucket::FeePool, own), (own, Bucket::FeePool));
    let mut good = auditor(&market.client);
    assert_eq!(good.enter(&entry(1, into, 5)), Ok(()));
    assert_eq!(good.enter(&entry(2, into, 10)), Ok(()));
    let at = |height| HistoryCursor { height, index: 0 };
    let again = good.enter(&entry(2, into, 15));
    assert_eq!(again, Err(AuditProblem::Order { at: at(2) }));
    let strange = good.enter(&entry(3, (Bucket::Treasury, Bucket::FeePool), 10));
    assert_eq!(strange, Err(AuditProblem::Stranger { at: at(3) }));
    let (said, sum) = (nano(11), Some(nano(5)));
    let wrong = good.enter(&entry(4, out, 11));
    let problem = AuditProblem::Balance {
        at: at(4),
        said,
        sum,
    };
    assert_eq!(wrong, Err(problem));
    let below = auditor(&market.client).enter(&entry(1, out, 0));
    let problem = AuditProblem::Balance {
        at: at(1),
        said: Amount::ZERO,
        sum: None,
    };
    assert_eq!(below, Err(problem));
}

#[tokio::test]
async fn a_movement_that_its_transaction_did_not_make_is_not_proved() {
    let market = funded().await;
    let paid = transfer(2, &key(1), &key(2), 1_000);
    let proof = market.client.submit(&paid).await.unwrap();
    let tx = proof.receipt.transaction().unwrap();
    let own = Bucket::Available(key(1).account());
    let mut invented = entry(proof.certified.header.height, (Bucket::FeePool, own), 5);
    invented.cause = Cause::Transaction(tx);
    let mut auditor = auditor(&market.client);
    assert!(!auditor.is_proved(&invented).await.unwrap());
    let at = invented.at;
    assert_eq!(
        auditor.audit.problem,
        Some(AuditProblem::NotProved { at, tx })
    );
    // The real one is, once: a second time it would be counted twice.
    let real = HistoryEntry {
        transfer: proof.receipt.transfers[0],
        ..invented
    };
    let mut auditor = self::auditor(&market.client);
    assert!(auditor.is_proved(&real).await.unwrap());
    assert!(!auditor.is_proved(&real).await.unwrap());
}

#[tokio::test]
async fn a_transaction_that_comes_again_after_another_one_is_not_proved_twice() {
    let market = funded().await;
    let own = Bucket::Available(key(1).account());
    let mut entries = Vec::new();
    for nonce in 2..4 {
        let paid = transfer(nonce, &key(1), &key(2), 1_000);
        let proof = market.client.submit(&paid).await.unwrap();
        let tx = proof.receipt.transaction().unwrap();
        let height = proof.certified.header.height;
        entries.push(HistoryEntry {
            cause: Cause::Transaction(tx),
            transfer: proof.receipt.transfers[0],
            ..entry(height, (own, Bucket::FeePool), 5)
        });
    }
    let mut auditor = auditor(&market.client);
    assert!(auditor.is_proved(&entries[0]).await.unwrap());
    assert!(auditor.is_proved(&entries[1]).await.unwrap());
    assert!(!auditor.is_proved(&entries[0]).await.unwrap());
    assert_eq!(auditor.audit.proved, 2);
}

#[tokio::test]
async fn a_refund_that_fell_due_must_be_of_a_channel_that_is_proved_closed_and_comes_once() {
    let market = funded().await;
    let client = &market.client;
    let terms = terms(&key(1), &key(2));
    let (channel, deposit) = (terms.channel_id(&genesis().chain_id()), terms.deposit);
    let open = signed(9, Operation::Open { terms }, &[&key(1), &key(2)]);
    client.submit(&open).await.unwrap();
    let own = Bucket::Available(key(1).account());
    let refund = |debit, amount| {
        let mut refund = entry(1, (debit, own), 5);
        refund.cause = Cause::Deadline(channel);
        refund.transfer.amount = amount;
        refund
    };
    let from_channel = Bucket::Channel(channel);
    let at = HistoryCursor {
        height: 1,
        index: 0,
    };
    let not_due = Some(AuditProblem::NotDue { at, channel });
    let mut open_still = auditor(client);
    assert!(
        !open_still
            .is_proved(&refund(from_channel, deposit))
            .await
            .unwrap()
    );
    assert_eq!(open_still.audit.problem, not_due);
    let close = Operation::CoopClose {
        channel,
        voucher: None,
    };
    client.submit(&signed(10, close, &[&key(2)])).await.unwrap();
    let closed = client.channel(channel).await.unwrap().unwrap().record;
    let rest = deposit.checked_sub(closed.claimed).unwrap();
    let over = rest.checked_add(nano(1)).unwrap();
    for invented in [refund(Bucket::Treasury, rest), refund(from_channel, over)] {
        let mut auditor = auditor(client);
        assert!(!auditor.is_proved(&invented).await.unwrap(), "{invented:?}");
        assert_eq!(auditor.audit.problem, not_due);
    }
    let mut once = auditor(client);
    assert!(once.is_proved(&refund(from_channel, rest)).await.unwrap());
    assert_eq!((once.audit.due, once.audit.asserted), (1, Amount::ZERO));
    assert!(!once.is_proved(&refund(from_channel, rest)).await.unwrap());
    // Of a channel that the state does not have there is the operator's word alone.
    let unknown = ChannelId::from_bytes([7; 32]);
    let mut asserted = entry(1, (Bucket::Channel(unknown), own), 5);
    asserted.cause = Cause::Deadline(unknown);
    assert!(once.is_proved(&asserted).await.unwrap());
    assert_eq!((once.audit.due, once.audit.asserted), (1, nano(5)));
}
