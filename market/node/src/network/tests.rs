//! Real swarms on the loopback interface: calls, look-ups, gossip, hostile bytes.

mod dead_link;
mod honest;
mod hostile;
mod raw;
mod versions;

use libp2p::Multiaddr;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use market::NodeId;
use market::keys::SecretKey;

use super::fixture::{config, hidden_node, node, start_node, within};
use super::identity::keypair;
use super::*;
use crate::ledger::protocol::{LedgerRequest, LedgerResponse, Unavailable};

fn not_operator() -> LedgerResponse {
    LedgerResponse::Unavailable(Unavailable::NotOperator)
}

/// Answers every ledger request of a node with "not an operator", for as long as it lives.
fn answer_ledger(mut inbound: InboundStream) {
    tokio::spawn(async move {
        while let Some(inbound) = inbound.recv().await {
            if let Inbound::Ledger { reply, .. } = inbound {
                reply.send(not_operator());
            }
        }
    });
}

#[test]
fn node_ids_and_peer_ids_convert_both_ways() {
    let key = SecretKey::from_seed([7; 32]);
    let peer = keypair(&key).public().to_peer_id();
    assert_eq!(peer_of(key.node()), peer);
    assert_eq!(node_of(&peer), Some(key.node()));
    let theirs = Keypair::generate_ed25519().public().to_peer_id();
    assert_eq!(node_of(&theirs).map(peer_of), Some(theirs));
    assert_eq!(node_of(&PeerId::random()), None);
}

#[tokio::test]
async fn a_call_reaches_the_other_node_and_names_the_caller() {
    let mut server = node(1, &[]).await;
    let caller = node(2, &[server.address().await]).await;
    let call = caller
        .client
        .call_ledger(server.id(), LedgerRequest::Header(77));
    let serve = server.wait_for(|inbound| match inbound {
        Inbound::Ledger {
            from,
            request: LedgerRequest::Header(height),
            reply,
        } => {
            reply.send(LedgerResponse::Absent { height });
            Some(from)
        }
        _ => None,
    });
    let (answer, from) = within(async { tokio::join!(call, serve) }).await;
    assert!(matches!(answer, Ok(LedgerResponse::Absent { height: 77 })));
    assert_eq!(from, caller.id());
    let peers = caller.client.peers().await;
    assert_eq!(peers.len(), 1);
    assert_eq!(peers[0].node, server.id());
}

#[tokio::test]
async fn a_dropped_reply_closes_the_call() {
    let mut server = node(1, &[]).await;
    let caller = node(2, &[server.address().await]).await;
    let call = caller
        .client
        .call_ledger(server.id(), LedgerRequest::Status);
    let refuse = server.wait_for(|inbound| matches!(inbound, Inbound::Ledger { .. }).then_some(()));
    let (answer, ()) = within(async { tokio::join!(call, refuse) }).await;
    assert_eq!(answer.unwrap_err(), CallError::Closed);
    // To be busy is no offence, however often.
    for _ in 0..20 {
        let call = caller
            .client
            .call_ledger(server.id(), LedgerRequest::Status);
        let refuse =
            server.wait_for(|inbound| matches!(inbound, Inbound::Ledger { .. }).then_some(()));
        let (answer, ()) = within(async { tokio::join!(call, refuse) }).await;
        assert_eq!(answer.unwrap_err(), CallError::Closed);
    }
    let report = caller.client.report().await.unwrap();
    assert!(report.refusals.is_empty(), "{:?}", report.refusals);
}

