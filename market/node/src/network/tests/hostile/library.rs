//! Malformed bytes on the protocols that libp2p itself speaks, which tells nobody about them.

use super::*;

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn prefixed(body: &[u8]) -> Vec<u8> {
    [varint(body.len()), body.to_vec()].concat()
}

const PING: StreamProtocol = StreamProtocol::new("/ipfs/ping/1.0.0");

/// Three protocols of libp2p with a good message and the most bytes of one.
fn framed_protocols() -> [(StreamProtocol, Vec<u8>, usize); 3] {
    let find_node = [&[8, 4, 0x12, 32][..], &[7; 32], &[0x50, 10]].concat();
    let subscription = vec![0x0a, 8, 8, 1, 0x12, 4, b'n', b'e', b'w', b's'];
    let introduction = vec![0x32, 4, b't', b'e', b's', b't'];
    [
        (name(Spoken::Kademlia), find_node, 16 << 10),
        (
            StreamProtocol::new("/meshsub/1.1.0"),
            subscription,
            (64 << 10) + 64,
        ),
        (
            StreamProtocol::new("/ipfs/id/push/1.0.0"),
            introduction,
            4_096,
        ),
    ]
}

#[tokio::test]
async fn bytes_that_are_no_frame_cost_their_sender_the_connection() {
    let served = served().await;
    for (protocol, good, max) in framed_protocols() {
        let garbled = [&[good[0] ^ 5], &good[1..]].concat();
        let reordered = [good.as_slice(), &varint(good.len())].concat();
        let second = [prefixed(&good), vec![4, 0xff, 0xff, 0xff, 0xff]].concat();
        let cases = [
            (varint(u32::MAX as usize), Offence::Oversized),
            (prefixed(&vec![7; max + 1]), Offence::Oversized),
            (prefixed(&[0xff; 64]), Offence::Undecodable),
            (vec![0xff; 12], Offence::Undecodable),
            (prefixed(&garbled), Offence::Undecodable),
            (reordered, Offence::Undecodable),
            (second, Offence::Undecodable),
        ];
        for (bytes, offence) in cases {
            if protocol.as_ref().contains("push") && bytes.starts_with(&prefixed(&good)) {
                // Of introductions only the first is read.
                continue;
            }
            let before = served.count(offence).await;
            let mut hostile = served.raw(protocol.clone(), Manner::Ends);
            hostile.send(bytes).await;
            hostile.wait_for_goodbye().await;
            served.wait_for_count(offence, before + 1).await;
        }
    }
    served.serves_others().await;
}

#[tokio::test]
async fn a_frame_cut_short_is_counted_and_a_whole_one_is_not() {
    let served = served().await;
    let framed = framed_protocols().map(|(protocol, good, _)| (protocol, prefixed(&good)));
    let ping = (PING, vec![7; 32]);
    let (mut hostiles, mut count) = (Vec::new(), 0);
    for (protocol, good) in framed.into_iter().chain([ping]) {
        let mut hostile = served.raw(protocol, Manner::Ends);
        for length in [good.len(), 1, good.len() - 1] {
            hostile.throw(good[..length].to_vec());
            count += u64::from(length < good.len());
            let counted = served.wait_for_count(Offence::Truncated, count);
            hostile.run_while(Box::pin(counted)).await;
        }
        hostiles.push(hostile);
    }
    let report = served.client.report().await.unwrap();
    assert_eq!(report.refusals.len(), 1, "{:?}", report.refusals);
    served.serves_others().await;
}

