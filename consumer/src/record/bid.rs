//! Owns what is kept of a run that bids, and the form of a run's record on disk.
//!
//! Pure: never reads the disk, a clock or the book. Never changes what a run leaves on disk that neither bids nor
//! needs anything special: releases before this one read that, and theirs is read here.

use market::gpu::GpuClass;
use market::wire::{self, WireError};
use market::{Amount, ChainId, OrderId, PricePerHour, Timestamp};
use market_node::api::{BidDetail, BidState, BidView};
use serde::{Deserialize, Serialize};

use super::RunRecord;
use crate::job_file::Needs;

/// What a run bids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BidRecord {
    /// The least class that the order asks for.
    pub(crate) class: GpuClass,
    /// The least class that the person asked for; without it any will do.
    pub(crate) wanted: Option<GpuClass>,
    pub(crate) max_price: PricePerHour,
    /// The most that is locked when it is filled.
    pub(crate) deposit: Amount,
    /// When it ends, in protocol time.
    pub(crate) until: Timestamp,
    /// How it ended, where that was without a lease.
    pub(crate) end: Option<BidEnd>,
}

/// How a bid ended that nobody filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum BidEnd {
    /// Its time was over.
    Unsold,
    /// The person wanted it no more.
    Cancelled,
    /// It could not go on.
    Failed,
}

/// What is known of a bid beyond its record: what the book has of it, and says to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct InBook {
    pub(crate) order: Option<OrderId>,
    pub(crate) is_filling: bool,
    pub(crate) misfits: Option<String>,
}

impl RunRecord {
    /// Encodes the record for the disk.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = wire::encode(self);
        // As it always was, so that it is read also by what knows nothing of needs, or of bids.
        if self.needs == Needs::default() {
            bytes.truncate(bytes.len() - no_needs().len());
            if self.bid.is_none() {
                bytes.truncate(bytes.len() - no_bid().len());
            }
        }
        bytes
    }

    /// Decodes a record from the disk; one that ends where the needs or the bid would stand has none.
    ///
    /// # Errors
    /// The bytes are no record.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let read = |left_away: &[u8]| wire::decode(&[bytes, left_away].concat(), Self::MAX_BYTES);
        // What ends too early for one of these ends too late for the others.
        read(&[]).or_else(|error| {
            let without_needs = read(&no_needs());
            let without_either = || read(&[no_bid(), no_needs()].concat());
            without_needs
                .or_else(|_| without_either())
                .map_err(|_| error)
        })
    }

    /// Returns the bid, while it may still be filled.
    pub(crate) fn open_bid(&self) -> Option<BidRecord> {
        self.bid
            .filter(|_| self.outcome.is_none() && self.attempts.is_empty())
    }

    /// Shows the bid of a run that has bought nothing; `None` for any other run.
    pub(crate) fn bid_view(&self, chain: &ChainId, book: InBook) -> Option<BidView> {
        let bid = self.bid.filter(|_| self.attempts.is_empty())?;
        let state = match bid.end {
            Some(BidEnd::Unsold) => BidState::Unsold,
            Some(BidEnd::Cancelled) => BidState::Cancelled,
            Some(BidEnd::Failed) => BidState::Failed,
            None if book.is_filling => BidState::Filling,
            None => BidState::Waiting,
        };
        Some(BidView {
            run: self.run,
            kind: self.kind.clone(),
            job: self.job.id(chain),
            order: book.order,
            class: bid.class,
            max_price: bid.max_price,
            gpus: 1,
            deposit: bid.deposit,
            since: self.started_at,
            until: bid.until,
            state,
            misfits: book.misfits,
            output: self.output.clone(),
            note: self.note.clone(),
        })
    }

    /// Shows everything that is known of a run that bids; `events` is the range of lines that are kept.
    pub(crate) fn bid_detail(
        &self,
        chain: &ChainId,
        book: InBook,
        events: (u64, u64),
    ) -> Option<BidDetail> {
        Some(BidDetail {
            bid: self.bid_view(chain, book)?,
            budget: self.budget,
            spec: self.job.clone(),
            sandbox_level: self.needs.sandbox,
            events,
        })
    }
}

/// How no bid is written.
fn no_bid() -> Vec<u8> {
    wire::encode(&None::<BidRecord>)
}

/// How it is written that nothing special is needed.
fn no_needs() -> Vec<u8> {
    wire::encode(&Needs::default())
}