#[tokio::test]
async fn a_node_is_found_through_a_third() {
    let third = node(1, &[]).await;
    let bootstrap = [third.address().await];
    let wanted = node(2, &bootstrap).await;
    let caller = node(3, &bootstrap).await;
    let wanted_id = wanted.id();
    answer_ledger(wanted.inbound);
    // Until the third node has heard of the wanted one, nobody knows its address.
    let answer = within(async {
        loop {
            match caller
                .client
                .call_ledger(wanted_id, LedgerRequest::Status)
                .await
            {
                Err(CallError::NotFound) => tokio::task::yield_now().await,
                answer => return answer,
            }
        }
    })
    .await;
    assert!(matches!(answer, Ok(LedgerResponse::Unavailable(_))));
    // Its network ends with its last client; where it was met, nothing listens any more.
    drop(wanted.client);
    let error = within(async {
        loop {
            let call = caller.client.call_ledger(wanted_id, LedgerRequest::Status);
            match call.await {
                Ok(_) | Err(CallError::Closed) => tokio::task::yield_now().await,
                Err(error) => return error,
            }
        }
    })
    .await;
    assert!(matches!(error, CallError::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn a_node_that_nobody_knows_is_not_found() {
    let mut third = node(1, &[]).await;
    let caller = node(2, &[third.address().await]).await;
    third.wait_for_follower(caller.id()).await;
    let stranger = SecretKey::from_seed([200; 32]).node();
    let call = caller.client.call_ledger(stranger, LedgerRequest::Status);
    assert_eq!(within(call).await.unwrap_err(), CallError::NotFound);
}

#[tokio::test]
async fn a_node_whose_addresses_all_refuse_is_known_to_be_gone() {
    let gone = SecretKey::from_seed([200; 32]).node();
    let closed_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed_port.local_addr().unwrap().port();
    drop(closed_port);
    let address: Multiaddr = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
    let caller = node(2, &[address.with(Protocol::P2p(peer_of(gone)))]).await;
    let call = caller.client.call_ledger(gone, LedgerRequest::Status);
    let error = within(call).await.unwrap_err();
    assert!(matches!(error, CallError::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn a_node_does_not_call_itself() {
    let only = node(1, &[]).await;
    let call = only.client.call_ledger(only.id(), LedgerRequest::Status);
    assert_eq!(within(call).await.unwrap_err(), CallError::ToItself);
}

#[tokio::test]
async fn a_lost_bootstrap_node_is_dialled_again() {
    let mut server = node(1, &[]).await;
    let client = node(2, &[server.address().await]).await;
    let connected =
        |node| move |inbound| matches!(inbound, Inbound::Connected(id) if id == node).then_some(());
    server.wait_for(connected(client.id())).await;
    server.client.disconnect(client.id()).await;
    server.wait_for(connected(client.id())).await;
}

#[tokio::test]
async fn a_node_of_another_market_is_disconnected() {
    let mut server = node(1, &[]).await;
    let mut config = config(2, &[server.address().await]);
    config.chain = market::ChainId::from_bytes([10; 32]);
    let stranger = start_node(config).await;
    let stranger_id = stranger.id();
    server
        .wait_for(|inbound| {
            matches!(inbound, Inbound::Disconnected(node) if node == stranger_id).then_some(())
        })
        .await;
}

#[tokio::test]
async fn only_what_is_advertised_is_told_to_others() {
    let operator = node(1, &[]).await;
    let bootstrap = [operator.address().await];
    let mut forwarded = config(2, &bootstrap);
    let closed_port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed_port.local_addr().unwrap().port();
    drop(closed_port);
    forwarded.advertise = vec![format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap()];
    let forwarded = start_node(forwarded).await;
    let reachable = forwarded.client.reachable_addresses().await;
    assert_eq!(reachable.len(), 1);
    assert!(
        !forwarded
            .client
            .listen_addresses()
            .await
            .contains(&reachable[0])
    );
    // Behind the port nobody forwards: a third node tries that address alone.
    let caller = hidden_node(3, &bootstrap).await;
    let error = within(async {
        loop {
            let call = caller
                .client
                .call_ledger(forwarded.id(), LedgerRequest::Status);
            match call.await.unwrap_err() {
                CallError::NotFound => tokio::task::yield_now().await,
                error => return error,
            }
        }
    })
    .await;
    // A refusal where the node never was proves nothing.
    assert!(
        matches!(&error, CallError::Unreachable(reason) if reason.contains(&port.to_string())),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_advertised_address_that_nobody_can_dial_is_refused() {
    for bad in [
        "/ip4/0.0.0.0/tcp/1",
        "/ip4/127.0.0.1/tcp/0",
        "/ip4/127.0.0.1",
    ] {
        let mut config = config(1, &[]);
        config.advertise = vec![bad.parse().unwrap()];
        assert!(
            matches!(start(config).await, Err(StartError::Advertise(_))),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_bootstrap_address_without_a_peer_is_refused() {
    let address: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    let result = start(config(1, std::slice::from_ref(&address))).await;
    assert!(matches!(result, Err(StartError::BootstrapWithoutPeer(bad)) if bad == address));
}

/// Waits for a gossip message and judges it.
async fn judge(node: &mut fixture::TestNode, judgement: Judgement) -> (NodeId, Vec<u8>) {
    node.wait_for(|inbound| match inbound {
        Inbound::Gossip {
            topic: Topic::Orders,
            from,
            data,
            verdict,
        } => {
            verdict.give(judgement);
            Some((from, data))
        }
        _ => None,
    })
    .await
}

#[tokio::test]
async fn gossip_is_passed_on_only_when_accepted() {
    let mut middle = node(1, &[]).await;
    let bootstrap = [middle.address().await];
    // Neither listens, so the two only ever meet through the one in the middle.
    let author = hidden_node(2, &bootstrap).await;
    middle.wait_for_follower(author.id()).await;
    let mut reader = hidden_node(3, &bootstrap).await;
    middle.wait_for_follower(reader.id()).await;
    reader.wait_for_follower(middle.id()).await;
    for (text, judgement) in [
        ("bad", Judgement::Reject),
        ("old", Judgement::Ignore),
        ("new", Judgement::Accept),
    ] {
        publish_when_followed(&author.client, text).await;
        let (from, data) = judge(&mut middle, judgement).await;
        assert_eq!((from, data.as_slice()), (author.id(), text.as_bytes()));
    }
    let (from, data) = judge(&mut reader, Judgement::Accept).await;
    assert_eq!((from, data), (middle.id(), b"new".to_vec()));
}

/// Publishes, once somebody follows.
async fn publish_when_followed(client: &Client, text: &str) {
    within(async {
        while client.publish(Topic::Orders, text.into()).await == Err(PublishError::NoPeers) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn gossip_needs_followers_and_a_size_within_the_limit() {
    let lonely = node(1, &[]).await;
    let publish = |bytes| lonely.client.publish(Topic::Headers, vec![1; bytes]);
    assert_eq!(publish(10).await, Err(PublishError::NoPeers));
    let too_large = MAX_GOSSIP_BYTES + 1;
    assert_eq!(
        publish(too_large).await,
        Err(PublishError::TooLarge(too_large))
    );
}
