//! Owns one direction of one connection: the bytes on their way, each chunk with when it arrives.
//!
//! Never holds more than a bound; beyond it the sender waits, as on any link.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

/// The most bytes on their way.
const HELD_BYTES: usize = 4 << 20;

/// The most bytes read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// One direction of a connection.
#[derive(Default)]
pub(super) struct Pipe {
    queue: VecDeque<(Instant, VecDeque<u8>)>,
    held_bytes: usize,
    /// The sender said that it is done.
    has_ended: bool,
    /// The receiver was told.
    is_closed: bool,
}

impl Pipe {
    /// Tells whether the sender is to be listened to.
    pub(super) fn wants_to_read(&self) -> bool {
        !self.has_ended && self.held_bytes < HELD_BYTES
    }

    /// Returns when there is something to hand over.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.queue.front().map(|(due, _)| *due)
    }

    /// Tells whether there is something to hand over now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due_at().is_some_and(|due| due <= now)
    }

    /// Tells whether nothing more will ever pass.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Takes what the sender has; it arrives at `due`, and never before what was sent earlier.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn read(&mut self, mut from: &TcpStream, due: Instant) -> io::Result<()> {
        let mut buffer = [0; CHUNK_BYTES];
        match from.read(&mut buffer) {
            Ok(0) => self.has_ended = true,
            Ok(count) => {
                let last = self.queue.back().map_or(due, |(last, _)| *last);
                let bytes = VecDeque::from(buffer[..count].to_vec());
                self.queue.push_back((due.max(last), bytes));
                self.held_bytes += count;
            }
            Err(error) if is_not_now(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Hands over what is due, as far as the receiver takes it, and returns how many bytes it took.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn write(&mut self, mut to: &TcpStream, now: Instant) -> io::Result<usize> {
        let mut count = 0;
        while let Some((due, bytes)) = self.queue.front_mut() {
            if *due > now {
                break;
            }
            let (front, _) = bytes.as_slices();
            let written = match to.write(front) {
                Ok(written) => written,
                Err(error) if is_not_now(&error) => break,
                Err(error) => return Err(error),
            };
            bytes.drain(..written);
            count += written;
            if bytes.is_empty() {
                self.queue.pop_front();
            }
        }
        self.held_bytes -= count;
        if self.has_ended && self.queue.is_empty() && !self.is_closed {
            self.is_closed = true;
            to.shutdown(Shutdown::Write)?;
        }
        Ok(count)
    }
}

fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
