//! Owns when the last byte of a connection arrived.
//!
//! Never looks at the bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

/// The moment at which the last byte arrived. Clones are one moment.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    begun: Instant,
    // Shared by the socket, which writes it, and the muxer around the socket, which reads it.
    last_ms: Arc<AtomicU64>,
}

impl Heard {
    /// Begins with now.
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            last_ms: Arc::default(),
        }
    }

    /// Notes that something arrived now.
    pub(super) fn note(&self) {
        let past = self.begun.elapsed().as_millis();
        let past = u64::try_from(past).unwrap_or(u64::MAX);
        self.last_ms.store(past, Ordering::Relaxed);
    }

    /// Returns when something arrived last.
    pub(super) fn last(&self) -> Instant {
        self.begun + Duration::from_millis(self.last_ms.load(Ordering::Relaxed))
    }
}

/// A socket that notes when bytes arrive.
pub(in crate::network) struct Listening<C> {
    socket: C,
    heard: Heard,
}

impl<C> Listening<C> {
    pub(super) fn new(socket: C, heard: Heard) -> Self {
        Self { socket, heard }
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Listening<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if matches!(read, Poll::Ready(Ok(1..))) {
            self.heard.note();
        }
        read
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Listening<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx)
    }
}
