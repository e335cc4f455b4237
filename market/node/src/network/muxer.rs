//! Owns how streams share a connection, when it counts as dead, and that closing one takes at most a second.
//!
//! A connection is dead when nothing has arrived for twelve seconds. Both sides ping, so on a link that works
//! something arrives more often; the answer to one ping says less, because on a slow uplink it waits behind all
//! that is being uploaded.
//!
//! Each stream is looked at on its way out of here, for what the other side says wrong on it.
//!
//! Never waits for a dead link: Yamux says goodbye before it closes, and on a link whose buffers are full that
//! would last as long as the system keeps trying, while calls would still be sent that way.

mod heard;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::{AsyncRead, AsyncWrite, TryFutureExt};
use libp2p::core::UpgradeInfo;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use libp2p::yamux;
use tokio::time::Sleep;

use super::watched::{Opener, Watch, Watched};
use heard::{Heard, Listening};

/// How long a goodbye may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// How long nothing may arrive. Longer than the time from one ping to the next where each waits in vain for its
/// answer, which is 6.5 s.
const SILENCE: Duration = Duration::from_secs(12);

/// Streams of one connection in both directions together, of all protocols.
const MAX_STREAMS: usize = 320;

/// Yamux with a bound on closing and a watch over its streams, for one connection.
#[derive(Debug, Clone)]
pub(super) struct Config {
    yamux: yamux::Config,
    watch: Arc<Watch>,
}

impl Config {
    pub(super) fn new(watch: Watch) -> Self {
        let mut yamux = yamux::Config::default();
        yamux.set_max_num_streams(MAX_STREAMS);
        Self {
            yamux,
            watch: Arc::new(watch),
        }
    }
}

impl UpgradeInfo for Config {
    type Info = <yamux::Config as UpgradeInfo>::Info;
    type InfoIter = <yamux::Config as UpgradeInfo>::InfoIter;

    fn protocol_info(&self) -> Self::InfoIter {
        self.yamux.protocol_info()
    }
}

impl<C> InboundConnectionUpgrade<C> for Config
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = PromptMuxer<yamux::Muxer<Listening<C>>>;
    type Error = std::io::Error;
    type Future = BoxFuture<'static, Result<Self::Output, Self::Error>>;

    fn upgrade_inbound(self, socket: C, info: Self::Info) -> Self::Future {
        let heard = Heard::new();
        let upgraded = self
            .yamux
            .upgrade_inbound(Listening::new(socket, heard.clone()), info);
        upgraded
            .map_ok(|muxer| PromptMuxer::new(muxer, self.watch, heard, SILENCE))
            .boxed()
    }
}

impl<C> OutboundConnectionUpgrade<C> for Config
where
    C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    type Output = PromptMuxer<yamux::Muxer<Listening<C>>>;
    type Error = std::io::Error;
    type Future = BoxFuture<'static, Result<Self::Output, Self::Error>>;

    fn upgrade_outbound(self, socket: C, info: Self::Info) -> Self::Future {
        let heard = Heard::new();
        let upgraded = self
            .yamux
            .upgrade_outbound(Listening::new(socket, heard.clone()), info);
        upgraded
            .map_ok(|muxer| PromptMuxer::new(muxer, self.watch, heard, SILENCE))
            .boxed()
    }
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError<E: std::error::Error + 'static> {
    /// Nothing arrived for too long.
    #[error("nothing arrived for {} s", SILENCE.as_secs())]
    Silent,
    /// The multiplexer ended it.
    #[error("{0}")]
    Muxer(#[source] E),
}

/// A multiplexer that ends when nothing arrives any more, whose close ends in time, and whose streams are looked at.
pub(super) struct PromptMuxer<M> {
    muxer: M,
    watch: Arc<Watch>,
    heard: Heard,
    silence: Duration,
    /// Ends when the silence may have lasted too long.
    alarm: Pin<Box<Sleep>>,
    patience: Option<BoxFuture<'static, ()>>,
}

impl<M> PromptMuxer<M> {
    /// Watches a multiplexer on a socket that notes in `heard` when something arrives.
    fn new(muxer: M, watch: Arc<Watch>, heard: Heard, silence: Duration) -> Self {
        Self {
            muxer,
            watch,
            heard,
            silence,
            alarm: Box::pin(tokio::time::sleep(silence)),
            patience: None,
        }
    }

    /// Ends when nothing has arrived for too long.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.alarm.as_mut().poll(cx).is_ready() {
            let due = self.heard.last() + self.silence;
            if due <= tokio::time::Instant::now() {
                return Poll::Ready(());
            }
            self.alarm.as_mut().reset(due);
        }
        Poll::Pending
    }
}

impl<M> StreamMuxer for PromptMuxer<M>
where
    M: StreamMuxer<Substream: Unpin> + Unpin,
    M::Error: Send + Sync + 'static,
{
    type Substream = Watched<M::Substream>;
    type Error = LinkError<M::Error>;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let polled = Pin::new(&mut self.muxer).poll_inbound(cx);
        let watched = |stream| Watched::new(stream, Opener::Other, Arc::clone(&self.watch));
        polled.map_ok(watched).map_err(LinkError::Muxer)
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let polled = Pin::new(&mut self.muxer).poll_outbound(cx);
        let watched = |stream| Watched::new(stream, Opener::Us, Arc::clone(&self.watch));
        polled.map_ok(watched).map_err(LinkError::Muxer)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        if let Poll::Ready(closed) = Pin::new(&mut self.muxer).poll_close(cx) {
            return Poll::Ready(closed.map_err(LinkError::Muxer));
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
        // First, so that what lies in the socket has been heard when the alarm is looked at.
        let polled = Pin::new(&mut self.muxer).poll(cx);
        if polled.is_ready() {
            return polled.map_err(LinkError::Muxer);
        }
        self.poll_silence(cx).map(|()| Err(LinkError::Silent))
    }
}

#[cfg(test)]
mod tests;
