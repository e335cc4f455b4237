//! A peer that speaks the transport but sends what it likes on a protocol's streams.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::request_response::{self, Codec, Message, ProtocolSupport};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};

use super::{NodeId, node_of, peer_of};
use crate::network::fixture::within;

/// What a raw peer does after its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// It ends the stream and reads what comes.
    Ends,
    /// It leaves the stream open and says no more.
    Lingers,
    /// It takes the streams of others and never says a word on them.
    Listens,
    /// It takes the streams of others and says on them what it is told to.
    Answers,
}

/// Sends and receives bytes as they are.
#[derive(Clone)]
pub(super) struct Raw(Manner);

impl Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        match self.0 {
            Manner::Answers => Ok(Vec::new()),
            Manner::Ends | Manner::Lingers | Manner::Listens => futures::future::pending().await,
        }
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        let mut bytes = Vec::new();
        io.read_to_end(&mut bytes).await?;
        Ok(bytes)
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        request: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&request).await?;
        io.flush().await?;
        match self.0 {
            Manner::Ends => Ok(()),
            Manner::Lingers | Manner::Listens | Manner::Answers => futures::future::pending().await,
        }
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        response: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&response).await?;
        io.flush().await
    }
}

/// A raw peer of one protocol, and the node that it bothers.
pub(super) struct RawPeer {
    swarm: Swarm<request_response::Behaviour<Raw>>,
    target: PeerId,
}

/// How a raw peer's bytes were taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// The answer's bytes; none where the stream was just closed.
    Answered(Vec<u8>),
    /// The connection was closed.
    HungUp,
    /// The node does not let this peer in.
    Unwelcome,
}

impl RawPeer {
    pub(super) fn new(
        protocol: StreamProtocol,
        manner: Manner,
        (target, address): (NodeId, &Multiaddr),
    ) -> Self {
        let support = match manner {
            // libp2p reads no pings of a node that takes none.
            Manner::Ends => ProtocolSupport::Full,
            Manner::Lingers => ProtocolSupport::Outbound,
            Manner::Listens | Manner::Answers => ProtocolSupport::Inbound,
        };
        let behaviour = request_response::Behaviour::with_codec(
            Raw(manner),
            [(protocol, support)],
            request_response::Config::default()
                .with_max_concurrent_streams(1_000)
                .with_request_timeout(std::time::Duration::from_secs(120)),
        );
        let mut swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(
                tcp::Config::default(),
                noise::Config::new,
                yamux::Config::default,
            )
            .unwrap()
            .with_behaviour(|_| behaviour)
            .unwrap()
            .with_swarm_config(|config| {
                config.with_idle_connection_timeout(std::time::Duration::from_secs(60))
            })
            .build();
        let target = peer_of(target);
        swarm.add_peer_address(target, address.clone());
        Self { swarm, target }
    }

    pub(super) fn id(&self) -> NodeId {
        node_of(self.swarm.local_peer_id()).unwrap()
    }

    /// Sends bytes on a stream of their own, without waiting for what becomes of them.
    pub(super) fn throw(&mut self, bytes: Vec<u8>) {
        self.swarm.behaviour_mut().send_request(&self.target, bytes);
    }

    /// Sends bytes and waits for what becomes of them.
    pub(super) async fn send(&mut self, bytes: Vec<u8>) -> Taken {
        self.throw(bytes);
        within(async {
            loop {
                match self.swarm.select_next_some().await {
                    SwarmEvent::Behaviour(request_response::Event::Message {
                        message: Message::Response { response, .. },
                        ..
                    }) => return Taken::Answered(response),
                    SwarmEvent::Behaviour(request_response::Event::OutboundFailure {
                        error,
                        ..
                    }) => match error {
                        request_response::OutboundFailure::ConnectionClosed => {
                            return Taken::HungUp;
                        }
                        request_response::OutboundFailure::DialFailure => {
                            return Taken::Unwelcome;
                        }
                        _ => return Taken::Answered(Vec::new()),
                    },
                    _ => {}
                }
            }
        })
        .await
    }

    /// Lets the swarm work until `done` is.
    pub(super) async fn run_while<T>(&mut self, done: impl Future<Output = T>) -> T {
        let mut done = std::pin::pin!(done);
        within(async {
            loop {
                tokio::select! {
                    result = &mut done => return result,
                    _ = self.swarm.select_next_some() => {}
                }
            }
        })
        .await
    }

    /// Connects without sending anything.
    pub(super) fn dial(&mut self) {
        self.swarm.dial(self.target).unwrap();
    }

    /// Connects, answers whatever the node asks with the same bytes, and waits until it has closed the connection.
    pub(super) async fn answer_until_goodbye(&mut self, bytes: &[u8]) {
        self.dial();
        within(async {
            loop {
                match self.swarm.select_next_some().await {
                    SwarmEvent::Behaviour(request_response::Event::Message {
                        message: Message::Request { channel, .. },
                        ..
                    }) => {
                        let behaviour = self.swarm.behaviour_mut();
                        let _gone = behaviour.send_response(channel, bytes.to_vec());
                    }
                    SwarmEvent::ConnectionClosed { .. } => return,
                    _ => {}
                }
            }
        })
        .await;
    }

    /// Waits until the node has closed the connection.
    pub(super) async fn wait_for_goodbye(&mut self) {
        within(async {
            while self.swarm.is_connected(&self.target) {
                self.swarm.select_next_some().await;
            }
        })
        .await;
    }
}
