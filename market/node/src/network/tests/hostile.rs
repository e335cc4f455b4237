//! Bytes that no honest node sends, on every protocol: the node lives, goes on serving others, drops the
//! sender and counts why.

mod library;

use libp2p::{Multiaddr, StreamProtocol};
use market::wire;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::raw::{Manner, RawPeer, Taken};
use super::{Inbound, LedgerRequest, NodeId, not_operator};
use crate::blobs::{self, BlobRequest, BlobResponse};
use crate::book::{self, BookRequest, BookResponse};
use crate::lease_protocol::{self, LeaseRequest, LeaseResponse};
use crate::ledger::protocol as ledger_protocol;
use crate::network::behaviour::Names;
use crate::network::fixture::{chain, hidden_node, node, within};
use crate::network::{CallError, Client, InboundStream, Offence, Spoken, Topic, Versions};

/// A node that answers everything, and where it is.
struct Served {
    client: Client,
    id: NodeId,
    address: Multiaddr,
}

/// Answers every request with the shortest answer of its protocol, and rejects all gossip.
fn answer_all(mut inbound: InboundStream) {
    tokio::spawn(async move {
        while let Some(inbound) = inbound.recv().await {
            match inbound {
                Inbound::Ledger { reply, .. } => reply.send(not_operator()),
                Inbound::Lease { reply, .. } => reply.send(LeaseResponse::UnknownAgreement),
                Inbound::Blob { reply, .. } => reply.send(BlobResponse::NotShared),
                Inbound::Book { reply, .. } => reply.send(BookResponse::NotReady),
                Inbound::Gossip { verdict, .. } => verdict.reject(),
                _ => {}
            }
        }
    });
}

async fn served() -> Served {
    let server = node(1, &[]).await;
    let (id, address) = (server.id(), server.address().await);
    answer_all(server.inbound);
    Served {
        client: server.client,
        id,
        address,
    }
}

fn name(spoken: Spoken) -> StreamProtocol {
    let names = Names {
        chain: chain(),
        versions: Versions::default(),
    };
    names.of(spoken)
}

fn book_request() -> BookRequest {
    BookRequest::Snapshot {
        digest: [0; 32],
        after: None,
    }
}

fn blob_request() -> BlobRequest {
    BlobRequest::Range {
        hash: market::BlobHash::of(b""),
        start: 0,
        length: 1,
    }
}

fn lease_request() -> LeaseRequest {
    LeaseRequest::Progress {
        agreement: market::AgreementId::from_bytes([1; 32]),
        first: 0,
        reports: Vec::new(),
    }
}

/// The four protocols of requests with a good request and the most bytes of one.
fn protocols() -> [(Spoken, Vec<u8>, usize); 4] {
    [
        (
            Spoken::Ledger,
            wire::encode(&LedgerRequest::Header(5)),
            ledger_protocol::MAX_REQUEST_BYTES,
        ),
        (
            Spoken::Lease,
            wire::encode(&lease_request()),
            lease_protocol::MAX_LEASE_BYTES,
        ),
        (
            Spoken::Blob,
            wire::encode(&blob_request()),
            blobs::MAX_REQUEST_BYTES,
        ),
        (
            Spoken::Book,
            wire::encode(&book_request()),
            book::MAX_REQUEST_BYTES,
        ),
    ]
}

fn framed(length: usize, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(length).unwrap();
    [&length.to_le_bytes(), body].concat()
}

impl Served {
    fn raw(&self, protocol: StreamProtocol, manner: Manner) -> RawPeer {
        RawPeer::new(protocol, manner, (self.id, &self.address))
    }

    async fn count(&self, offence: Offence) -> u64 {
        let report = self.client.report().await.unwrap();
        report.refusals.get(&offence).copied().unwrap_or_default()
    }

