//! Owns the protocols that one node speaks, with their names and limits.
//!
//! Never acts on an event; the event loop does.

use std::time::Duration;

use libp2p::allow_block_list::{self, BlockedPeers};
use libp2p::identity::Keypair;
use libp2p::kad::store::MemoryStore;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{StreamProtocol, connection_limits, gossipsub, identify, kad, ping};
use market::ChainId;

use super::call::Timeouts;
use super::codec::{CodecLimits, WireCodec};
use super::gossip;
use super::versions::{Spoken, Versions};
use crate::blobs::{self, BlobRequest, BlobResponse};
use crate::book::{self, BookRequest, BookResponse};
use crate::lease_protocol::{self, LeaseRequest, LeaseResponse};
use crate::ledger::protocol::{self as ledger_protocol, LedgerRequest, LedgerResponse};

/// Streams of one protocol on one connection at a time, in both directions together.
const MAX_STREAMS: usize = 64;

/// How often a connection is tested, and how long its answer may take.
///
/// A test that fails closes nothing: on an uplink that is full, answers wait behind what is being uploaded.
/// What counts is that something arrives, which a test brings about.
const PING_INTERVAL: Duration = Duration::from_secs(2);
const PING_TIMEOUT: Duration = Duration::from_millis(4_500);

/// How often the neighbours in the routing table are looked for again, so that the market stays connected
/// while its operator is away.
const NEIGHBOUR_INTERVAL: Duration = Duration::from_secs(30);

/// How long a look-up may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// A behaviour that exchanges requests and answers.
type Exchange<Req, Resp> = request_response::Behaviour<WireCodec<Req, Resp>>;

#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    limits: connection_limits::Behaviour,
    pub(super) shunned: allow_block_list::Behaviour<BlockedPeers>,
    pub(super) identify: identify::Behaviour,
    ping: ping::Behaviour,
    pub(super) kademlia: kad::Behaviour<MemoryStore>,
    pub(super) gossip: gossipsub::Behaviour,
    pub(super) ledger: Exchange<LedgerRequest, LedgerResponse>,
    pub(super) lease: Exchange<LeaseRequest, LeaseResponse>,
    pub(super) blob: Exchange<BlobRequest, BlobResponse>,
    pub(super) book: Exchange<BookRequest, BookResponse>,
}

/// Returns the name under which the nodes of a chain know each other.
pub(super) fn network_name(chain: &ChainId) -> String {
    format!("/nightshift/{}/1", chain.short())
}

/// What the protocols of a node are named after.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) chain: ChainId,
    pub(super) versions: Versions,
}

impl Names {
    /// Returns the name of a protocol, for example `/nightshift/a1b2c3d4/ledger/1`.
    pub(super) fn of(&self, spoken: Spoken) -> StreamProtocol {
        let name = self.versions.id(&self.chain, spoken);
        StreamProtocol::try_from_owned(name).expect("the name begins with a slash")
    }
}

fn connection_limits() -> connection_limits::Behaviour {
    connection_limits::Behaviour::new(
        connection_limits::ConnectionLimits::default()
            .with_max_pending_incoming(Some(64))
            .with_max_pending_outgoing(Some(64))
            .with_max_established_incoming(Some(512))
            .with_max_established_outgoing(Some(256))
            .with_max_established_per_peer(Some(4)),
    )
}

/// Any node answers look-ups, but keeps no records for others. Addresses enter the routing table
/// only by way of identify, so that nodes of other chains stay out of it.
fn kademlia(keypair: &Keypair, names: &Names) -> kad::Behaviour<MemoryStore> {
    let peer = keypair.public().to_peer_id();
    let mut config = kad::Config::new(names.of(Spoken::Kademlia));
    config
        .set_query_timeout(LOOKUP_TIMEOUT)
        .set_periodic_bootstrap_interval(Some(NEIGHBOUR_INTERVAL))
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        .set_record_filtering(kad::StoreInserts::FilterBoth);
    let mut kademlia = kad::Behaviour::with_config(peer, MemoryStore::new(peer), config);
    kademlia.set_mode(Some(kad::Mode::Server));
    kademlia
}

fn exchange<Req, Resp>(
    protocol: StreamProtocol,
    limits: CodecLimits,
    timeout: Duration,
) -> Exchange<Req, Resp>
where
    WireCodec<Req, Resp>:
        request_response::Codec<Protocol = StreamProtocol> + Clone + Send + 'static,
{
    let config = request_response::Config::default()
        .with_request_timeout(timeout)
        .with_max_concurrent_streams(MAX_STREAMS);
    request_response::Behaviour::with_codec(
        WireCodec::new(limits),
        [(protocol, ProtocolSupport::Full)],
        config,
    )
}

/// What a node tells others about itself: where to reach it only as far as it wants to be found there.
fn identify(keypair: &Keypair, chain: &ChainId, reach: Reach) -> identify::Behaviour {
    let config = identify::Config::new(network_name(chain), keypair.public())
        .with_agent_version(concat!("nightshift/", env!("CARGO_PKG_VERSION")).to_owned())
        .with_push_listen_addr_updates(true)
        .with_hide_listen_addrs(reach == Reach::Advertised);
    identify::Behaviour::new(config)
}

/// Where others are told to reach a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Where it listens.
    Listening,
    /// Only at the addresses that the settings advertise.
    Advertised,
}

impl Behaviour {
    pub(super) fn new(keypair: &Keypair, names: &Names, reach: Reach) -> Result<Self, String> {
        let limits = |request_bytes, response_bytes| CodecLimits {
            request_bytes,
            response_bytes,
            request_within: Timeouts::REQUEST,
        };
        let ping = ping::Config::new()
            .with_interval(PING_INTERVAL)
            .with_timeout(PING_TIMEOUT);
        Ok(Self {
            limits: connection_limits(),
            shunned: allow_block_list::Behaviour::default(),
            identify: identify(keypair, &names.chain, reach),
            ping: ping::Behaviour::new(ping),
            kademlia: kademlia(keypair, names),
            gossip: gossip::behaviour(&names.chain)?,
            ledger: exchange(
                names.of(Spoken::Ledger),
                limits(
                    ledger_protocol::MAX_REQUEST_BYTES,
                    ledger_protocol::MAX_RESPONSE_BYTES,
                ),
                Timeouts::LEDGER,
            ),
            lease: exchange(
                names.of(Spoken::Lease),
                limits(
                    lease_protocol::MAX_LEASE_BYTES,
                    lease_protocol::MAX_LEASE_BYTES,
                ),
                Timeouts::LEASE,
            ),
            blob: exchange(
                names.of(Spoken::Blob),
                limits(blobs::MAX_REQUEST_BYTES, blobs::MAX_RESPONSE_BYTES),
                Timeouts::BLOB,
            ),
            book: exchange(
                names.of(Spoken::Book),
                limits(book::MAX_REQUEST_BYTES, book::MAX_RESPONSE_BYTES),
                Timeouts::BOOK,
            ),
        })
    }
}
