//! Honest nodes that look up, gossip, introduce themselves and ping a lot: nothing is held against them.

use super::fixture::TestNode;
use super::*;

/// How many unknown nodes are looked up, and how often the two meet again.
const LOOK_UPS: u8 = 40;
const MEETINGS: usize = 4;

/// Bytes of gossip messages, from none to a frame in many pieces.
const GOSSIP_BYTES: [usize; 6] = [0, 1, 200, 5_000, 20_000, 48_000];

/// Accepts gossip, and answers nothing else.
fn accept_gossip(mut inbound: InboundStream) {
    tokio::spawn(async move {
        while let Some(inbound) = inbound.recv().await {
            if let Inbound::Gossip { verdict, .. } = inbound {
                verdict.accept();
            }
        }
    });
}

async fn look_up_strangers(client: &Client) {
    for seed in 0..LOOK_UPS {
        let stranger = SecretKey::from_seed([seed + 100; 32]).node();
        let call = client.call_ledger(stranger, LedgerRequest::Status);
        assert!(within(call).await.is_err());
    }
}

async fn gossip(from: &Client, to: &mut TestNode) {
    for round in 0..20u8 {
        for bytes in GOSSIP_BYTES {
            let data = [vec![round; bytes], vec![round]].concat();
            while from.publish(Topic::Orders, data.clone()).await.is_err() {
                tokio::task::yield_now().await;
            }
            let arrived = to.wait_for(|inbound| match inbound {
                Inbound::Gossip { data, verdict, .. } => {
                    verdict.accept();
                    Some(data)
                }
                _ => None,
            });
            assert_eq!(arrived.await, data);
        }
    }
}

async fn wait_for_pings(client: &Client, count: usize) {
    within(async {
        let mut round_trips = std::collections::BTreeSet::new();
        while round_trips.len() < count {
            let peers = client.peers().await;
            round_trips.extend(peers.iter().filter_map(|peer| peer.round_trip));
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn honest_nodes_are_never_counted() {
    let mut server = node(1, &[]).await;
    let bootstrap = [server.address().await];
    let caller = node(2, &bootstrap).await;
    let third = node(3, &bootstrap).await;
    accept_gossip(third.inbound);
    server.wait_for_follower(caller.id()).await;
    look_up_strangers(&caller.client).await;
    gossip(&caller.client, &mut server).await;
    wait_for_pings(&server.client, 4).await;
    for _ in 0..MEETINGS {
        server.client.disconnect(caller.id()).await;
        server.wait_for_follower(caller.id()).await;
        look_up_strangers(&caller.client).await;
    }
    for client in [&server.client, &caller.client, &third.client] {
        let report = client.report().await.unwrap();
        assert!(report.refusals.is_empty(), "{:?}", report.refusals);
        assert!(report.shunned.is_empty());
    }
}