    /// Waits until something has been counted so often.
    async fn wait_for_count(&self, offence: Offence, count: u64) {
        within(async {
            while self.count(offence).await < count {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(self.count(offence).await, count, "{offence}");
    }

    /// Checks that an honest node is served on all four protocols.
    async fn serves_others(&self) {
        let honest = hidden_node(99, std::slice::from_ref(&self.address)).await;
        let (client, id) = (&honest.client, self.id);
        within(async {
            assert!(client.call_ledger(id, LedgerRequest::Status).await.is_ok());
            assert!(client.call_lease(id, lease_request()).await.is_ok());
            assert!(client.call_blob(id, blob_request()).await.is_ok());
            assert!(client.call_book(id, book_request()).await.is_ok());
        })
        .await;
    }
}

#[tokio::test]
async fn bytes_that_are_no_request_cost_their_sender_the_connection() {
    let served = served().await;
    for (spoken, good, max) in protocols() {
        let with_tail = [good.as_slice(), &[0]].concat();
        let reordered = [good.as_slice(), &framed(good.len(), &[])].concat();
        let cases = [
            (framed(u32::MAX as usize, &[0; 64]), Offence::Oversized),
            (framed(max + 1, &vec![7; max + 1]), Offence::Oversized),
            (framed(64, &[0xff; 64]), Offence::Undecodable),
            (framed(good.len() + 1, &with_tail), Offence::Undecodable),
            ([vec![0xff; 4], reordered].concat(), Offence::Oversized),
        ];
        for (bytes, offence) in cases {
            let before = served.count(offence).await;
            let mut hostile = served.raw(name(spoken), Manner::Ends);
            let taken = hostile.send(bytes).await;
            let nothing = [Taken::HungUp, Taken::Answered(Vec::new())];
            assert!(nothing.contains(&taken), "{spoken:?}: {taken:?}");
            hostile.wait_for_goodbye().await;
            assert_eq!(served.count(offence).await, before + 1, "{spoken:?}");
        }
    }
    served.serves_others().await;
}

#[tokio::test]
async fn a_message_cut_short_is_counted_and_a_repeated_one_is_one_request() {
    let served = served().await;
    for (spoken, good, _) in protocols() {
        let mut hostile = served.raw(name(spoken), Manner::Ends);
        let before = served.count(Offence::Truncated).await;
        for bytes in [vec![1, 2], framed(good.len() + 8, &good)] {
            assert_eq!(hostile.send(bytes).await, Taken::Answered(Vec::new()));
        }
        assert_eq!(served.count(Offence::Truncated).await, before + 2);
        // The second copy is never read.
        let twice = framed(good.len(), &good).repeat(2);
        let Taken::Answered(answer) = hostile.send(twice).await else {
            panic!("{spoken:?}: the request was good");
        };
        let length = u32::from_le_bytes(answer[..4].try_into().unwrap());
        assert_eq!(answer.len(), 4 + length as usize, "{spoken:?}");
    }
}

#[tokio::test]
async fn an_introduction_that_is_none_costs_its_sender_the_connection() {
    let served = served().await;
    let push = StreamProtocol::new("/ipfs/id/push/1.0.0");
    for bytes in [vec![5, 0xff, 0xff, 0xff, 0xff, 0xff], vec![0xff; 12]] {
        let before = served.count(Offence::Undecodable).await;
        let mut hostile = served.raw(push.clone(), Manner::Ends);
        hostile.send(bytes).await;
        hostile.wait_for_goodbye().await;
        assert_eq!(served.count(Offence::Undecodable).await, before + 1);
    }
    served.serves_others().await;
}

#[tokio::test]
async fn random_bytes_on_any_protocol_harm_nobody() {
    let served = served().await;
    let libp2p = ["/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0", "/meshsub/1.1.0"];
    let own = Spoken::ALL.map(name).into_iter();
    let all = own.chain(libp2p.map(StreamProtocol::new));
    let mut runner = TestRunner::deterministic();
    for protocol in all {
        let mut hostile = served.raw(protocol.clone(), Manner::Ends);
        for _ in 0..4 {
            let bytes = prop::collection::vec(any::<u8>(), 0..4_096);
            hostile.throw(bytes.new_tree(&mut runner).unwrap().current());
        }
        hostile.run_while(Box::pin(served.serves_others())).await;
    }
}

#[tokio::test]
async fn who_offends_again_and_again_is_refused_for_a_while() {
    let served = served().await;
    let mut hostile = served.raw(name(Spoken::Blob), Manner::Ends);
    for _ in 0..3 {
        hostile.send(framed(u32::MAX as usize, &[])).await;
        hostile.wait_for_goodbye().await;
    }
    let good = wire::encode(&blob_request());
    let taken = hostile.send(framed(good.len(), &good)).await;
    assert!(
        matches!(taken, Taken::HungUp | Taken::Unwelcome),
        "{taken:?}"
    );
    let report = served.client.report().await.unwrap();
    assert!(
        report.refusals[&Offence::Shunned] >= 1,
        "it is counted that it came back"
    );
    assert_eq!(report.shunned.len(), 1);
    assert_eq!(report.shunned[0].node, hostile.id());
    assert_eq!(report.shunned[0].offence, Offence::Oversized);
    let call = served.client.call_blob(hostile.id(), blob_request());
    let error = within(call).await.unwrap_err();
    assert!(matches!(error, CallError::Shunned { .. }), "{error:?}");
    served.serves_others().await;
}

#[tokio::test]
async fn streams_that_never_end_and_floods_of_them_hold_up_nobody_else() {
    let served = served().await;
    for (spoken, good, _) in protocols() {
        let mut slow = served.raw(name(spoken), Manner::Lingers);
        let mut flood = served.raw(name(spoken), Manner::Ends);
        for _ in 0..300 {
            slow.throw(vec![good.len() as u8, 0]);
            flood.throw(framed(good.len(), &good));
        }
        let serves = Box::pin(served.serves_others());
        slow.run_while(flood.run_while(serves)).await;
    }
}

#[tokio::test]
async fn gossip_that_does_not_check_is_counted_and_its_sender_refused_in_the_end() {
    let served = served().await;
    let hostile = hidden_node(2, std::slice::from_ref(&served.address)).await;
    let (client, id) = (hostile.client.clone(), hostile.id());
    within(async {
        for number in 0u32.. {
            let report = served.client.report().await.unwrap();
            if report.shunned.iter().any(|shunned| shunned.node == id) {
                break;
            }
            let bytes = number.to_le_bytes().to_vec();
            let _too_early_or_too_late = client.publish(Topic::Orders, bytes).await;
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(served.count(Offence::BadGossip).await >= 6);
    served.serves_others().await;
}
