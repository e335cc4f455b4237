//! Swarms that speak different versions.

use libp2p::StreamProtocol;

use super::raw::{Manner, RawPeer};
use super::{LedgerRequest, NodeId, answer_ledger};
use crate::lease_protocol::LeaseRequest;
use crate::network::fixture::{TestNode, config, node, start_node, within};
use crate::network::{CallError, Inbound, Offence, Spoken, VersionGap};

/// A node of the next version of the lease protocol.
async fn newer(seed: u8, bootstrap: &[libp2p::Multiaddr]) -> TestNode {
    let mut config = config(seed, bootstrap);
    config.versions = config.versions.with(Spoken::Lease, 2);
    start_node(config).await
}

fn lease_request() -> LeaseRequest {
    LeaseRequest::Progress {
        agreement: market::AgreementId::from_bytes([1; 32]),
        first: 0,
        reports: Vec::new(),
    }
}

/// Calls and returns the gap that stands in the way.
async fn gap(caller: &TestNode, other: NodeId) -> VersionGap {
    let call = caller.client.call_lease(other, lease_request());
    match within(call).await.unwrap_err() {
        CallError::Version(gap) => *gap,
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn both_sides_say_which_is_older_and_still_share_the_other_protocols() {
    let old = node(1, &[]).await;
    let new = newer(2, &[old.address().await]).await;
    let seen_by_new = gap(&new, old.id()).await;
    assert_eq!((seen_by_new.ours, seen_by_new.theirs), (2, 1));
    assert!(seen_by_new.to_string().contains("they must install"));
    let seen_by_old = gap(&old, new.id()).await;
    assert_eq!((seen_by_old.ours, seen_by_old.theirs), (1, 2));
    let words = seen_by_old.to_string();
    assert!(words.contains("is older than theirs"), "{words}");
    assert!(words.contains("install the newer release"), "{words}");
    for (node, seen) in [(&old, seen_by_old), (&new, seen_by_new)] {
        let report = node.client.report().await.unwrap();
        let introduction = report.peers[0].introduction.as_ref().unwrap();
        assert_eq!(introduction.gaps, [seen]);
        assert!(introduction.agent.starts_with("nightshift/"));
        assert!(report.refusals[&Offence::OtherVersion] >= 1);
    }
    let old_id = old.id();
    let _running = old.client.clone();
    answer_ledger(old.inbound);
    let call = new.client.call_ledger(old_id, LedgerRequest::Status);
    assert!(within(call).await.is_ok());
}

#[tokio::test]
async fn a_node_that_never_says_what_it_speaks_holds_no_caller() {
    let mut node = node(1, &[]).await;
    let address = node.address().await;
    // One does not know the protocol of introductions, the other takes the question and is silent.
    for protocol in ["/unknown/1", "/ipfs/id/1.0.0"] {
        let protocol = StreamProtocol::new(protocol);
        let mut mute = RawPeer::new(protocol, Manner::Listens, (node.id(), &address));
        let id = mute.id();
        mute.dial();
        let connected = node.wait_for(|inbound| {
            matches!(inbound, Inbound::Connected(node) if node == id).then_some(())
        });
        mute.run_while(connected).await;
        let call = node.client.call_lease(id, lease_request());
        let answer = mute.run_while(call).await;
        assert_eq!(answer.unwrap_err(), CallError::Unsupported);
    }
}

#[tokio::test]
async fn a_call_that_comes_before_the_introduction_hears_the_reason_too() {
    let old = node(1, &[]).await;
    let address = [old.address().await];
    for seed in 2..8 {
        // The call is what connects them, so it is on its way before anything was said.
        let new = newer(seed, &address).await;
        assert_eq!(gap(&new, old.id()).await.spoken, Spoken::Lease);
    }
}
