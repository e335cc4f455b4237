//! The client follows the operators when they change, and never goes back.

use std::fs;

use market::ledger::ProofError;

use super::*;
use crate::ledger::protocol::Unavailable;
use crate::ledger::testing::hand_over;
use crate::store::StoreError;

/// Hands over to the key of `seed`, which is handed in while the operator runs.
async fn rotate(running: &Running, seed: u8) -> FinalityProof {
    let nonce = u64::from(seed) + 1_000;
    running.handle.hand_over(key(seed), nonce).await.unwrap()
}

/// A header at `height` on top of nothing, as the owner of `seed` would sign it.
fn signed_by(header: &CertifiedHeader, seed: u8) -> CertifiedHeader {
    CertifiedHeader::sign(header.header.clone(), &key(seed))
}

async fn store_of(folder: &TempDir) -> NodeStore {
    let (store, _) = NodeStore::open(&folder.path().join("node"), &genesis().chain_id()).unwrap();
    store
}

#[tokio::test]
async fn a_client_goes_on_over_a_change_and_keeps_whom_it_trusts() {
    let folder = TempDir::new().unwrap();
    let (running, client) = funded(&folder).await;
    assert_eq!(client.trusted(), trusted());
    let change = rotate(&running, 210).await;
    let height = change.certified.header.height;
    client
        .submit(&transfer(2, &key(1), &key(2), 1_000))
        .await
        .unwrap();
    let expected = TrustedSet {
        chain: genesis().chain_id(),
        height: height + 1,
        operators: vec![key(210).node()],
    };
    assert_eq!(client.trusted(), expected);
    let payee = client.account(key(2).account()).await.unwrap();
    assert_eq!(payee.available, nano(1_000));
    let store = client.shared.store.clone();
    assert_eq!(store.trusted_set().unwrap(), Some(expected.clone()));
    drop((client, store));
    let again = client_of(&running, &folder).await.unwrap();
    assert_eq!(again.trusted(), expected, "after a restart as well");
    again.status().await.unwrap();
}

#[tokio::test]
async fn a_client_that_was_away_over_several_changes_catches_up() {
    let folder = TempDir::new().unwrap();
    let (running, client) = funded(&folder).await;
    let seeds = 1..=(crate::ledger::protocol::MAX_EPOCHS as u8 + 3);
    for seed in seeds.clone() {
        rotate(&running, seed).await;
    }
    running.handle.submit(issue(7, &key(1), 5)).await.unwrap();
    let head = running.handle.head();
    client.observe(&head).await.expect("over two pages at once");
    assert_eq!(client.trusted().operators, [key(*seeds.end()).node()]);
    assert_eq!(
        client.trusted(),
        client.shared.store.trusted_set().unwrap().unwrap()
    );
}

#[tokio::test]
async fn gossip_is_enough_to_follow_and_a_stranger_moves_nothing() {
    let folder = TempDir::new().unwrap();
    let (running, client) = funded(&folder).await;
    rotate(&running, 210).await;
    running.handle.submit(issue(9, &key(1), 7)).await.unwrap();
    let head = running.handle.head();
    let forged = client.hear(&signed_by(&head, 9)).await;
    assert!(matches!(
        forged,
        Err(LedgerError::Proof(
            ProofError::BeforeTrusted { .. }
                | ProofError::OtherOperators { .. }
                | ProofError::BadPrecommit { .. }
        ))
    ));
    client.hear(&head).await.unwrap();
    assert_eq!(client.trusted().operators, [key(210).node()]);
    assert_eq!(client.newest_header(), Some(head));
}

#[tokio::test]
async fn an_old_key_convinces_nobody_who_has_moved_on() {
    let folder = TempDir::new().unwrap();
    let (running, client) = funded(&folder).await;
    let old = running.handle.head();
    client.observe(&old).await.unwrap();
    rotate(&running, 210).await;
    client.submit(&issue(2, &key(1), 7)).await.unwrap();
    let before = (client.trusted(), client.newest_header());
    // The old operator goes on as if nothing had happened.
    let mut ahead = old.clone();
    ahead.header.height += 1_000;
    let refused = client.hear(&signed_by(&ahead, 200)).await;
    assert!(
        matches!(
            refused,
            Err(LedgerError::Proof(ProofError::OtherOperators { .. }))
        ),
        "{refused:?}"
    );
    // What it had signed in its time is the word of a key that others may have now.
    let late = client.observe(&old).await.unwrap_err();
    assert!(
        matches!(late, LedgerError::Proof(ProofError::BeforeTrusted { .. })),
        "{late}"
    );
    assert!(late.is_temporary(), "nobody is blamed for being late");
    assert_eq!((client.trusted(), client.newest_header()), before);
}

