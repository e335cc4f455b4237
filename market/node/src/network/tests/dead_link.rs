//! Links that die without a word, through a relay that stops carrying.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{LedgerRequest, NodeId, answer_ledger};
use crate::network::fixture::{TestNode, config, hidden_node, start_node};
use crate::network::{Client, Inbound, Multiaddr, Protocol, peer_of};

/// How long the issue gives a node to notice, with a margin for a busy machine.
const NOTICED_WITHIN: std::time::Duration = std::time::Duration::from_secs(20);

/// A relay that keeps its connections but may stop carrying their bytes.
struct Relay {
    address: SocketAddr,
    carries: Arc<watch::Sender<bool>>,
}

async fn copy(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut carries: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let may_go = carries.wait_for(|carries| *carries).await.is_ok();
        if !may_go || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

impl Relay {
    /// Carries what arrives at `listener` to `target`.
    fn on(listener: TcpListener, target: SocketAddr) -> Self {
        let address = listener.local_addr().unwrap();
        let (carries, carried) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(target).await else {
                    continue;
                };
                let ((near_in, near_out), (far_in, far_out)) =
                    (near.into_split(), far.into_split());
                tokio::spawn(copy(near_in, far_out, carried.clone()));
                tokio::spawn(copy(far_in, near_out, carried.clone()));
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

#[tokio::test]
async fn long_a_link_that_dies_silently_is_noticed_and_used_again_when_it_is_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    // The server is known by the relay's address alone.
    let mut behind = config(1, &[]);
    behind.advertise = vec![dialled(listener.local_addr().unwrap())];
    let server = start_node(behind).await;
    let target = SocketAddr::from(([127, 0, 0, 1], port_of(&server.address().await)));
    let relay = Relay::on(listener, target);
    // It cannot dial back, because the caller does not listen.
    let mut caller = hidden_node(2, &[relay.leads_to(server.id())]).await;
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
