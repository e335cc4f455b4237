//! Tests of frames against libp2p's own reading of them, and of what is wrong with single ones.

use futures::StreamExt;
use futures::future::Either;
use futures::io::Cursor;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::InboundUpgrade;
use libp2p::kad::store::MemoryStore;
use libp2p::swarm::handler::ConnectionHandler;
use libp2p::swarm::{ConnectionId, NetworkBehaviour};
use libp2p::{Multiaddr, PeerId, StreamProtocol, kad};
use proptest::prelude::*;

use super::super::fields::{GOSSIP, INTRODUCTION, LOOKUP};
use super::*;
use crate::network::fixture::chain;
use crate::network::gossip;

fn verdict(kind: &'static Kind, bytes: &[u8]) -> Result<bool, Offence> {
    let mut frames = Frames::new(kind);
    frames.read(bytes).map(|()| frames.is_amid_one())
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn framed(body: &[u8]) -> Vec<u8> {
    [varint(body.len() as u64), body.to_vec()].concat()
}

/// A message of a shape, made from choices; most of the choices make a good one.
fn message(shape: Shape, choices: &mut impl Iterator<Item = u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(choice) = choices.next().filter(|choice| choice % 4 > 0) {
        let (number, holds) = shape[usize::from(choice) % shape.len()];
        let garbled = choices.next().unwrap_or(0);
        let encoding = u64::from(!matches!(holds, Holds::Number | Holds::Variant(_))) * 2;
        let (number, encoding) = match garbled {
            0 => (number + 100, encoding),
            1 => (number, 5),
            _ => (number, encoding),
        };
        bytes.extend(varint(u64::from(number) << 3 | encoding));
        let value = choices.next().unwrap_or(0);
        match holds {
            Holds::Variant(variants) if garbled != 2 => {
                bytes.extend(varint(u64::from(value) % variants));
            }
            Holds::Number | Holds::Variant(_) => bytes.extend(varint(u64::from(value) << 40)),
            Holds::Message(shape) => bytes.extend(framed(&message(shape, choices))),
            Holds::Bytes => bytes.extend(framed(&vec![value; usize::from(value)])),
            Holds::Text if garbled == 3 => bytes.extend(framed(&[b'a', value, b'a'])),
            Holds::Text => bytes.extend(framed("é€🦀".repeat(usize::from(value)).as_bytes())),
        }
    }
    bytes
}

/// Tells whether libp2p reads all frames in the bytes, as the handler of a behaviour does it.
fn libp2p_reads<B, U, O, N, S, M, E>(mut behaviour: B, bytes: Vec<u8>, stream: fn(O) -> S) -> bool
where
    B: NetworkBehaviour,
    B::ConnectionHandler: ConnectionHandler<InboundProtocol = U, InboundOpenInfo = ()>,
    U: InboundUpgrade<Cursor<Vec<u8>>, Output = Either<O, N>>,
    S: futures::Stream<Item = Result<M, E>> + Unpin,
{
    let here: Multiaddr = "/memory/1".parse().unwrap();
    let established = behaviour.handle_established_outbound_connection(
        ConnectionId::new_unchecked(1),
        PeerId::random(),
        &here,
        Endpoint::Dialer,
        PortUse::Reuse,
    );
    let (upgrade, ()) = established.unwrap().listen_protocol().into_upgrade();
    let name = upgrade.protocol_info().into_iter().next().unwrap();
    futures::executor::block_on(async {
        let Ok(Either::Left(read)) = upgrade.upgrade_inbound(Cursor::new(bytes), name).await else {
            panic!("the behaviour listens");
        };
        stream(read)
            .all(|frame| std::future::ready(frame.is_ok()))
            .await
    })
}

fn kademlia() -> kad::Behaviour<MemoryStore> {
    let own = PeerId::random();
    let config = kad::Config::new(StreamProtocol::new("/kad"));
    let mut kademlia = kad::Behaviour::with_config(own, MemoryStore::new(own), config);
    kademlia.set_mode(Some(kad::Mode::Server));
    kademlia
}

fn read_by_kademlia(bytes: Vec<u8>) -> bool {
    libp2p_reads(kademlia(), bytes, |stream| stream)
}

fn read_by_gossip(bytes: Vec<u8>) -> bool {
    libp2p_reads(
        gossip::behaviour(&chain()).unwrap(),
        bytes,
        |(stream, _)| stream,
    )
}

/// Some frames of a kind, of which some may be garbled.
fn frames(kind: &'static Kind) -> impl Strategy<Value = Vec<u8>> {
    let one = prop::collection::vec(any::<u8>(), 0..60);
    let flipped = prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
    (prop::collection::vec(one, 1..3), flipped).prop_map(|(choices, flipped)| {
        let bodies = choices.into_iter().map(|choices| {
            let mut body = message(kind.shape, &mut choices.into_iter());
            body.truncate(8_000);
            framed(&body)
        });
        let mut bytes = bodies.collect::<Vec<_>>().concat();
        if let Some((index, byte)) = flipped {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_gossipsub_reads_is_a_message_and_the_rest_is_none(bytes in frames(&GOSSIP)) {
        let seen = verdict(&GOSSIP, &bytes);
        prop_assert_eq!(read_by_gossip(bytes), seen == Ok(false), "{:?}", seen);
    }

    #[test]
    fn what_kademlia_reads_is_a_message(bytes in frames(&LOOKUP)) {
        let seen = verdict(&LOOKUP, &bytes);
        prop_assert!(!read_by_kademlia(bytes) || seen == Ok(false), "{:?}", seen);
    }

    #[test]
    fn it_does_not_matter_in_which_pieces_bytes_come(
        bytes in frames(&GOSSIP),
        pieces in prop::collection::vec(1usize..40, 1..60),
    ) {
        let mut frames = Frames::new(&GOSSIP);
        let (mut seen, mut rest) = (Ok(()), bytes.as_slice());
        for piece in pieces.iter().cycle() {
            let (first, last) = rest.split_at((*piece).min(rest.len()));
            seen = frames.read(first);
            rest = last;
            if seen.is_err() || rest.is_empty() {
                break;
            }
        }
        let seen = seen.map(|()| frames.is_amid_one());
        prop_assert_eq!(seen, verdict(&GOSSIP, &bytes));
    }

    #[test]
    fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for kind in [&GOSSIP, &LOOKUP, &INTRODUCTION] {
            let _any = verdict(kind, &bytes);
        }
    }
}

#[test]
fn a_length_above_the_limit_is_oversized_and_one_at_the_limit_is_not() {
    for kind in [&GOSSIP, &LOOKUP, &INTRODUCTION] {
        assert_eq!(verdict(kind, &varint(kind.max_bytes)), Ok(true));
        let above = varint(kind.max_bytes + 1);
        assert_eq!(verdict(kind, &above), Err(Offence::Oversized));
        assert_eq!(verdict(kind, &varint(u64::MAX)), Err(Offence::Oversized));
    }
}

#[test]
fn what_is_no_message_is_undecodable_as_soon_as_that_is_seen() {
    let no_length = [0xff; 12];
    let padded_length = [0x80, 0];
    let no_field = [20, 0];
    let group = [20, 0x0b];
    let number_as_bytes = [20, 0x0a, 1];
    let beyond_the_message = [4, 0x12, 9];
    let number_beyond_the_message = [2, 0x50, 0x80];
    let field_without_content = [1, 0x50];
    let bytes_without_length = [1, 0x12];
    let unknown_variant = [2, 8, 6];
    let beyond_its_message = [9, 0x42, 3, 0x0a, 5];
    let cases: [&[u8]; 11] = [
        &no_length,
        &padded_length,
        &no_field,
        &group,
        &number_as_bytes,
        &beyond_the_message,
        &number_beyond_the_message,
        &field_without_content,
        &bytes_without_length,
        &unknown_variant,
        &beyond_its_message,
    ];
    for bytes in cases {
        assert_eq!(
            verdict(&LOOKUP, bytes),
            Err(Offence::Undecodable),
            "{bytes:?}"
        );
    }
}

#[test]
fn of_a_number_that_comes_more_than_once_the_last_one_counts() {
    let twice = |first, last| [4, 8, first, 8, last];
    assert_eq!(verdict(&LOOKUP, &twice(6, 3)), Ok(false));
    assert!(read_by_kademlia(vec![8, 8, 0, 8, 0, 8, 6, 8, 3]));
    assert_eq!(
        verdict(&LOOKUP, &[8, 8, 0, 8, 0, 8, 6, 8, 3]),
        Ok(false),
        "as Kademlia reads it"
    );
    let seen = verdict(&LOOKUP, &twice(3, 6));
    assert_eq!(seen, Err(Offence::Undecodable));
}

#[test]
fn text_is_utf_8() {
    let text = |text: &[u8]| framed(&[&[0x32], framed(text).as_slice()].concat());
    for good in ["", "a", "é€🦀"] {
        assert_eq!(verdict(&INTRODUCTION, &text(good.as_bytes())), Ok(false));
    }
    for bad in [&[0xff][..], &[b'a', 0xf0, 0x9f], &[0xf0, 0x9f, b'a']] {
        let seen = verdict(&INTRODUCTION, &text(bad));
        assert_eq!(seen, Err(Offence::Undecodable), "{bad:?}");
    }
}

#[test]
fn messages_are_nested_no_deeper_than_there_is_room() {
    fn depth(shape: Shape) -> usize {
        let inner = shape.iter().map(|(_, holds)| match holds {
            Holds::Message(shape) => depth(shape),
            _ => 0,
        });
        1 + inner.max().unwrap_or(0)
    }
    assert_eq!(depth(GOSSIP.shape), MAX_DEPTH);
    assert!(depth(LOOKUP.shape) <= MAX_DEPTH);
    assert!(size_of::<Frames>() <= 256, "{}", size_of::<Frames>());
}