#[tokio::test]
async fn a_connection_that_ends_amid_a_frame_is_no_offence() {
    let served = served().await;
    for (protocol, good, _) in framed_protocols() {
        let mut stopped = served.raw(protocol, Manner::Lingers);
        let cut = prefixed(&good)[..good.len() - 1].to_vec();
        stopped.throw(cut);
        stopped.run_while(Box::pin(served.serves_others())).await;
        let id = stopped.id();
        assert!(is_connected(&served, id).await);
        drop(stopped);
        within(async {
            while is_connected(&served, id).await {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    let report = served.client.report().await.unwrap();
    assert!(report.refusals.is_empty(), "{:?}", report.refusals);
}

async fn is_connected(served: &Served, node: NodeId) -> bool {
    let peers = served.client.peers().await;
    peers.iter().any(|peer| peer.node == node)
}

#[tokio::test]
async fn wrong_answers_cost_the_connection_and_in_the_end_are_refused() {
    let cases = [
        (PING, vec![7; 32]),
        (
            StreamProtocol::new("/ipfs/id/1.0.0"),
            vec![4, 0xff, 1, 2, 3],
        ),
    ];
    for (protocol, answer) in cases {
        let served = served().await;
        let mut hostile = served.raw(protocol, Manner::Answers);
        for count in 1..=3 {
            hostile.answer_until_goodbye(&answer).await;
            served.wait_for_count(Offence::Undecodable, count).await;
        }
        wait_until_shunned(&served, hostile.id(), Offence::Undecodable).await;
        served.serves_others().await;
    }
}

/// Waits until a node is refused for an offence.
async fn wait_until_shunned(served: &Served, node: NodeId, offence: Offence) {
    within(async {
        while served.client.report().await.unwrap().shunned.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let report = served.client.report().await.unwrap();
    assert_eq!(report.shunned.len(), 1);
    assert_eq!(report.shunned[0].node, node);
    assert_eq!(report.shunned[0].offence, offence);
}

#[tokio::test]
async fn who_sends_no_frames_again_and_again_is_refused_for_a_while() {
    for (protocol, good, _) in framed_protocols() {
        let served = served().await;
        let mut hostile = served.raw(protocol, Manner::Ends);
        for _ in 0..3 {
            hostile.send(varint(u32::MAX as usize)).await;
            hostile.wait_for_goodbye().await;
        }
        wait_until_shunned(&served, hostile.id(), Offence::Oversized).await;
        let taken = hostile.send(prefixed(&good)).await;
        let refused = [Taken::HungUp, Taken::Unwelcome];
        assert!(refused.contains(&taken), "{taken:?}");
        within(served.wait_for_count(Offence::Shunned, 1)).await;
        served.serves_others().await;
    }
}

#[tokio::test]
async fn who_cuts_pings_short_again_and_again_is_refused_for_a_while() {
    let served = served().await;
    let mut hostile = served.raw(PING, Manner::Ends);
    for count in 1..=12 {
        hostile.throw(vec![7; 33]);
        let counted = served.wait_for_count(Offence::Truncated, count);
        hostile.run_while(Box::pin(counted)).await;
    }
    wait_until_shunned(&served, hostile.id(), Offence::Truncated).await;
    served.serves_others().await;
}

#[tokio::test]
async fn random_frames_harm_nobody_and_their_senders_are_counted() {
    let served = served().await;
    let mut runner = TestRunner::deterministic();
    let [kademlia, gossip, push] = framed_protocols().map(|(protocol, ..)| protocol);
    for protocol in [kademlia, gossip, push, PING] {
        let before = total(&served).await;
        let mut hostile = served.raw(protocol.clone(), Manner::Ends);
        for _ in 0..3 {
            let bytes = prop::collection::vec(any::<u8>(), 33..4_096);
            hostile
                .send(bytes.new_tree(&mut runner).unwrap().current())
                .await;
        }
        let counted = async {
            while total(&served).await < before + 3 {
                tokio::task::yield_now().await;
            }
        };
        hostile.run_while(Box::pin(counted)).await;
        hostile.run_while(Box::pin(served.serves_others())).await;
    }
}

async fn total(served: &Served) -> u64 {
    let report = served.client.report().await.unwrap();
    let named = [Offence::Oversized, Offence::Undecodable, Offence::Truncated];
    let counts = named.map(|offence| report.refusals.get(&offence).copied().unwrap_or_default());
    counts.iter().sum()
}
