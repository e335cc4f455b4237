//! Links that die without a word, through a relay that stops carrying.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{InboundStream, LedgerRequest, NodeId, answer_ledger};
use crate::blobs::{BlobRequest, BlobResponse, RangeBytes};
use crate::network::fixture::{TestNode, config, hidden_node, start_node};
use crate::network::{Client, Inbound, Multiaddr, Protocol, peer_of};

/// How long the issue gives a node to notice, with a margin for a busy machine.
const NOTICED_WITHIN: std::time::Duration = std::time::Duration::from_secs(20);

/// What a relay carries at a time.
const BUFFER_BYTES: usize = 16 << 10;

/// A relay that keeps its connections but may stop carrying their bytes.
struct Relay {
    address: SocketAddr,
    carries: Arc<watch::Sender<bool>>,
}

/// How a relay carries what goes one way.
#[derive(Clone)]
struct Way {
    carries: watch::Receiver<bool>,
    /// How often a buffer is carried, where that is bounded.
    pace: Option<std::time::Duration>,
}

async fn copy(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut way: Way,
) {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut clock = way.pace.map(tokio::time::interval);
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if let Some(clock) = &mut clock {
            clock.tick().await;
        }
        let may_go = way.carries.wait_for(|carries| *carries).await.is_ok();
        if !may_go || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

impl Relay {
    /// Carries what arrives at `listener` to `target`, and back at most a buffer every `pace`.
    fn on(listener: TcpListener, target: SocketAddr, pace: Option<std::time::Duration>) -> Self {
        let address = listener.local_addr().unwrap();
        let (carries, carried) = watch::channel(true);
        let there = Way {
            carries: carried,
            pace: None,
        };
        let back = Way {
            pace,
            ..there.clone()
        };
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(target).await else {
                    continue;
                };
                let ((near_in, near_out), (far_in, far_out)) =
                    (near.into_split(), far.into_split());
                tokio::spawn(copy(near_in, far_out, there.clone()));
                tokio::spawn(copy(far_in, near_out, back.clone()));
            }
        });
        Self {
            address,
            carries: Arc::new(carries),
        }
    }

    /// Returns where the node behind it is reached through it.
    fn leads_to(&self, node: NodeId) -> Multiaddr {
        dialled(self.address).with(Protocol::P2p(peer_of(node)))
    }
}

fn dialled(address: SocketAddr) -> Multiaddr {
    format!("/ip4/127.0.0.1/tcp/{}", address.port())
        .parse()
        .unwrap()
}

fn port_of(address: &Multiaddr) -> u16 {
    let port = |part| match part {
        Protocol::Tcp(port) => Some(port),
        _ => None,
    };
    address.iter().find_map(port).unwrap()
}

/// Waits until a node sees the other come or go.
async fn sees(node: &mut TestNode, wanted: impl Fn(&Inbound) -> bool) {
    let seen = async {
        loop {
            let inbound = node.inbound.recv().await.expect("the event loop runs");
            if wanted(&inbound) {
                return;
            }
        }
    };
    tokio::time::timeout(NOTICED_WITHIN, seen)
        .await
        .expect("it is noticed in time");
}

async fn answers(client: &Client, node: NodeId) -> bool {
    client
        .call_ledger(node, LedgerRequest::Status)
        .await
        .is_ok()
}

/// A node behind a relay, and a caller that knows it by the relay's address alone.
async fn relayed(pace: Option<std::time::Duration>) -> (Relay, TestNode, TestNode) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut behind = config(1, &[]);
    behind.advertise = vec![dialled(listener.local_addr().unwrap())];
    let server = start_node(behind).await;
    let target = SocketAddr::from(([127, 0, 0, 1], port_of(&server.address().await)));
    let relay = Relay::on(listener, target, pace);
    // It cannot be dialled back, because the caller does not listen.
    let caller = hidden_node(2, &[relay.leads_to(server.id())]).await;
    (relay, server, caller)
}

/// Answers every request for a part of a blob with a mebibyte.
fn answer_blobs(mut inbound: InboundStream) {
    tokio::spawn(async move {
        while let Some(inbound) = inbound.recv().await {
            if let Inbound::Blob { reply, .. } = inbound {
                reply.send(BlobResponse::Range(RangeBytes(vec![7; 1 << 20])));
            }
        }
    });
}

#[tokio::test]
async fn long_a_slow_uplink_carries_its_parts_over_one_connection() {
    // 160 KiB a second: the four parts take 26 s, and the answers to pings wait behind them.
    let (_relay, server, mut caller) = relayed(Some(std::time::Duration::from_millis(100))).await;
    let (id, _running) = (server.id(), server.client.clone());
    answer_blobs(server.inbound);
    let request = || BlobRequest::Range {
        hash: market::BlobHash::of(b""),
        start: 0,
        length: 1 << 20,
    };
    let calls = (0..4).map(|_| caller.client.call_blob(id, request()));
    let parts = futures::future::try_join_all(calls);
    let parts = tokio::time::timeout(std::time::Duration::from_secs(58), parts).await;
    assert_eq!(parts.unwrap().unwrap().len(), 4);
    let mut connections = 0;
    while let Some(Some(inbound)) = caller.inbound.recv().now_or_never() {
        assert!(!matches!(inbound, Inbound::Disconnected(_)));
        connections += u32::from(matches!(inbound, Inbound::Connected(_)));
    }
    assert_eq!(connections, 1);
}

#[tokio::test]
async fn long_a_link_that_dies_silently_is_noticed_and_used_again_when_it_is_back() {
    let (relay, server, mut caller) = relayed(None).await;
    let (id, _running) = (server.id(), server.client.clone());
    answer_ledger(server.inbound);
    sees(&mut caller, |inbound| {
        matches!(inbound, Inbound::Connected(_))
    })
    .await;
    assert!(answers(&caller.client, id).await);
    relay.carries.send_replace(false);
    sees(&mut caller, |inbound| {
        matches!(inbound, Inbound::Disconnected(_))
    })
    .await;
    assert!(!answers(&caller.client, id).await, "the link is still dead");
    relay.carries.send_replace(true);
    sees(&mut caller, |inbound| {
        matches!(inbound, Inbound::Connected(_))
    })
    .await;
    assert!(answers(&caller.client, id).await);
}
