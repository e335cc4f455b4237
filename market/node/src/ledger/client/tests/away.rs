//! An operator that goes away and comes back, over real swarms.

use super::*;
use crate::ledger::protocol::Unavailable;
use crate::ledger::testing::reachable::{Conduct, Reachable, remote};
use crate::network::fixture::within;

#[tokio::test]
async fn a_transaction_waits_for_an_operator_that_is_being_restarted_and_applies_once() {
    let folder = TempDir::new().unwrap();
    let operator = Reachable::start(&folder).await;
    let client = remote(&operator, &folder).await;
    let issued = within(client.submit(&issue(1, &key(1), 5_000))).await;
    let before = issued.unwrap().certified.header.height;
    let address = operator.kill().await;
    let payment = transfer(2, &key(1), &key(2), 1_000);
    let (first, second) = (client.clone(), client.clone());
    let restarted = async {
        // The payment is on its way while nobody is there.
        let gone = client.status().await.unwrap_err();
        assert!(gone.is_temporary(), "{gone}");
        Reachable::at(&folder, address).await
    };
    let twice = async { tokio::join!(first.submit(&payment), second.submit(&payment)) };
    let ((one, other), back) = within(Box::pin(async { tokio::join!(twice, restarted) })).await;
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.certified.header.height, other.certified.header.height);
    assert!(
        one.certified.header.height > before,
        "the same chain goes on"
    );
    let payee = within(client.account(key(2).account())).await.unwrap();
    assert_eq!(payee.available, nano(1_000));
    assert!(client.clock().height() > Some(before));
    back.kill().await;
}

/// Does everything that an operator does, but takes no payment.
fn censor(request: &LedgerRequest) -> Conduct {
    let LedgerRequest::Submit(transaction) = request else {
        return Conduct::Honest;
    };
    let Ok(verified) = transaction.verify(&genesis().chain_id()) else {
        return Conduct::Honest;
    };
    match verified.transaction.operation {
        Operation::Transfer { .. } => {
            Conduct::Other(Box::new(LedgerResponse::Unavailable(Unavailable::Busy)))
        }
        _ => Conduct::Honest,
    }
}

#[tokio::test]
async fn an_operator_that_makes_blocks_and_keeps_a_transaction_out_is_noticed_and_named() {
    let folder = TempDir::new().unwrap();
    let listen = "/ip4/127.0.0.1/tcp/0".parse().unwrap();
    let operator = Reachable::answering(config(&folder), listen, censor).await;
    let client = remote(&operator, &folder).await;
    within(client.submit(&issue(1, &key(1), 5_000)))
        .await
        .unwrap();
    assert_eq!(client.withheld(), []);
    let payment = transfer(2, &key(1), &key(2), 1_000);
    let ask = || async {
        let asked = within(client.submit_once(&payment)).await;
        client.note_answer(&payment, asked).unwrap_err()
    };
    let first = ask().await;
    assert!(matches!(first, LedgerError::Unavailable(_)), "{first}");
    assert_eq!(client.withheld(), []);
    let now = client.moment().unwrap();
    let later = Timestamp::from_millis(now.time.as_millis() + withheld::WITHHELD_MS);
    for (blocks, time) in [(withheld::WITHHELD_BLOCKS - 1, later), (1_000, now.time)] {
        // Few blocks in a long time, and many in a short one, are no sign.
        let moment = withheld::Moment {
            height: now.height + blocks,
            time,
        };
        let noted = client
            .seen()
            .unanswered
            .note(payment.id(&genesis().chain_id()), moment);
        assert_eq!(noted, None);
    }
    // As gossip does, which brings the blocks that are made.
    client
        .clock()
        .observe(now.height + withheld::WITHHELD_BLOCKS, later);
    let told = ask().await;
    let LedgerError::Withheld {
        id, since, height, ..
    } = &told
    else {
        panic!("{told}");
    };
    assert_eq!(*id, payment.id(&genesis().chain_id()));
    assert!(height - since >= withheld::WITHHELD_BLOCKS, "{told}");
    assert!(told.is_temporary(), "it is asked again");
    assert!(told.to_string().contains("keeps it out"), "{told}");
    assert_eq!(client.withheld(), [(*id, *since)]);
    // An answer ends it, also a refusal.
    let refused = Err(LedgerError::Rejected(Rejected::BlockFull));
    assert!(client.note_answer::<()>(&payment, refused).is_err());
    assert_eq!(client.withheld(), []);
    operator.kill().await;
}

#[tokio::test]
async fn while_the_operator_is_away_the_last_proved_balance_is_shown_with_its_age() {
    let folder = TempDir::new().unwrap();
    let operator = Reachable::start(&folder).await;
    let client = remote(&operator, &folder).await;
    within(client.submit(&issue(1, &key(1), 5_000)))
        .await
        .unwrap();
    let account = key(1).account();
    let fresh = within(client.account_or_last(account)).await.unwrap();
    assert!(fresh.stale.is_none());
    operator.kill().await;
    let time = client.clock().now().unwrap();
    let known = within(client.account_or_last(account)).await.unwrap();
    assert_eq!(known.balance, fresh.balance);
    let (age, why) = known.stale.unwrap();
    assert!(why.is_temporary(), "{why}");
    assert!(client.clock().now().unwrap() > time, "time goes on alone");
    assert!(age < Duration::from_secs(60), "{age:?}");
    // Nothing was ever asked about this one.
    let unknown = within(client.account_or_last(key(3).account())).await;
    assert!(unknown.is_err_and(|error| error.is_temporary()));
}

#[tokio::test]
async fn the_last_proved_balance_survives_a_restart_of_the_node() {
    let folder = TempDir::new().unwrap();
    let operator = Reachable::start(&folder).await;
    let client = remote(&operator, &folder).await;
    within(client.submit(&issue(1, &key(1), 5_000)))
        .await
        .unwrap();
    let account = key(1).account();
    let fresh = within(client.account(account)).await.unwrap();
    let store = client.shared.store.clone();
    let transport = client.shared.transport.clone();
    drop(client);
    operator.kill().await;
    let again = LedgerClient::open(transport, &genesis(), store, ProtocolClock::new())
        .await
        .unwrap();
    let known = within(again.account_or_last(account)).await.unwrap();
    assert_eq!(known.balance, fresh);
    assert!(known.stale.is_some());
}
