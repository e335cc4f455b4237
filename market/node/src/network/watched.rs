//! Owns the watch over the streams of those protocols that libp2p itself speaks: gossip, look-ups, introductions
//! and pings. libp2p throws away what is malformed there and tells nobody, so a stream looks at the bytes on
//! their way and complains about their sender.
//!
//! Never holds bytes back, changes or keeps them. What a stream remembers is of a fixed size: where in a frame it
//! is, or 32 bytes of a ping. The streams of all other protocols are let alone from their first byte.
//!
//! ```text
//!            ┌ Watched ──────────────────────────────┐
//!  Yamux ──> │ negotiation ─> frames, pings, or blind │ ──> libp2p: negotiation, then the protocol
//!            └───────────────────┬───────────────────┘
//!                                └ complaints, a bounded queue ──> EventLoop: counts, disconnects, refuses
//! ```

mod complaints;
mod fields;
mod frames;
mod negotiation;
mod pings;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};
use libp2p::{PeerId, StreamProtocol, identify, ping};

use super::offences::Offence;
use fields::{GOSSIP, INTRODUCTION, LOOKUP};
use frames::Frames;
use negotiation::Negotiation;
use pings::{Answers, Pings};

pub(super) use complaints::{Complaint, Complaints};

/// How the names of all versions of gossipsub begin.
const GOSSIPSUB: &str = "/meshsub/";

/// The watch over the streams of one connection.
#[derive(Debug)]
pub(super) struct Watch {
    peer: PeerId,
    kademlia: StreamProtocol,
    complaints: Complaints,
}

impl Watch {
    /// Watches a node with which look-ups have the given name.
    pub(super) fn over(peer: PeerId, kademlia: StreamProtocol, complaints: Complaints) -> Self {
        Self {
            peer,
            kademlia,
            complaints,
        }
    }

    /// Returns what to look at on a stream of a protocol.
    fn sight(&self, protocol: &str, opener: Opener) -> Sight {
        if protocol == self.kademlia.as_ref() {
            return Sight::Frames(Frames::new(&LOOKUP));
        }
        if protocol.starts_with(GOSSIPSUB) {
            return Sight::Frames(Frames::new(&GOSSIP));
        }
        if protocol == identify::PROTOCOL_NAME || protocol == identify::PUSH_PROTOCOL_NAME {
            return Sight::Frames(Frames::new(&INTRODUCTION));
        }
        match (protocol == ping::PROTOCOL_NAME, opener) {
            (true, Opener::Other) => Sight::Pings(Pings::default()),
            (true, Opener::Us) => Sight::Answers(Answers::default()),
            (false, _) => Sight::Blind,
        }
    }
}

/// Who opened a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opener {
    Us,
    Other,
}

/// What is looked at on a stream.
#[derive(Debug)]
enum Sight {
    /// Which protocol it will carry.
    Negotiation(Negotiation),
    /// Whether messages of the other side are messages.
    Frames(Frames),
    /// Whether pings of the other side are whole.
    Pings(Pings),
    /// Whether answers to pings repeat them.
    Answers(Answers),
    /// Nothing, or nothing any more.
    Blind,
}

/// A stream that is looked at.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    opener: Opener,
    watch: Arc<Watch>,
    sight: Sight,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, opener: Opener, watch: Arc<Watch>) -> Self {
        Self {
            stream,
            opener,
            watch,
            sight: Sight::Negotiation(Negotiation::default()),
        }
    }

    /// Reads bytes of the side that answers the negotiation, and returns those after it.
    fn negotiate<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Sight::Negotiation(negotiation) = &mut self.sight else {
            return bytes;
        };
        let (sight, used) = match negotiation.read(bytes) {
            Ok(None) => return &[],
            Ok(Some((protocol, used))) => (self.watch.sight(protocol, self.opener), used),
            Err(_unreadable) => (Sight::Blind, bytes.len()),
        };
        self.sight = sight;
        bytes.get(used..).unwrap_or_default()
    }

    fn complain(&mut self, offence: Offence) {
        self.sight = Sight::Blind;
        self.watch.complaints.hand_in(self.watch.peer, offence);
    }

    /// Looks at bytes of the other side.
    fn arrived(&mut self, bytes: &[u8]) {
        let bytes = match self.opener {
            Opener::Us => self.negotiate(bytes),
            Opener::Other => bytes,
        };
        let seen = match &mut self.sight {
            Sight::Frames(frames) => frames.read(bytes),
            Sight::Answers(answers) => answers.read(bytes),
            Sight::Pings(pings) => {
                pings.read(bytes);
                Ok(())
            }
            Sight::Negotiation(_) | Sight::Blind => Ok(()),
        };
        if let Err(offence) = seen {
            self.complain(offence);
        }
    }

    /// Looks at bytes of this side.
    fn left(&mut self, bytes: &[u8]) {
        if self.opener == Opener::Other {
            self.negotiate(bytes);
        }
        if let Sight::Answers(answers) = &mut self.sight {
            answers.expect(bytes);
        }
    }

    /// Tells whether a message of the other side would end too early here. Only of streams that it opened: an
    /// answer that breaks off may be that of an honest node which is stopped.
    fn is_amid_message(&self) -> bool {
        let is_amid = match &self.sight {
            Sight::Frames(frames) => frames.is_amid_one(),
            Sight::Pings(pings) => pings.is_amid_one(),
            Sight::Negotiation(_) | Sight::Answers(_) | Sight::Blind => false,
        };
        is_amid && self.opener == Opener::Other
    }
}

impl<S: AsyncWrite + Unpin> Watched<S> {
    /// Looks at the end of what the other side says.
    ///
    /// A stream that was reset, or whose connection ended, reads as one that was ended on purpose. But only the
    /// latter still takes bytes from here, none in this case.
    fn ended(&mut self, cx: &mut Context<'_>) {
        if self.is_amid_message() {
            let probe = Pin::new(&mut self.stream).poll_write(cx, &[]);
            if matches!(probe, Poll::Ready(Ok(_))) {
                return self.complain(Offence::Truncated);
            }
        }
        self.sight = Sight::Blind;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        if matches!(self.sight, Sight::Blind) || buffer.is_empty() {
            return Poll::Ready(read);
        }
        match &read {
            Ok(0) => self.ended(cx),
            Ok(length) => self.arrived(buffer.get(..*length).unwrap_or_default()),
            Err(_link_failed) => self.sight = Sight::Blind,
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        if let Ok(length) = written {
            self.left(bytes.get(..length).unwrap_or_default());
        }
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

#[cfg(test)]
mod tests;
