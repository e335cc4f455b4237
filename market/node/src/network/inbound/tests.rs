//! Tests of the queues between the network and the parts of a node.

use super::*;
use crate::network::fixture::within;

fn book_request(number: u8) -> (Inbound, oneshot::Receiver<BookResponse>) {
    let (reply, answer) = Reply::new();
    let inbound = Inbound::Book {
        from: NodeId::from_bytes([number; 32]),
        request: BookRequest::Snapshot {
            digest: [0; 32],
            after: None,
        },
        reply,
    };
    (inbound, answer)
}

#[tokio::test]
async fn a_full_queue_refuses_its_own_kind_only() {
    let counts = Arc::new(Counts::default());
    let (sender, mut stream) = queues(Arc::clone(&counts));
    let mut answers = Vec::new();
    for number in 0..65 {
        let (inbound, answer) = book_request(number);
        sender.offer(inbound);
        answers.push(answer);
    }
    assert_eq!(counts.of(Offence::Busy), 1);
    // The refused one's reply is gone, which closes its stream; the others still wait.
    assert!(answers.pop().unwrap().await.is_err());
    sender.offer(Inbound::Connected(NodeId::from_bytes([1; 32])));
    assert_eq!(counts.of(Offence::Busy), 1);
    drop(sender);
    let mut seen = 0;
    while within(stream.recv()).await.is_some() {
        seen += 1;
    }
    assert_eq!(seen, 64 + 1);
}

#[tokio::test]
async fn a_dropped_verdict_is_no_judgement() {
    let (verdict, judgement) = Verdict::new();
    drop(verdict);
    assert!(judgement.await.is_err());
    let (verdict, judgement) = Verdict::new();
    verdict.reject();
    assert_eq!(judgement.await, Ok(Judgement::Reject));
}
