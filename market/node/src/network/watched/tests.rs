//! Tests of streams that are looked at: what passes, what is complained about, and what is let alone.

use futures::io::Cursor;
use futures::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::*;
use crate::network::offences::Counts;

/// A stream with what arrives on it, and whether it still takes bytes.
struct Ends {
    arrives: Cursor<Vec<u8>>,
    takes: bool,
}

impl AsyncRead for Ends {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.arrives).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Ends {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, b: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(match self.takes || !b.is_empty() {
            true => Ok(b.len()),
            false => Err(io::ErrorKind::WriteZero.into()),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

const KADEMLIA: &str = "/kad/1";

fn watch() -> (Arc<Watch>, mpsc::Receiver<Complaint>) {
    let (complaints, queue) = Complaints::new(Arc::default());
    let kademlia = StreamProtocol::new(KADEMLIA);
    (
        Arc::new(Watch::over(PeerId::random(), kademlia, complaints)),
        queue,
    )
}

/// How the side answers that did not open a stream.
fn agreed(protocol: &str) -> Vec<u8> {
    let line = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    [
        line("/multistream/1.0.0\n"),
        line("na\n"),
        line(&format!("{protocol}\n")),
    ]
    .concat()
}

/// Reads to its end what another node says on a stream; returns what is complained about.
async fn seen(opener: Opener, protocol: &str, bytes: &[u8], takes: bool) -> Vec<Offence> {
    let (watch, mut queue) = watch();
    let said = match opener {
        Opener::Other => bytes.to_vec(),
        Opener::Us => [agreed(protocol), bytes.to_vec()].concat(),
    };
    let arrives = Cursor::new(said.clone());
    let mut stream = Watched::new(Ends { arrives, takes }, opener, watch);
    if opener == Opener::Other {
        stream.write_all(&agreed(protocol)).await.unwrap();
    }
    let mut read = Vec::new();
    stream.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, said, "bytes pass as they are");
    let complaints = std::iter::from_fn(|| queue.try_recv().ok());
    complaints.map(|complaint| complaint.offence).collect()
}

const FRAMED: [&str; 4] = [
    KADEMLIA,
    "/meshsub/1.1.0",
    "/ipfs/id/1.0.0",
    "/ipfs/id/push/1.0.0",
];

#[tokio::test]
async fn bytes_that_are_no_message_are_complained_about_once_on_streams_of_either_side() {
    for protocol in FRAMED {
        for opener in [Opener::Us, Opener::Other] {
            let undecodable = seen(opener, protocol, &[9; 200], true).await;
            assert_eq!(undecodable, [Offence::Undecodable], "{protocol}");
            let oversized = seen(opener, protocol, &[0xff, 0xff, 0xff, 0x7f], true).await;
            assert_eq!(oversized, [Offence::Oversized], "{protocol}");
        }
    }
    let wrong_answer = seen(Opener::Us, "/ipfs/ping/1.0.0", &[1; 32], true).await;
    assert_eq!(wrong_answer, [Offence::Undecodable]);
}

#[tokio::test]
async fn only_a_request_that_is_ended_on_purpose_is_truncated() {
    for protocol in FRAMED.into_iter().chain(["/ipfs/ping/1.0.0"]) {
        let cut = [9, 0x12, 7];
        let ended = seen(Opener::Other, protocol, &cut, true).await;
        assert_eq!(ended, [Offence::Truncated], "{protocol}");
        let reset = seen(Opener::Other, protocol, &cut, false).await;
        assert_eq!(reset, [], "{protocol}");
    }
    assert_eq!(seen(Opener::Us, KADEMLIA, &[9, 0x12, 7], true).await, []);
}

#[tokio::test]
async fn other_protocols_are_let_alone() {
    let bytes = [0xff; 300];
    for protocol in ["/nightshift/a1b2c3d4/blob/1", "/kad/2"] {
        for opener in [Opener::Us, Opener::Other] {
            assert_eq!(seen(opener, protocol, &bytes, true).await, []);
        }
    }
}

#[tokio::test]
async fn what_the_queue_has_no_room_for_is_still_counted() {
    let counts = Arc::new(Counts::default());
    let (complaints, mut queue) = Complaints::new(Arc::clone(&counts));
    for _ in 0..1_000 {
        complaints.hand_in(PeerId::random(), Offence::Truncated);
    }
    let mut queued = 0;
    while queue.try_recv().is_ok() {
        queued += 1;
    }
    assert!(queued > 0);
    assert_eq!(queued + counts.of(Offence::Truncated), 1_000);
}
