//! Owns how the network of a node comes up: configuration, transport, listeners.
//!
//! Never runs it; the caller spawns the event loop.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use libp2p::core::transport::ListenerId;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::{Swarm, SwarmEvent};
use libp2p::{Multiaddr, SwarmBuilder, Transport, TransportError, noise, tcp};
use market::ChainId;
use market::keys::SecretKey;

use super::address::{can_be_dialled, without_peer};
use super::answers::Answers;
use super::behaviour::{Behaviour, Names, Reach};
use super::bootstrap::Bootstrap;
use super::client::Client;
use super::event_loop::{Callers, EventLoop};
use super::identity::keypair;
use super::inbound::{self, InboundStream};
use super::muxer;
use super::offences::{Counts, Offenders};
use super::peers::Peers;
use super::proved::Proved;
use super::seek::Seek;
use super::versions::{Spoken, Versions};
use super::watched::{Complaints, Watch};

/// Connections without any stream are kept this long, so that leases find them open. Dead ones are
/// found by ping long before.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);

/// How long one address may take to connect and shake hands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a listener may take to say on which address it listens.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(10);

/// What a node's network is made from.
#[derive(Debug, Clone)]
pub struct NetworkConfig {
    /// The node's own key.
    pub key: SecretKey,
    /// The market; nodes of other markets are disconnected.
    pub chain: ChainId,
    /// Where to listen, for example `/ip4/0.0.0.0/tcp/4646`; port 0 takes any free one.
    pub listen: Vec<Multiaddr>,
    /// Where others are told to reach this node, for example through a forwarded port. Empty means where it
    /// listens; otherwise only these are told.
    pub advertise: Vec<Multiaddr>,
    /// Nodes to stay connected with; each address ends with `/p2p/` and the peer id.
    pub bootstrap: Vec<Multiaddr>,
    /// The version of each protocol that it speaks.
    pub versions: Versions,
}

impl NetworkConfig {
    /// Makes the configuration of a node that listens nowhere and knows nobody, in the versions of this
    /// program.
    pub fn new(key: SecretKey, chain: ChainId) -> Self {
        Self {
            key,
            chain,
            listen: Vec::new(),
            advertise: Vec::new(),
            bootstrap: Vec::new(),
            versions: Versions::default(),
        }
    }
}

/// Why the network did not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A bootstrap address does not say whose it is.
    #[error("the bootstrap address {0} must end with /p2p/ and a peer id")]
    BootstrapWithoutPeer(Multiaddr),
    /// An advertised address cannot be dialled by others.
    #[error(
        "the advertised address {0} cannot be dialled: it needs a host and a TCP port, for example \
         /ip4/203.0.113.7/tcp/4646"
    )]
    Advertise(Multiaddr),
    /// The encrypted transport could not be set up.
    #[error("the encrypted transport could not be set up: {0}")]
    Noise(#[from] noise::Error),
    /// The system's name resolver could not be read.
    #[error("the system's name resolver could not be read: {0}")]
    Resolver(#[source] io::Error),
    /// A protocol was configured wrongly.
    #[error("a protocol could not be set up: {0}")]
    Protocol(String),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}; is another node running, or the port taken?")]
    Listen {
        /// The address.
        address: Multiaddr,
        /// What the system said.
        source: TransportError<io::Error>,
    },
    /// A listener did not come up in time.
    #[error("a listener did not come up within {} seconds", LISTEN_TIMEOUT.as_secs())]
    ListenTimeout,
}

/// What the system said about a TCP connection. The layers above hand on only the sources of errors, so this
/// has the system's error as its source.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct TcpError(#[source] io::Error);

fn build_swarm(
    keypair: Keypair,
    names: &Names,
    reach: Reach,
    complaints: Complaints,
) -> Result<Swarm<Behaviour>, StartError> {
    let behaviour = Behaviour::new(&keypair, names, reach).map_err(StartError::Protocol)?;
    let noise = noise::Config::new(&keypair)?;
    let kademlia = names.of(Spoken::Kademlia);
    let swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_other_transport(|_| {
            tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
                .map_err(TcpError)
                .upgrade(Version::V1Lazy)
                .authenticate(noise)
                .multiplex_ext(move |peer, _| {
                    muxer::Config::new(Watch::over(*peer, kademlia, complaints))
                })
        })
        .unwrap_or_else(|never| match never {})
        .with_dns()
        .map_err(StartError::Resolver)?
        .with_behaviour(|_| behaviour)
        .unwrap_or_else(|never| match never {})
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE_TIMEOUT))
        .with_connection_timeout(CONNECT_TIMEOUT)
        .build();
    Ok(swarm)
}

/// Listens on all addresses and waits until each has a first real address.
async fn listen(swarm: &mut Swarm<Behaviour>, addresses: Vec<Multiaddr>) -> Result<(), StartError> {
    let mut silent = HashSet::<ListenerId>::new();
    for address in addresses {
        let listener = swarm.listen_on(address.clone());
        silent.insert(listener.map_err(|source| StartError::Listen { address, source })?);
    }
    let all_up = async {
        while !silent.is_empty() {
            if let SwarmEvent::NewListenAddr {
                listener_id,
                address,
            } = swarm.select_next_some().await
            {
                tracing::info!(%address, "listening");
                silent.remove(&listener_id);
            }
        }
    };
    tokio::time::timeout(LISTEN_TIMEOUT, all_up)
        .await
        .map_err(|_elapsed| StartError::ListenTimeout)
}

/// Takes the peer ids off advertised addresses: identify tells them apart from where the node is.
fn without_peers(addresses: Vec<Multiaddr>) -> Result<Vec<Multiaddr>, StartError> {
    let strip = |address: Multiaddr| {
        if !can_be_dialled(&address) {
            return Err(StartError::Advertise(address));
        }
        Ok(without_peer(&address))
    };
    addresses.into_iter().map(strip).collect()
}

/// Brings the network up and listens; spawn [`EventLoop::run`] to let it work.
pub async fn start(
    config: NetworkConfig,
) -> Result<(Client, InboundStream, EventLoop), StartError> {
    let bootstrap = Bootstrap::new(&config.bootstrap, Instant::now())
        .map_err(StartError::BootstrapWithoutPeer)?;
    let advertise = without_peers(config.advertise)?;
    let names = Names {
        chain: config.chain,
        versions: config.versions,
    };
    let reach = match advertise.is_empty() {
        true => Reach::Listening,
        false => Reach::Advertised,
    };
    let counts = Arc::new(Counts::default());
    let (complaints, complained) = Complaints::new(Arc::clone(&counts));
    let mut swarm = build_swarm(keypair(&config.key), &names, reach, complaints)?;
    for address in &advertise {
        swarm.add_external_address(address.clone());
    }
    for (peer, address) in bootstrap.all() {
        let kademlia = &mut swarm.behaviour_mut().kademlia;
        kademlia.add_address(peer, address.clone());
    }
    listen(&mut swarm, config.listen).await?;
    let (inbound, stream) = inbound::queues(Arc::clone(&counts));
    let met_at = bootstrap.nodes().collect();
    let (client, commands) = Client::new(config.key.node(), Arc::clone(&counts), met_at);
    let event_loop = EventLoop {
        names,
        advertise,
        swarm,
        commands,
        inbound,
        complaints: complained,
        bootstrap,
        peers: Peers::default(),
        proved: Proved::default(),
        seek: Seek::default(),
        callers: Callers::default(),
        answers: Answers::default(),
        counts,
        offenders: Offenders::default(),
        unexplained: Vec::new(),
    };
    Ok((client, stream, event_loop))
}
