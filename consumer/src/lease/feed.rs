//! Owns what a run tells its reader, between the lease's task and the reader's stream.
//!
//! Never lets the lease wait for the reader: where the reader is slow, what only shows progress is left out,
//! and what the reader must know waits here.

use std::collections::VecDeque;

use market_node::api::RunEvent;
use tokio::sync::mpsc;

/// From how many waiting events on those that only show progress are left out. What must be known comes at
/// most once an output and a few times more.
const MAX_WAITING: usize = 1_024;

/// The events of one run on their way to its reader.
pub(crate) struct Feed {
    reader: mpsc::Sender<RunEvent>,
    waiting: VecDeque<RunEvent>,
}

impl Feed {
    pub(crate) fn new(reader: mpsc::Sender<RunEvent>) -> Self {
        Self {
            reader,
            waiting: VecDeque::new(),
        }
    }

    /// Tells an event now or later; never waits. A reader that is gone hears nothing.
    pub(crate) fn tell(&mut self, event: RunEvent) {
        let passing = matches!(
            event,
            RunEvent::Progress { .. } | RunEvent::Paid { .. } | RunEvent::Phase { .. }
        );
        if passing && self.waiting.len() >= MAX_WAITING {
            return;
        }
        self.waiting.push_back(event);
        while let Ok(permit) = self.reader.try_reserve() {
            match self.waiting.pop_front() {
                Some(event) => permit.send(event),
                None => return,
            }
        }
        if self.reader.is_closed() {
            self.waiting.clear();
        }
    }

    /// Waits until the reader has taken one waiting event; for ever while none waits. It may be dropped at any
    /// time without losing one.
    pub(crate) async fn advance(&mut self) {
        if self.waiting.is_empty() {
            return std::future::pending().await;
        }
        match self.reader.reserve().await {
            Ok(permit) => {
                if let Some(event) = self.waiting.pop_front() {
                    permit.send(event);
                }
            }
            Err(_gone) => self.waiting.clear(),
        }
    }

    /// Waits until the reader has taken everything, or is gone.
    pub(crate) async fn drain(mut self) {
        while !self.waiting.is_empty() {
            self.advance().await;
        }
    }
}

#[cfg(test)]
mod tests;
