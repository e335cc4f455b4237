//! Owns an operator that other nodes reach over real swarms, and clients on nodes of their own.
//!
//! Never used outside tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{Running, config, genesis, key};
use crate::clock::ProtocolClock;
use crate::ledger::client::Transport;
use crate::ledger::protocol::{LedgerRequest, LedgerResponse};
use crate::ledger::{LedgerClient, OperatorConfig};
use crate::network::{Client, Inbound, Multiaddr, NetworkConfig, Protocol, peer_of, start};
use crate::store::NodeStore;

/// What an operator does with a request.
pub(crate) enum Conduct {
    /// Answers as an operator does.
    Honest,
    /// Answers in another way.
    Other(Box<LedgerResponse>),
    /// Closes the stream without an answer.
    Closes,
}

/// An operator that other nodes reach.
pub(crate) struct Reachable {
    pub(crate) running: Running,
    address: Multiaddr,
    closed: Arc<AtomicU32>,
    tasks: [JoinHandle<()>; 2],
    _network: Client,
}

impl Reachable {
    pub(crate) async fn at(folder: &TempDir, listen: Multiaddr) -> Self {
        Self::answering(config(folder), listen, |_| Conduct::Honest).await
    }

    /// Knows no question for trades.
    pub(crate) async fn without_trades(config: OperatorConfig, listen: Multiaddr) -> Self {
        Self::answering(config, listen, |request| match request {
            LedgerRequest::Trades(_) => Conduct::Closes,
            _ => Conduct::Honest,
        })
        .await
    }

    /// Returns how many requests it closed without an answer.
    pub(crate) fn closed(&self) -> u32 {
        self.closed.load(Ordering::Relaxed)
    }

    /// Does with each request what `conduct` says.
    pub(crate) async fn answering(
        config: OperatorConfig,
        listen: Multiaddr,
        conduct: fn(&LedgerRequest) -> Conduct,
    ) -> Self {
        let running = Running::start(config);
        let network = NetworkConfig {
            listen: vec![listen],
            ..NetworkConfig::new(key(200), genesis().chain_id())
        };
        let (client, mut inbound, event_loop) = start(network).await.unwrap();
        let event_loop = tokio::spawn(event_loop.run());
        let address = client.listen_addresses().await.remove(0);
        let handle = running.handle.clone();
        let closed = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&closed);
        let answering = tokio::spawn(async move {
            while let Some(inbound) = inbound.recv().await {
                let Inbound::Ledger { request, reply, .. } = inbound else {
                    continue;
                };
                match conduct(&request) {
                    Conduct::Honest => {
                        let handle = handle.clone();
                        tokio::spawn(async move { reply.send(handle.answer(request).await) });
                    }
                    Conduct::Other(answer) => reply.send(*answer),
                    Conduct::Closes => {
                        counted.fetch_add(1, Ordering::Relaxed);
                        drop(reply);
                    }
                }
            }
        });
        Self {
            running,
            address,
            closed,
            tasks: [answering, event_loop],
            _network: client,
        }
    }

    pub(crate) async fn start(folder: &TempDir) -> Self {
        Self::at(folder, "/ip4/127.0.0.1/tcp/0".parse().unwrap()).await
    }

    /// Ends it as a kill would; returns where it was.
    pub(crate) async fn kill(self) -> Multiaddr {
        for task in self.tasks {
            task.abort();
            let _cancelled = task.await;
        }
        self.running.kill().await;
        self.address
    }
}

/// A client on a node of its own.
pub(crate) async fn remote(operator: &Reachable, folder: &TempDir) -> LedgerClient {
    remote_of(operator.address.clone(), folder).await
}

/// A client on a node of its own, that looks for its operator at `address`.
pub(crate) async fn remote_of(address: Multiaddr, folder: &TempDir) -> LedgerClient {
    let peer = peer_of(key(200).node());
    let network = NetworkConfig {
        bootstrap: vec![address.with(Protocol::P2p(peer))],
        ..NetworkConfig::new(key(9), genesis().chain_id())
    };
    let (client, _inbound, event_loop) = start(network).await.unwrap();
    tokio::spawn(event_loop.run());
    let (store, _) = NodeStore::open(&folder.path().join("node"), &genesis().chain_id()).unwrap();
    let transport = Transport::Remote(client);
    LedgerClient::open(transport, &genesis(), store, ProtocolClock::new())
        .await
        .unwrap()
}