#[tokio::test]
async fn a_second_header_by_a_retired_key_is_reported_and_stops_nobody() {
    let folder = TempDir::new().unwrap();
    let (running, client) = funded(&folder).await;
    let old = running.handle.head();
    client.observe(&old).await.unwrap();
    rotate(&running, 210).await;
    client.submit(&issue(2, &key(1), 7)).await.unwrap();
    let mut second = old.clone();
    second.header.uptime_ms += 1;
    let second = signed_by(&second, 200);
    match client.hear(&second).await {
        Err(LedgerError::RetiredKey { proof }) => {
            proof.verify(&trusted()).unwrap();
            assert_eq!((proof.first, proof.second), (old, second));
        }
        other => panic!("{other:?}"),
    }
    let kept = client
        .shared
        .store
        .record(RecordKind::Setting, b"equivocation:retired")
        .unwrap();
    assert!(kept.is_some());
    client.status().await.unwrap();
    drop(client);
    let again = client_of(&running, &folder).await.unwrap();
    again.status().await.unwrap();
}

#[tokio::test]
async fn an_operator_that_also_signs_a_block_without_the_change_is_convicted() {
    let folder = TempDir::new().unwrap();
    let (running, client) = funded(&folder).await;
    let change = rotate(&running, 210).await;
    // At the height of the change, the old key signs another block, and this client sees it first.
    let mut fork = change.certified.clone();
    fork.header.next_validators_hash = fork.header.validators_hash;
    let fork = signed_by(&fork, 200);
    client.observe(&fork).await.unwrap();
    let shown = client.submit(&issue(2, &key(1), 7)).await;
    assert!(
        matches!(shown, Err(LedgerError::Equivocation { .. })),
        "{shown:?}"
    );
    assert_eq!(client.trusted(), trusted(), "it follows neither");
    drop(client);
    let again = client_of(&running, &folder).await;
    assert!(matches!(again, Err(LedgerError::Equivocation { .. })));
}

#[tokio::test]
async fn what_was_final_before_a_change_is_proved_again_by_the_operators_after_it() {
    let folder = TempDir::new().unwrap();
    let (running, client) = funded(&folder).await;
    let payment = transfer(2, &key(1), &key(2), 1_000);
    let first = client.submit(&payment).await.unwrap();
    rotate(&running, 210).await;
    client.submit(&issue(3, &key(1), 7)).await.unwrap();
    // Its own copy is by the old key; the operator is asked and says the same.
    let receipt = client.verify_final(&first).await.unwrap().clone();
    assert_eq!(receipt, first.receipt);
    let again = client.submit(&payment).await.unwrap();
    assert_eq!(again.certified.header, first.certified.header);
    assert_ne!(again.certified.certificate, first.certified.certificate);
    again.verify(&client.trusted()).unwrap();
    let height = first.certified.header.height;
    let header = client.header(height).await.unwrap().unwrap();
    assert_eq!(header.header, first.certified.header);
    let mut forged = first.clone();
    forged.receipt.fee = nano(1);
    assert!(client.verify_final(&forged).await.is_err());
}

#[tokio::test]
async fn a_client_that_has_moved_on_is_not_led_back_by_a_store_or_an_operator_of_before() {
    let folder = TempDir::new().unwrap();
    let (running, client) = funded(&folder).await;
    let copy = folder.path().join("copy");
    rotate(&running, 210).await;
    client.submit(&issue(2, &key(1), 7)).await.unwrap();
    let moved = client.trusted();
    let store = client.shared.store.clone();
    let back = store.put_trusted_set(trusted()).await;
    assert!(
        matches!(back, Err(StoreError::TrustGoesBack { .. })),
        "{back:?}"
    );
    drop((client, store));
    running.kill().await;
    // Who has only the old key makes a market of its own out of the same genesis.
    fs::create_dir_all(&copy).unwrap();
    let fork = TempDir::new_in(&copy).unwrap();
    let fork = Running::start(config(&fork));
    let client = client_of(&fork, &folder).await.unwrap();
    let refused = client.status().await.unwrap_err();
    assert!(matches!(refused, LedgerError::Proof(_)), "{refused}");
    assert_eq!(client.trusted(), moved);
    drop(client);
    assert_eq!(store_of(&folder).await.trusted_set().unwrap(), Some(moved));
}

#[tokio::test]
async fn a_change_that_would_stop_the_market_is_not_looked_at() {
    let folder = TempDir::new().unwrap();
    let (_running, client) = funded(&folder).await;
    let stranger = hand_over(5, &key(66), &[&key(200), &key(66)]);
    let answer = client
        .ask(LedgerRequest::Submit(Box::new(stranger)))
        .await
        .unwrap_err();
    assert!(matches!(
        answer,
        LedgerError::Unavailable(Unavailable::NoKey)
    ));
    client.status().await.unwrap();
}
