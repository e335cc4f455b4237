//! Tests of links that take nothing any more, and of links on which nothing arrives.

use std::convert::Infallible;

use libp2p::{PeerId, StreamProtocol};

use super::*;
use crate::network::fixture::within;
use crate::network::watched::Complaints;

/// A multiplexer that never gets rid of its goodbye.
struct Stuck;

impl StreamMuxer for Stuck {
    type Substream = futures::io::Cursor<Vec<u8>>;
    type Error = Infallible;

    fn poll_inbound(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Infallible>> {
        Poll::Pending
    }

    fn poll_outbound(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Infallible>> {
        Poll::Pending
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Pending
    }

    fn poll(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Infallible>> {
        Poll::Pending
    }
}

fn watch() -> Arc<Watch> {
    let (complaints, _) = Complaints::new(Arc::default());
    let kademlia = StreamProtocol::new("/kad");
    Arc::new(Watch::over(PeerId::random(), kademlia, complaints))
}

#[tokio::test]
async fn a_goodbye_that_nobody_takes_ends_after_a_second() {
    let mut muxer = PromptMuxer::new(Stuck, watch(), Heard::new(), SILENCE);
    let begun = tokio::time::Instant::now();
    let close = std::future::poll_fn(|cx| Pin::new(&mut muxer).poll_close(cx));
    let closed = within(close).await;
    assert!(closed.is_ok());
    assert!(begun.elapsed() >= CLOSE_WITHIN);
}

#[tokio::test]
async fn silence_ends_a_connection_and_any_byte_keeps_it() {
    let (silence, heard) = (Duration::from_millis(300), Heard::new());
    let mut muxer = PromptMuxer::new(Stuck, watch(), heard.clone(), silence);
    let mut socket = Listening::new(futures::io::Cursor::new(vec![1; 9]), heard);
    let (begun, mut byte) = (tokio::time::Instant::now(), [0]);
    let mut ticks = tokio::time::interval(silence / 3);
    let ended = std::future::poll_fn(|cx| Pin::new(&mut muxer).poll(cx));
    let mut ended = std::pin::pin!(ended);
    for _ in 0..9 {
        tokio::select! {
            _ = &mut ended => panic!("it ended while bytes arrived"),
            _ = ticks.tick() => {
                futures::AsyncReadExt::read_exact(&mut socket, &mut byte).await.unwrap();
            }
        }
    }
    assert!(begun.elapsed() > silence * 2);
    let error = within(ended).await.err();
    assert!(matches!(error, Some(LinkError::Silent)), "{error:?}");
}
