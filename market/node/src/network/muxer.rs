//! Owns how streams share a connection, and that closing one takes at most a second.
//!
//! Never waits for a dead link: Yamux says goodbye before it closes, and on a link whose buffers are full that
//! would last as long as the system keeps trying, while calls would still be sent that way.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::{AsyncRead, AsyncWrite, TryFutureExt};
use libp2p::core::UpgradeInfo;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use libp2p::yamux;

/// How long a goodbye may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// Streams of one connection in both directions together, of all protocols.
const MAX_STREAMS: usize = 320;

/// Yamux with a bound on closing.
#[derive(Debug, Clone)]
pub(super) struct Config(yamux::Config);

impl Config {
    pub(super) fn new() -> Self {
        let mut yamux = yamux::Config::default();
        yamux.set_max_num_streams(MAX_STREAMS);
        Self(yamux)
    }
}

impl UpgradeInfo for Config {
    type Info = <yamux::Config as UpgradeInfo>::Info;
    type InfoIter = <yamux::Config as UpgradeInfo>::InfoIter;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.protocol_info()
    }
}

impl<C> InboundConnectionUpgrade<C> for Config
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = PromptMuxer<yamux::Muxer<C>>;
    type Error = std::io::Error;
    type Future = BoxFuture<'static, Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, socket: C, info: Self::Info) -> Self::Future {
        let upgraded = self.0.upgrade_inbound(socket, info);
        upgraded.map_ok(PromptMuxer::new).boxed()
    }
}

impl<C> OutboundConnectionUpgrade<C> for Config
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = PromptMuxer<yamux::Muxer<C>>;
    type Error = std::io::Error;
    type Future = BoxFuture<'static, Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, socket: C, info: Self::Info) -> Self::Future {
        let upgraded = self.0.upgrade_outbound(socket, info);
        upgraded.map_ok(PromptMuxer::new).boxed()
    }
}

/// A multiplexer whose close ends in time.
pub(super) struct PromptMuxer<M> {
    muxer: M,
    patience: Option<BoxFuture<'static, ()>>,
}

impl<M> PromptMuxer<M> {
    fn new(muxer: M) -> Self {
        Self {
            muxer,
            patience: None,
        }
    }
}

impl<M: StreamMuxer + Unpin> StreamMuxer for PromptMuxer<M> {
    type Substream = M::Substream;
    type Error = M::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        Pin::new(&mut self.muxer).poll_inbound(cx)
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        Pin::new(&mut self.muxer).poll_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if let Poll::Ready(closed) = Pin::new(&mut self.muxer).poll_close(cx) {
            return Poll::Ready(closed);
        }
        let patience = self
            .patience
            .get_or_insert_with(|| tokio::time::sleep(CLOSE_WITHIN).boxed());
        patience.poll_unpin(cx).map(Ok)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        Pin::new(&mut self.muxer).poll(cx)
    }
}

#[cfg(test)]
mod tests;
