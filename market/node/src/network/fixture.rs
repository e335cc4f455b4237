//! Owns what tests of real swarms are made of: nodes on the loopback interface, and waiting.
//!
//! Never sleeps: it waits for events, and a test fails where none comes in time.

use std::future::Future;
use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use market::keys::SecretKey;
use market::{ChainId, NodeId};

use super::{Client, Inbound, InboundStream, NetworkConfig, peer_of, start};

/// A node of a test.
pub(crate) struct TestNode {
    pub(crate) client: Client,
    pub(crate) inbound: InboundStream,
    pub(crate) key: SecretKey,
}

pub(crate) fn chain() -> ChainId {
    ChainId::from_bytes([9; 32])
}

/// Fails the test where `future` takes too long.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, future)
        .await
        .expect("it comes within 30 seconds")
}

pub(crate) fn config(seed: u8, bootstrap: &[Multiaddr]) -> NetworkConfig {
    NetworkConfig {
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse().unwrap()],
        bootstrap: bootstrap.to_vec(),
        ..NetworkConfig::new(SecretKey::from_seed([seed; 32]), chain())
    }
}

/// Starts a node from a configuration.
pub(crate) async fn start_node(config: NetworkConfig) -> TestNode {
    let key = config.key.clone();
    let (client, inbound, event_loop) = start(config).await.unwrap();
    tokio::spawn(event_loop.run());
    TestNode {
        client,
        inbound,
        key,
    }
}

/// Starts a node that listens.
pub(crate) async fn node(seed: u8, bootstrap: &[Multiaddr]) -> TestNode {
    start_node(config(seed, bootstrap)).await
}

/// Starts a node that nobody can dial.
pub(crate) async fn hidden_node(seed: u8, bootstrap: &[Multiaddr]) -> TestNode {
    let mut config = config(seed, bootstrap);
    config.listen.clear();
    start_node(config).await
}

impl TestNode {
    pub(crate) fn id(&self) -> NodeId {
        self.key.node()
    }

    /// Returns an address that others can use as bootstrap.
    pub(crate) async fn address(&self) -> Multiaddr {
        let address = self.client.listen_addresses().await.remove(0);
        address.with(Protocol::P2p(peer_of(self.id())))
    }

    /// Waits for the first inbound thing that `pick` takes; drops the ones before.
    pub(crate) async fn wait_for<T>(&mut self, mut pick: impl FnMut(Inbound) -> Option<T>) -> T {
        within(async {
            loop {
                let inbound = self.inbound.recv().await.expect("the event loop runs");
                if let Some(picked) = pick(inbound) {
                    return picked;
                }
            }
        })
        .await
    }

    /// Waits until a node is connected and follows this one's gossip.
    pub(crate) async fn wait_for_follower(&mut self, follower: NodeId) {
        self.wait_for(|inbound| match inbound {
            Inbound::Subscribed { node, .. } if node == follower => Some(()),
            _ => None,
        })
        .await;
    }
}
