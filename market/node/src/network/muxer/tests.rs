//! Tests of closing on a link that takes nothing any more.

use std::convert::Infallible;

use super::*;
use crate::network::fixture::within;

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

#[tokio::test]
async fn a_goodbye_that_nobody_takes_ends_after_a_second() {
    let mut muxer = PromptMuxer::new(Stuck);
    let begun = tokio::time::Instant::now();
    let close = std::future::poll_fn(|cx| Pin::new(&mut muxer).poll_close(cx));
    let closed = within(close).await;
    closed.unwrap_or_else(|never| match never {});
    assert!(begun.elapsed() >= CLOSE_WITHIN);
}
