//! A peer that speaks the transport but sends what it likes on a protocol's streams.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::request_response::{self, Codec, Message, ProtocolSupport};
use libp2p::swarm::SwarmEvent;
use libp2p::{StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};

use super::{Inbound, LedgerRequest, NodeId, not_operator, peer_of};
use crate::network::behaviour::protocol_name;
use crate::network::fixture::{chain, node, within};

/// Sends and receives bytes as they are.
#[derive(Clone, Default)]
struct Raw;

impl Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, _: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        Err(io::ErrorKind::Unsupported.into())
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
        io.write_all(&request).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        _: &mut T,
        _: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        Err(io::ErrorKind::Unsupported.into())
    }
}

type RawSwarm = Swarm<request_response::Behaviour<Raw>>;

fn hostile_swarm() -> RawSwarm {
    let protocol = protocol_name(&chain(), "ledger");
    let behaviour = request_response::Behaviour::new(
        [(protocol, ProtocolSupport::Outbound)],
        request_response::Config::default(),
    );
    SwarmBuilder::with_new_identity()
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
        .build()
}

/// Sends bytes as a request and returns the answer's bytes; none where the stream just closed.
async fn send(swarm: &mut RawSwarm, to: NodeId, bytes: Vec<u8>) -> Vec<u8> {
    swarm.behaviour_mut().send_request(&peer_of(to), bytes);
    within(async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::Behaviour(request_response::Event::Message {
                    message: Message::Response { response, .. },
                    ..
                }) => return response,
                SwarmEvent::Behaviour(request_response::Event::OutboundFailure { .. }) => {
                    return Vec::new();
                }
                SwarmEvent::ConnectionClosed { .. } => panic!("the node hung up"),
                _ => {}
            }
        }
    })
    .await
}

fn framed(length: u32, body: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes(), body].concat()
}

#[tokio::test]
async fn garbage_on_a_stream_costs_its_sender_the_request_and_nothing_else() {
    let mut server = node(1, &[]).await;
    let id = server.id();
    let mut hostile = hostile_swarm();
    hostile.add_peer_address(peer_of(id), server.address().await);
    let _running = server.client.clone();
    let serving = tokio::spawn(async move {
        server
            .wait_for(|inbound| match inbound {
                Inbound::Ledger { request, reply, .. } => {
                    reply.send(not_operator());
                    Some(request)
                }
                _ => None,
            })
            .await
    });
    let good = market::wire::encode(&LedgerRequest::Header(5));
    let good_length = u32::try_from(good.len()).unwrap();
    let with_tail = [good.as_slice(), &[0]].concat();
    for garbage in [
        vec![],
        vec![1, 2],
        framed(u32::MAX, &[0; 64]),
        framed(9_000, &[7; 9_000]),
        framed(64, &[0xff; 64]),
        framed(good_length + 8, &good),
        framed(good_length + 1, &with_tail),
    ] {
        assert_eq!(send(&mut hostile, id, garbage).await, Vec::<u8>::new());
    }
    let answer = send(&mut hostile, id, framed(good_length, &good)).await;
    let expected = market::wire::encode(&not_operator());
    let expected_length = u32::try_from(expected.len()).unwrap();
    assert_eq!(answer, framed(expected_length, &expected));
    // The first request that reached the node was the good one.
    let request = within(serving).await.unwrap();
    assert!(matches!(request, LedgerRequest::Header(5)));
}
