//! The client: it returns what is proved, and stops at what contradicts itself.

mod away;
mod successors;

use market::ledger::{CertifiedHeader, ChannelState, Operation, Rejected};
use market::voucher::Voucher;
use market::wire::Signed;
use tempfile::TempDir;

use super::*;
use crate::ledger::testing::{Running, config, genesis, issue, key, nano, signed, terms, transfer};

async fn client_of(running: &Running, folder: &TempDir) -> Result<LedgerClient, LedgerError> {
    let (store, _) = NodeStore::open(&folder.path().join("node"), &genesis().chain_id()).unwrap();
    LedgerClient::open(
        Transport::Local(running.handle.clone()),
        &genesis(),
        store,
        ProtocolClock::new(),
    )
    .await
}

/// A running operator, a client of it, and 3,000,000 nanocredits in the account of key 1.
async fn funded(folder: &TempDir) -> (Running, LedgerClient) {
    let running = Running::start(config(folder));
    let client = client_of(&running, folder).await.unwrap();
    client.submit(&issue(1, &key(1), 3_000_000)).await.unwrap();
    (running, client)
}

#[tokio::test]
async fn a_channel_is_opened_paid_and_closed_with_proofs_at_each_step() {
    let folder = TempDir::new().unwrap();
    let (_running, client) = funded(&folder).await;
    let terms = terms(&key(1), &key(2));
    let id = terms.channel_id(&genesis().chain_id());
    assert!(client.channel(id).await.unwrap().is_none());
    let open = signed(2, Operation::Open { terms }, &[&key(1), &key(2)]);
    client.submit(&open).await.unwrap();
    let channel = client.channel(id).await.unwrap().unwrap();
    assert_eq!(channel.record.state, ChannelState::Open);
    assert!(channel.age < Duration::from_secs(30));
    let payer = client.account(key(1).account()).await.unwrap();
    assert_eq!(payer.available, nano(3_000_000 - 1_000_000 - 2_000));
    assert_eq!(payer.in_channels, channel.record.balance);
    assert_eq!(payer.channels, [channel.record]);

    let voucher = Voucher {
        channel: id,
        sequence: 1,
        cumulative: nano(400_000),
        meter_hash: [0; 32],
    };
    let voucher = Some(Signed::sign(&voucher, &key(1), &genesis().chain_id()));
    let close = Operation::CoopClose {
        channel: id,
        voucher,
    };
    let close = signed(3, close, &[&key(2)]);
    let proof = client.submit(&close).await.unwrap();
    assert_eq!(
        client.verify_final(&proof).await.unwrap().fee,
        nano(4_000 - 10)
    );
    let payee = client.account(key(2).account()).await.unwrap();
    assert_eq!(payee.available, nano(400_000 - 4_000));
    assert!(payee.channels.is_empty());
    let status = client.status().await.unwrap();
    assert!(status.audit.supply_conserved);
}

#[tokio::test]
async fn every_answer_moves_the_protocol_clock() {
    let folder = TempDir::new().unwrap();
    let (running, client) = funded(&folder).await;
    let head = running.handle.head();
    client.observe(&head).await.unwrap();
    assert_eq!(client.clock().height(), Some(head.header.height));
    assert!(client.clock().now() >= Some(head.header.time));
    assert_eq!(client.newest_header(), Some(head));
}

#[tokio::test]
async fn an_account_without_money_is_empty_and_a_refusal_is_typed() {
    let folder = TempDir::new().unwrap();
    let (_running, client) = funded(&folder).await;
    let nobody = client.account(key(7).account()).await.unwrap();
    assert_eq!(
        (nobody.available, nobody.in_channels),
        (Amount::ZERO, Amount::ZERO)
    );
    assert!(matches!(
        client.submit(&transfer(5, &key(7), &key(2), 10)).await,
        Err(LedgerError::Rejected(Rejected::Insufficient { .. }))
    ));
}

#[tokio::test]
async fn a_header_by_a_stranger_is_refused_and_moves_nothing() {
    let folder = TempDir::new().unwrap();
    let (running, client) = funded(&folder).await;
    let before = client.clock().height();
    let mut header = running.handle.head().header;
    header.height += 100;
    let forged = CertifiedHeader::sign(header, &key(9));
    assert!(matches!(
        client.observe(&forged).await,
        Err(LedgerError::Proof(_))
    ));
    assert_eq!(client.clock().height(), before);
}

#[tokio::test]
async fn two_headers_at_one_height_stop_the_client_for_good() {
    let folder = TempDir::new().unwrap();
    let (running, client) = funded(&folder).await;
    let head = running.handle.head();
    client.observe(&head).await.unwrap();
    let mut header = head.header.clone();
    header.time = Timestamp::from_millis(header.time.as_millis() + 1);
    let second = CertifiedHeader::sign(header, &key(200));
    let shown = client.observe(&second).await;
    assert!(
        matches!(shown, Err(LedgerError::Equivocation { .. })),
        "{shown:?}"
    );
    assert!(matches!(
        client.status().await,
        Err(LedgerError::Equivocation { .. })
    ));
    drop(client);
    match client_of(&running, &folder).await {
        Err(LedgerError::Equivocation { proof }) => proof.verify(&trusted()).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn trusted() -> TrustedSet {
    TrustedSet::genesis(&genesis())
}

#[tokio::test]
async fn a_header_that_does_not_link_to_the_chain_is_refused() {
    let folder = TempDir::new().unwrap();
    let (running, client) = funded(&folder).await;
    let head = running.handle.head();
    client.observe(&head).await.unwrap();
    let mut header = head.header.clone();
    header.height += 1;
    let off_chain = CertifiedHeader::sign(header, &key(200));
    assert!(matches!(
        client.observe(&off_chain).await,
        Err(LedgerError::OffChain { .. })
    ));
    client.status().await.unwrap();
}

#[tokio::test]
async fn a_trusted_set_of_an_abandoned_market_does_not_bind_a_new_one() {
    let folder = TempDir::new().unwrap();
    let (store, _) = NodeStore::open(&folder.path().join("node"), &genesis().chain_id()).unwrap();
    let mut other = TrustedSet::genesis(&genesis());
    other.chain = ChainId::from_bytes([8; 32]);
    other.height = 99;
    store.put_trusted_set(other).await.unwrap();
    drop(store);
    let running = Running::start(config(&folder));
    let client = client_of(&running, &folder).await.unwrap();
    assert_eq!(client.trusted(), trusted());
}
